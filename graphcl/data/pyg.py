"""Node-level benchmark sets, through PyTorch Geometric's own readers and with the checks that they lack."""

import pickletools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch_geometric.data import Data

from graphcl.data._guard import check_processed, damaged, guarded, remade_if_older
from graphcl.data.home import no_empty_folders
from graphcl.data.lists import ListDataset
from graphcl.errors import DataError

__all__ = ["COLLECTIONS", "Collection", "load_pyg"]


class Collection(NamedTuple):
    """A class of ``torch_geometric.datasets`` and where its files lie.

    Args:
        folder: Below the data folder.
        names: The sets of the collection and the folder of each below ``folder``; one empty name if there is one set.
        arguments: What is passed to the class beside root and name.
        processed: The name of the processed file.
    """

    folder: str
    names: Mapping[str, str]
    arguments: Mapping[str, Any] = {}
    processed: str = "data.pt"


COLLECTIONS: Mapping[str, Collection] = {
    "Planetoid": Collection("Planetoid", {name: name for name in ("Cora", "CiteSeer", "PubMed")}),
    "CitationFull": Collection("CitationFull", {"Cora_ML": "cora_ml", "DBLP": "dblp"}, processed="data_undirected.pt"),
    "HeterophilousGraphDataset": Collection(
        "Heterophilous",
        {
            name: name.lower().replace("-", "_")
            for name in ("Roman-empire", "Amazon-ratings", "Minesweeper", "Tolokers", "Questions")
        },
    ),
    # Geom-GCN's edition, which is that of PyG's default and has classes and splits.
    "WikipediaNetwork": Collection(
        "WikipediaNetwork", {name: f"{name}/geom_gcn" for name in ("chameleon", "squirrel")}
    ),
    "Actor": Collection("Actor", {"": ""}),
    "WebKB": Collection("WebKB", {name: name.lower() for name in ("Cornell", "Texas", "Wisconsin")}),
    # Left unsaid, `is_undirected` makes PyG warn of the default, which is this one.
    "WikiCS": Collection("WikiCS", {"": ""}, {"is_undirected": True}, "data_undirected.pt"),
    "Amazon": Collection("Amazon", {name: name for name in ("Computers", "Photo")}),
    "Coauthor": Collection("Coauthor", {name: name for name in ("CS", "Physics")}),
}

# All that pickled matrices, arrays and adjacency lists need, under the names of then and of now.
_PICKLED = {
    "__builtin__ list",
    "builtins list",
    "_codecs encode",  # how Python 3 writes bytes for Python 2
    "collections defaultdict",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "scipy.sparse.csr csr_matrix",
    "scipy.sparse._csr csr_matrix",
}

# Other ways to name something to call; files as old as these use none of them.
_CALLING = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}


def load_pyg(collection: str, name: str, root: str | Path) -> ListDataset:
    """Load a node-level set of PyTorch Geometric from ``root``, or by its own download.

    Raw files that are already there are used without any network, in PyG's layout: ``Planetoid/Cora/raw``,
    ``CitationFull/cora_ml/raw``, ``Heterophilous/minesweeper/raw``, ``WikipediaNetwork/chameleon/geom_gcn/raw``,
    ``Actor/raw``, ``WebKB/cornell/raw``, ``WikiCS/raw``, ``Amazon/Computers/raw``, ``Coauthor/CS/raw``. The processed
    file is written in one step. The files of Planetoid are pickles: before PyG reads them for the first time they are
    searched, without running them, for anything but arrays, sparse matrices and lists.

    Args:
        collection: The name of the class in ``torch_geometric.datasets``, one of ``COLLECTIONS``.
        name: The set in it; empty for ``Actor`` and ``WikiCS``, which hold one.
        root: The data folder (:func:`graphcl.data.home`).

    Returns:
        A data set of one graph, with ``train_mask``, ``val_mask``, ``test_mask`` [nodes] or [nodes, splits] where the
        collection has them.

    Raises:
        DataError: If the name is unknown, files are missing, damaged or unsafe, the download fails or the folder
            cannot be written.
    """
    kind, name = _checked(collection, name)
    root = Path(root)
    base = root / kind.folder
    folder = base / kind.names[name]
    raw, processed = folder / "raw", folder / "processed"
    inner = [place for place in (folder, *folder.parents) if place.is_relative_to(root)]
    try:
        with remade_if_older(processed / kind.processed), no_empty_folders(processed, raw, *inner):
            check_processed(processed, kind.processed)
            data = _read(collection, kind, name, base, processed)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read or written ({error}): mend its permissions, or choose another folder with "
            f"--root or $GRAPHCL_HOME."
        ) from error
    return ListDataset([data], name=name or collection)


def _checked(collection: str, name: str) -> tuple[Collection, str]:
    if collection not in COLLECTIONS:
        raise DataError(f"expected a collection out of {', '.join(COLLECTIONS)}, got {collection!r}.")
    kind = COLLECTIONS[collection]
    if name not in kind.names:
        known = ", ".join(kind.names) if "" not in kind.names else "no name, as it is one set"
        raise DataError(f"expected a set of {collection} ({known}), got {name!r}.")
    return kind, name


def _read(collection: str, kind: Collection, name: str, base: Path, processed: Path) -> Data:
    from torch_geometric import datasets

    hint = f"put the raw files of PyTorch Geometric's {collection} in {processed.parent / 'raw'}"
    check = _check_pickles if collection == "Planetoid" else _nothing_to_check
    cls = guarded(getattr(datasets, collection), hint=hint, check=check)
    if not name:
        cls.name = collection
    arguments: dict[str, Any] = {"name": name} if name else {}
    try:
        data = cls(str(base), **arguments, **kind.arguments)[0]
    except (RuntimeError, ValueError, KeyError, AttributeError, AssertionError) as error:
        raise damaged(processed / kind.processed, str(error)) from error
    if not isinstance(data, Data) or data.x is None or data.y is None:
        raise damaged(processed / kind.processed, "it holds no graph with features and labels")
    return data


def _nothing_to_check(raw: Path) -> None:
    """For files of arrays, text or JSON, whose readers run no code."""


def _check_pickles(raw: Path) -> None:
    """Refuse pickled files that name anything but arrays and lists; nothing is executed."""
    for path in sorted(raw.glob("ind.*")):
        if path.name.endswith(".test.index"):
            continue
        try:
            for operation, argument, _ in pickletools.genops(path.read_bytes()):
                if operation.name in _CALLING or (operation.name == "GLOBAL" and argument not in _PICKLED):
                    raise DataError(
                        f"{path} names {argument or operation.name}, and Planetoid's own files nothing but arrays and "
                        f"lists: it could run code. Delete it and take the file from github.com/kimiyoung/planetoid."
                    )
        except (ValueError, UnicodeDecodeError, IndexError, EOFError) as error:
            raise DataError(f"{path} is damaged ({error}): replace it by a whole one.") from error
