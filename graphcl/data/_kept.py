"""Arrays that were found for many texts, kept in the data folder under the hash of the texts."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._files import write_whole
from graphcl.data.home import home, no_empty_folders
from graphcl.errors import DataError

__all__ = ["Arrays", "kept"]

Arrays = Mapping[str, NDArray[Any]]


def kept(kind: str, form: str, texts: Sequence[str], root: str | Path | None, make: Callable[[], Arrays]) -> Arrays:
    """What ``make`` gives, arrays with a row for each of the molecules' ``texts``, or what it gave before.

    Args:
        kind: The folder's name.
        form: Of what is kept, by name and number.
        texts: SMILES.
        root: The data folder.
        make: What finds the arrays.

    Raises:
        DataError: The data folder cannot be written, or what is kept is damaged.
    """
    path = home(root) / "molecules" / kind / f"{_digest(form, texts)}.npz"
    if path.is_file():
        return _read(path, len(texts))
    arrays = make()
    if any(len(array) != len(texts) for array in arrays.values()):
        raise RuntimeError(f"a worker process answered for another number of molecules than {len(texts)}; try again")
    try:
        with no_empty_folders(path.parent, path.parent.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            # NumPy 1.26 would take allow_pickle=False for one more array.
            write_whole(path, lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error}): mend that, or choose another folder with --root or $GRAPHCL_HOME."
        ) from error
    return arrays


def _digest(form: str, texts: Sequence[str]) -> str:
    import rdkit  # whose versions may read molecules differently

    digest = hashlib.sha256(f"{form} {rdkit.__version__}".encode())
    for text in texts:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()[:32]


def _read(path: Path, count: int) -> Arrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): delete it, and it is made anew.") from error
    for name, array in arrays.items():
        if len(array) != count:
            raise DataError(f"{path} has {len(array)} {name}, expected {count}: delete it, and it is made anew.")
    return arrays
