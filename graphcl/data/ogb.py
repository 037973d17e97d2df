"""Sets of the Open Graph Benchmark (node, link and graph level), through OGB's own loaders made safe to call.

As released (1.3.6), OGB's loaders fail on torch >= 2.6, where ``torch.load`` reads tensors only unless told which
classes are harmless; they ask questions on the terminal; and importing them starts a thread that looks for a newer
version on the network. Here the classes are named, nothing is asked, and nothing is fetched but a missing data set.
"""

import contextlib
import csv
import io
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import InMemoryDataset
from torch_geometric.data.data import Data, DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage
from torch_geometric.utils import index_to_mask

from graphcl.data._guard import also_safe, check_processed, damaged, guarded, remade_if_older
from graphcl.data.home import no_empty_folders
from graphcl.data.lists import ListDataset
from graphcl.errors import DataError

__all__ = ["facts_of", "import_ogb", "load_ogb"]

# The part of OGB and its class for each kind of name.
_KINDS = {
    "ogbn": ("nodeproppred", "PygNodePropPredDataset"),
    "ogbl": ("linkproppred", "PygLinkPropPredDataset"),
    "ogbg": ("graphproppred", "PygGraphPropPredDataset"),
}
_PROCESSED = "geometric_data_processed.pt"


def load_ogb(name: str, root: str | Path, *, undirected: bool = False) -> InMemoryDataset:
    """Load a set of the Open Graph Benchmark from ``root/ogbn_arxiv`` and the like, or download it.

    Raw files that are already there are used without any network. Beside OGB's ``raw`` and ``split`` folders the file
    ``RELEASE_v1.txt`` must be there, as OGB's own archives have it.

    Args:
        name: OGB's name, such as ``ogbn-arxiv``, ``ogbl-collab`` or ``ogbg-molhiv``; one graph type per set.
        root: The folder of the OGB sets, ``$GRAPHCL_HOME/ogb`` for :func:`graphcl.data.load`.
        undirected: Of a node set, whether each edge gets its reverse, as nearly all published scores on ``ogbn-arxiv``
            have it. Its card says so to :func:`graphcl.data.load`.

    Returns:
        A data set with OGB's split as its attribute ``split``, a dictionary with ``train``, ``valid`` and ``test``,
        each positions of nodes or graphs, or for link sets a dictionary with ``edge``, ``edge_neg`` and so on. On node
        sets the graph carries the split as ``train_mask``, ``val_mask`` and ``test_mask`` too, and a single task's
        ``y`` is flat. Edges are as OGB gives them unless they are to be undirected: ``ogbn-arxiv`` is directed.

    Raises:
        ValueError: If edges are to get their reverses that belong to no node set.
        DataError: If the name is unknown or heterogeneous, files are missing or damaged, the download fails or the
            folder cannot be written.

    Source: Hu et al., Open Graph Benchmark: Datasets for Machine Learning on Graphs, NeurIPS 2020.
    """
    cls, facts = _class_and_facts(name)
    if undirected and not name.startswith("ogbn"):
        raise ValueError(f"expected undirected=True for a node set, ogbn-..., got {name}")
    root = Path(root)
    folder = root / name.replace("-", "_")
    if folder.with_name(f"{folder.name}_pyg").is_dir():  # OGB prefers it
        folder = folder.with_name(f"{folder.name}_pyg")
    try:
        with no_empty_folders(root):
            if not folder.exists():
                _download(name, facts, folder)
            _check_release(name, facts, folder)
            with also_safe(_harmless()), contextlib.redirect_stdout(io.StringIO()):
                dataset = _read(cls, name, root, folder)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read or written ({error}): complete its files or mend its permissions, or choose "
            f"another folder with --root or $GRAPHCL_HOME."
        ) from error
    return _with_reverses(dataset) if undirected else dataset


def facts_of(name: str) -> Mapping[str, str]:
    """What OGB's own table says about one of its sets: version, address, task, metric and so on.

    Raises:
        DataError: If OGB has no such set.

    Example:
        >>> facts_of("ogbg-molpcba")["eval metric"]
        'ap'
    """
    part, _ = _KINDS.get(name.split("-")[0], ("", ""))
    if not part:
        raise DataError(f"expected a name that begins with ogbn-, ogbl- or ogbg-, got {name!r}.")
    with (Path(import_ogb(part).__file__).parent / "master.csv").open(newline="") as file:
        rows = {row[""]: row for row in csv.DictReader(file)}  # one row per fact, one column per set
    if name not in rows["version"]:
        raise DataError(f"OGB has no set {name!r}: expected one of {', '.join(sorted(set(rows['version']) - {''}))}.")
    return {fact: row[name] for fact, row in rows.items()}


def _class_and_facts(name: str) -> tuple[type[InMemoryDataset], Mapping[str, str]]:
    """OGB's class for a data set, and its row in OGB's table of sets."""
    facts = facts_of(name)
    if facts.get("is hetero") == "True":
        raise DataError(f"{name} has several types of nodes or edges: expected a set with one of each.")
    part, class_name = _KINDS[name.split("-")[0]]
    return getattr(import_ogb(part), class_name), facts


