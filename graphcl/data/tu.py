"""TU graph classification sets, through PyTorch Geometric's own loader and with the checks that it lacks."""

import shutil
import tempfile
from pathlib import Path

from torch_geometric.datasets import TUDataset

from graphcl.data._guard import check_processed, damaged, remade_if_older
from graphcl.data.home import no_empty_folders
from graphcl.data.tu_check import KINDS, TARGETS, check_raw, count_lines, missing_files, raw_file
from graphcl.data.tu_copy import copy_raw
from graphcl.errors import DataError

__all__ = ["load_tu"]


def load_tu(name: str, root: str | Path, *, attributes: bool = False) -> TUDataset:
    """Load a TU data set from ``root/TU/NAME``, from ``root/TU_zip/NAME.zip``, or by PyTorch Geometric's download.

    Raw files that are already in ``root/TU/NAME/raw`` are used without any network. They are checked before they are
    processed for the first time, and again when one of them has changed since; the processed file is written in one
    step, so that a kill cannot leave half of it.

    Args:
        name: The data set's name in the collection, such as ``MUTAG``.
        root: The data folder (:func:`graphcl.data.home`).
        attributes: Whether ``x`` holds the numeric node attributes too, before the labels.

    Returns:
        The data set; ``x`` holds the one-hot node labels, and has no columns, or is absent, where the collection has
        none.

    Raises:
        DataError: If files are missing, half-written, contradictory or unreadable, if the download fails, if the folder
            cannot be written, or if the reader loses graphs.

    Source: Morris et al., TUDataset: A collection of benchmark datasets for learning with graphs, ICML 2020 workshop.
    """
    root = Path(root)
    folder = root / "TU" / name
    raw, processed = folder / "raw", folder / "processed"
    if missing := missing_files(raw, name):
        present = [raw_file(raw, name, kind).name for kind in KINDS if raw_file(raw, name, kind).is_file()]
        if present:
            raise DataError(f"{raw} has {', '.join(present)} but lacks {', '.join(missing)}: copy them there.")
    try:
        with remade_if_older(processed / "data.pt"), no_empty_folders(processed, raw, folder, folder.parent, root):
            check_processed(processed)
            archive = root / "TU_zip" / f"{name}.zip"
            dataset = _CheckedTUDataset(str(root / "TU"), name, archive=archive, attributes=attributes)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read or written ({error}): mend its permissions, or choose another folder with "
            f"--root or $GRAPHCL_HOME."
        ) from error
    _check_sizes(dataset, raw, processed)
    return dataset


class _CheckedTUDataset(TUDataset):
    """The loader with its two hooks guarded, and without its messages on stderr."""

    root: str

    def __init__(self, root: str, name: str, archive: Path, attributes: bool) -> None:
        self._archive = archive
        self._processed_name = "data.pt"
        try:
            super().__init__(root, name, use_node_attr=attributes)
        except (RuntimeError, ValueError, KeyError, AttributeError, AssertionError) as error:
            raise damaged(Path(self.processed_paths[0]), str(error)) from error

    @property
    def log(self) -> bool:
        """PyG's base class prints 'Processing...' where this is true; TUDataset has no argument for it."""
        return False

    @log.setter
    def log(self, value: bool) -> None:
        """Ignore the value that the base class sets."""

    @property
    def processed_file_names(self) -> str:
        """The name of the processed file; another one while it is being written."""
        return self._processed_name

    def download(self) -> None:
        """Fill the empty raw folder in one step: from the archive beside it, else by PyG's download."""
        raw, root = Path(self.raw_dir), self.root
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
            self.root = scratch
            fetched = Path(self.raw_dir)
            fetched.mkdir(parents=True)
            try:
                if self._archive.is_file():
                    copy_raw(self._archive, self.name, fetched)
                else:
                    super().download()
            except DataError:
                raise
            # fsspec, aiohttp and urllib each have their own errors for the same thing: no network, no such file.
            except Exception as error:
                raise DataError(
                    f"{self.name} is not in {raw} and could not be downloaded from {self.url} "
                    f"({type(error).__name__}: {error}). Without a network, put {self.name}_A.txt, "
                    f"{self.name}_graph_indicator.txt, {self.name}_graph_labels.txt and so on there, or take them from "
                    f"a folder or zip archive: graphcl datasets add {self.name} --from PATH"
                ) from error
            finally:
                self.root = root
            for file in sorted(raw.iterdir()):  # nothing of the data set: load_tu has looked
                shutil.move(file, fetched)
            raw.rmdir()
            fetched.rename(raw)

    def process(self) -> None:
        """Check the raw files, then let PyG write a file of another name and rename it."""
        check_raw(Path(self.raw_dir), self.name)
        final = Path(self.processed_paths[0])
        with tempfile.TemporaryDirectory(dir=self.processed_dir, prefix=".process-") as scratch:
            self._processed_name = f"{Path(scratch).name}/data.pt"
            try:
                super().process()
                Path(self.processed_paths[0]).replace(final)
            except (RuntimeError, ValueError, IndexError, AssertionError, TypeError) as error:
                raise DataError(
                    f"PyTorch Geometric cannot read the raw files in {self.raw_dir} ({type(error).__name__}: {error})."
                ) from error
            finally:
                self._processed_name = "data.pt"


def _check_sizes(dataset: TUDataset, raw: Path, processed: Path) -> None:
    targets = [raw_file(raw, dataset.name, kind) for kind in TARGETS]
    labels = next(path for path in targets if path.is_file())
    num_graphs, num_nodes = count_lines(labels), count_lines(raw_file(raw, dataset.name, "graph_indicator"))
    data, slices = dataset._data, dataset.slices
    read = len(slices["x"]) - 1 if "x" in slices else len(data._num_nodes)
    if read != num_graphs or data.num_nodes != num_nodes:
        raise damaged(
            processed / "data.pt",
            f"it holds {read} graphs and {data.num_nodes} nodes, the raw files {num_graphs} and {num_nodes}",
        )
    if len(dataset) != num_graphs:
        raise DataError(
            f"{labels} has {num_graphs} graphs, but PyTorch Geometric's TU reader returned {len(dataset)}: it loses "
            f"graphs without edges at the end of a data set. Reorder the raw files so that the last graph has an edge, "
            f"or remove those graphs."
        )
