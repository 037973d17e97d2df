"""What PyTorch Geometric's data set classes lack: whole files or none, tensors only, and quiet.

PyG downloads into the folder it reads from, writes processed files in place, and falls back to unpickling anything when
a processed file is not one of tensors. A guarded class does the same work behind three checks.
"""

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data, InMemoryDataset

from graphcl.errors import DataError

__all__ = ["also_safe", "check_processed", "damaged", "guarded", "remade_if_older"]


def damaged(path: Path, reason: str) -> DataError:
    """The error for a processed file that cannot be used: deleting it mends it."""
    return DataError(
        f"{path} is damaged or does not belong to the raw files ({reason}). Delete {path} and load again: it is made "
        f"anew from the raw files."
    )


def check_processed(folder: Path, name: str = "data.pt") -> None:
    """Read what PyG would read, but only as tensors and plain containers: PyG falls back to unpickling anything."""
    # Not the context manager `safe_globals`: on leaving it takes away what PyG itself had registered.
    torch.serialization.add_safe_globals([Data])
    for file, expected in ((name, tuple), ("pre_transform.pt", str), ("pre_filter.pt", str)):
        path = folder / file
        if not path.is_file():
            continue
        try:
            content = torch.load(path, weights_only=True, mmap=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise damaged(
                path, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            ) from error
        if not isinstance(content, expected):
            raise damaged(path, f"expected a {expected.__name__}, got a {type(content).__name__}")
        if expected is str and content != "None":
            raise damaged(folder / name, f"processed with {path.stem}={content}, not as the raw files are")


@contextmanager
def remade_if_older(processed: Path) -> Iterator[None]:
    """Put a processed file aside that is older than a raw one, so that the block makes it anew; if not, it is back.

    Where it cannot be moved it stays: in a folder of others, copied without its times, it is good as a rule.
    """
    aside = processed.with_name(f".{processed.name}.older")
    moved = _is_older(processed, processed.parent.parent / "raw")
    if moved:
        try:
            processed.rename(aside)
        except OSError:
            moved = False
    try:
        yield
    finally:
        if moved and processed.is_file():
            aside.unlink(missing_ok=True)
        elif moved:
            aside.rename(processed)


def _is_older(processed: Path, raw: Path) -> bool:
    """Whether a raw file has changed since; one that will have in the future tells nothing."""
    if not processed.is_file() or not raw.is_dir():
        return False
    made, now = processed.stat().st_mtime, time.time()
    return any(made < path.stat().st_mtime <= now for path in raw.iterdir() if path.is_file())


@contextmanager
def also_safe(classes: list[Any]) -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` read these classes inside the block.

    What was registered before stays so afterwards; torch's own context manager would take it away.
    """
    known = torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals([item for item in classes if item not in known]):
        yield


def guarded(
    base: type[InMemoryDataset], *, hint: str, check: Callable[[Path], None] = lambda raw: None
) -> type[InMemoryDataset]:
    """A subclass of a PyG data set class that fills ``raw`` and writes the processed file in one step each.

    Args:
        base: The class; its instances have one processed file.
        hint: How to get the raw files without a network, for the error when the download fails.
        check: Called with the raw folder before it is processed for the first time.
    """

    class Guarded(base):
        root: str
        _scratch = ""

        @property
        def log(self) -> bool:
            """PyG's base class prints 'Processing...' where this is true."""
            return False

        @log.setter
        def log(self, value: bool) -> None:
            """Ignore the value that the base class sets."""

        @property
        def processed_file_names(self) -> str:
            return self._scratch + str(super().processed_file_names)

        def download(self) -> None:
            raw, root = Path(self.raw_dir), self.root
            wanted = [Path(path).name for path in self.raw_paths]
            missing = [name for name in wanted if not (raw / name).exists()]
            if len(missing) < len(wanted):
                raise DataError(f"{raw} lacks {', '.join(missing)}, but has the other files: copy them there.")
            with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
                self.root = scratch
                fetched = Path(self.raw_dir)
                fetched.mkdir(parents=True)
                try:
                    super().download()
                # fsspec, aiohttp and urllib each have their own errors for the same thing: no network, no such file.
                except Exception as error:
                    raise DataError(
                        f"{self.name} is not in {raw} and could not be downloaded ({type(error).__name__}: {error}). "
                        f"Without a network, {hint}"
                    ) from error
                finally:
                    self.root = root
                for name in wanted:
                    shutil.move(fetched / name, raw / name)

        def process(self) -> None:
            final = Path(self.processed_paths[0])
            check(Path(self.raw_dir))
            with tempfile.TemporaryDirectory(dir=self.processed_dir, prefix=".process-") as scratch:
                self._scratch = f"{Path(scratch).name}/"
                try:
                    # Old files make NumPy and SciPy warn of their age, and Planetoid's reader changes the filters.
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        super().process()
                    Path(self.processed_paths[0]).replace(final)
                except OSError:
                    raise
                except Exception as error:  # each reader stumbles over a damaged file in its own way
                    raise DataError(
                        f"the raw files in {self.raw_dir} cannot be read ({type(error).__name__}: {error}): replace "
                        f"them by whole ones."
                    ) from error
                finally:
                    self._scratch = ""

    Guarded.__name__ = Guarded.__qualname__ = base.__name__
    return Guarded