def import_ogb(part: str) -> Any:
    """The part of OGB, imported with its look-out for newer versions (a thread on the network) put to sleep."""
    missing = object()
    before = sys.modules.get("outdated", missing)
    sys.modules["outdated"] = None  # type: ignore[assignment]
    try:
        return import_module(f"ogb.{part}")
    finally:
        if before is missing:
            del sys.modules["outdated"]
        else:
            sys.modules["outdated"] = before  # type: ignore[assignment]


def _check_release(name: str, facts: Mapping[str, str], folder: Path) -> None:
    """Refuse what would make OGB ask on the terminal, or download over the user's files."""
    release = folder / f"RELEASE_v{facts['version']}.txt"
    if not release.is_file():
        raise DataError(
            f"{folder} lacks {release.name}, by which OGB tells its releases apart. If the files in it are of that "
            f"release, make the file (it may be empty); otherwise remove {folder} and load {name} again."
        )
    for part in ("raw", "split"):
        if not (folder / part).is_dir():
            raise DataError(f"{folder} lacks the folder {part!r}: copy it there, out of {facts['url']}.")


def _download(name: str, facts: Mapping[str, str], folder: Path) -> None:
    """Fetch and unpack OGB's archive, in one step as far as the final folder is concerned."""
    from torch_geometric.data import download_url, extract_zip

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as scratch:
        try:
            extract_zip(download_url(facts["url"], scratch), scratch, log=False)
            shutil.move(Path(scratch) / facts["download_name"], folder)
        # Network and archive each fail in ways of their own.
        except Exception as error:
            raise DataError(
                f"{name} is not in {folder} and could not be downloaded ({type(error).__name__}: {error}). Without a "
                f"network, unpack {facts['url']} elsewhere and copy its folder {facts['download_name']!r} to {folder}."
            ) from error


def _harmless() -> list[Any]:
    """What OGB's processed files and splits hold beside tensors: PyG's storages, NumPy's arrays and numbers."""
    makers = {"_reconstruct": np.empty(0).__reduce__()[0], "scalar": np.int64(0).__reduce__()[0]}
    arrays = [np.ndarray, np.dtype, *(type(np.dtype(code)) for code in ("i4", "i8", "f4", "f8", "bool"))]
    # NumPy 2 moved the functions; files from either side of the move are about.
    names = [(make, f"numpy.{core}.multiarray.{name}") for name, make in makers.items() for core in ("core", "_core")]
    return [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage, *arrays, *names]


def _read(cls: type[InMemoryDataset], name: str, root: Path, folder: Path) -> InMemoryDataset:
    offline = type(cls.__name__, (cls,), {"download": _refuse})  # its own download asks before it fetches
    loader: Any = guarded(offline, hint=f"copy OGB's files to {folder}")
    try:
        processed = folder / "processed"
        with remade_if_older(processed / _PROCESSED), contextlib.redirect_stderr(io.StringIO()):  # progress bars
            check_processed(processed, _PROCESSED)
            dataset: Any = loader(name, root=str(root))
    except (RuntimeError, ValueError, KeyError, AttributeError, AssertionError) as error:
        raise damaged(folder / "processed" / _PROCESSED, str(error)) from error
    try:
        with warnings.catch_warnings():  # pandas lends its columns to be read only, which OGB makes tensors of
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            split = dataset.get_edge_split() if name.startswith("ogbl") else dataset.get_idx_split()
    except OSError:
        raise
    except Exception as error:  # csv, gzip, torch: each has its own errors for a damaged file
        raise DataError(f"{folder / 'split'} cannot be read ({type(error).__name__}: {error}).") from error
    split = {part: _tensors(split[part]) for part in ("train", "valid", "test")}
    if name.startswith("ogbg"):
        dataset.split = split
        dataset.__class__ = cls  # OGB's own again, which can be pickled, as workers want it
        return dataset
    data = dataset[0]
    if name.startswith("ogbn"):
        _put_masks(data, split)
    result: Any = ListDataset([data], name=name)
    result.split = split
    return result


def _refuse(dataset: Any) -> None:
    raise FileNotFoundError("the raw files are missing")


def _tensors(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _tensors(value) for key, value in part.items()}
    return torch.from_numpy(part) if isinstance(part, np.ndarray) else part


def _with_reverses(dataset: Any) -> InMemoryDataset:
    from torch_geometric.transforms import ToUndirected

    # The mean: a sum would double what the edges have in sets whose edges have their reverses already.
    result: Any = ListDataset([ToUndirected(reduce="mean")(dataset[0])], name=dataset.name)
    result.split = dataset.split
    return result


def _put_masks(data: Data, split: Mapping[str, torch.Tensor]) -> None:
    if data.y is not None and data.y.dim() == 2 and data.y.size(1) == 1:
        data.y = data.y.flatten()
    for part, key in (("train", "train_mask"), ("valid", "val_mask"), ("test", "test_mask")):
        data[key] = index_to_mask(split[part], size=data.num_nodes)
