"""One function for every data set: a name goes in, a checked PyTorch Geometric data set comes out."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from graphcl._vocabulary import table
from graphcl.data.cards import COUNTS, Card, card
from graphcl.data.home import home
from graphcl.errors import DataError

if TYPE_CHECKING:
    from torch_geometric.data import Data, InMemoryDataset

__all__ = ["is_molecules", "load", "load_raw", "measure"]

# The functions that make embedded sets, and their modules: imported at use, because one of them needs networkx.
EMBEDDED = {
    "synthetic_molecules": "molecules",
    "synthetic_circles": "circles",
    "synthetic_social": "social",
    "karate_club": "social",
}


def load(
    name: str, *, root: str | Path | None = None, features: str | None = None, vocab: str | None = None
) -> "InMemoryDataset":
    """Load a data set by name and check that it is what its card says.

    Args:
        name: A card's name: ``graphcl datasets list`` shows them.
        root: The data folder (:func:`graphcl.data.home` says which one if None). Embedded sets need none.
        features: ``original``, ``normalized``, ``constant``, ``degree`` or ``degree-onehot``
            (:func:`graphcl.data.with_features`), or, for sets of the TU collection, ``attributes``: the numeric node
            attributes before the set's own features. None takes the card's choice for a set without node features, and
            the set's own features otherwise.
        vocab: For sets of molecules, the index table of atoms and bonds (:func:`graphcl.data.from_smiles`): ``ogb``
            unless given, which is the only one that OGB's own sets have.

    Returns:
        A packed data set that knows its ``name``; ``x`` is float32. A set of molecules is a
        :class:`graphcl.data.MoleculeDataset`, whose ``x`` and ``edge_attr`` are indices.

    Raises:
        DataError: If the name is unknown, files are missing or damaged, a graph has no nodes, the counts differ from
            the card, or the set has no features and neither caller nor card chose some.
        ValueError: If ``features`` is none of the choices, or one that the set cannot have.

    Example:
        >>> karate = load("karate")
        >>> karate.name, karate[0].num_nodes
        ('karate', 34)
    """
    from graphcl.data.features import with_features

    entry = card(name, root=root)
    if vocab is not None and not is_molecules(entry):
        raise ValueError(f"expected vocab for a set of molecules alone, got vocab={vocab!r} for {name}")
    chosen = features if features is not None else entry.features
    attributes = chosen == "attributes"
    if attributes and entry.loader != "tu":
        raise ValueError(f"expected features='attributes' on a set of the TU collection, got {name} ({entry.loader})")
    dataset = load_raw(entry, home(root), vocab=vocab, attributes=attributes)
    counts, expected = measure(dataset), dict(entry.counts)
    if attributes:  # the card's width is that without them
        counts["features"] -= _attributes_of(dataset, home(root))
    if vocab is not None:  # the card's widths are those of OGB's table
        expected |= {"features": len(table(vocab).atom), "edge_features": len(table(vocab).bond)}
    known = [key for key in COUNTS if key in expected]
    wrong = [f"{counts[key]} {key} (expected {expected[key]})" for key in known if counts[key] != expected[key]]
    if wrong:
        message = f"{name} is not what its card {entry.path} says: got {', '.join(wrong)}."
        if entry.loader != "embedded":
            place = home(root) / "TU" / name / "raw" if entry.loader == "tu" else home(root)
            message += (
                f" The raw files in {place} are of another edition or incomplete, or the "
                f"processed file beside them is stale: mend the former or delete the latter, and load again."
            )
        if entry.loader == "moleculenet":
            message += " Or RDKit, which says what is a molecule, is older than 2025.3.6: pip install -U rdkit."
        raise DataError(message)
    if is_molecules(entry):
        if features not in (None, "original"):
            raise ValueError(
                f"expected {name} with its own features, indices of atoms, got features={features!r}; for the bare "
                f"structure choose features on a copy of another class"
            )
        return dataset
    return with_features(dataset, "original" if attributes else chosen)


def _attributes_of(dataset: "InMemoryDataset", root: Path) -> int:
    """How many columns of the features of a TU set are its attributes."""
    count = int(dataset.num_node_attributes)
    if not count:
        raise DataError(
            f"{dataset.name} has no node attributes, no {dataset.name}_node_attributes.txt in "
            f"{root / 'TU' / dataset.name / 'raw'}: choose other features."
        )
    return count


def load_raw(entry: Card, root: Path, *, vocab: str | None = None, attributes: bool = False) -> "InMemoryDataset":
    """Load what a card's loader gives: no counts compared, no features chosen; only that every graph has nodes.

    Args:
        entry: The card.
        root: The data folder.
        vocab: For sets of molecules, the index table.
        attributes: For TU sets, whether the features are to hold the node attributes.

    Raises:
        DataError: If the loader fails or a graph has no nodes.
    """
    from graphcl.data.features import node_offsets

    if entry.loader == "tu":
        from graphcl.data.tu import load_tu

        dataset: InMemoryDataset = load_tu(entry.name, root, attributes=attributes)
    elif entry.loader == "pyg":
        dataset = _from_pyg(entry, root)
    elif entry.loader == "moleculenet":
        from graphcl.data.moleculenet import load_moleculenet

        dataset = load_moleculenet(entry.name, root, vocab=vocab or "ogb")
    elif entry.loader == "labelled":
        from graphcl.data.labelled import load_labelled

        dataset = load_labelled(entry, root, vocab=vocab or "ogb")
    elif is_molecules(entry):
        from graphcl.data.ogb_molecules import load_ogb_molecules

        if vocab not in (None, "ogb"):
            raise ValueError(f"expected vocab='ogb' for {entry.name}, whose graphs are OGB's own, got {vocab!r}")
        dataset = load_ogb_molecules(entry.name, root / "ogb")
    elif entry.loader == "ogb":
        from graphcl.data.ogb import load_ogb

        dataset = load_ogb(entry.name, root / "ogb", undirected=bool(entry.arguments.get("undirected")))
    else:
        from graphcl.data.lists import ListDataset

        dataset = ListDataset(_embedded(entry), name=entry.name)
    sizes = node_offsets(dataset).diff()
    if (sizes < 1).any():
        index = int((sizes < 1).nonzero()[0])
        raise DataError(f"{entry.name}: the graph with index {index} has no nodes. Remove it from the data set.")
    return dataset


def measure(dataset: "InMemoryDataset") -> dict[str, int]:
    """Count what a card asserts: totals of graphs, nodes and directed edges, widths of features, number of classes."""
    data = dataset._data
    y = data.y
    if y is not None and y.is_floating_point():  # several tasks with gaps are 0, 1 and NaN
        known = y[~y.isnan()].unique()
        y = known if y.dim() == 2 and known.numel() == 2 and known.tolist() == [0.0, 1.0] else None
    classes = 0 if y is None else int(y.unique().numel())
    return {
        "graphs": len(dataset),
        "nodes": int(data.num_nodes),
        "edges": int(data.num_edges),
        "features": int(data.num_node_features),
        "edge_features": int(data.num_edge_features),
        "classes": classes,
    }


def is_molecules(entry: Card) -> bool:
    """Whether a card is that of a set of molecules, whose features are indices.

    Example:
        >>> is_molecules(card("BBBP")), is_molecules(card("MUTAG"))
        (True, False)
    """
    return entry.loader in ("moleculenet", "labelled") or (entry.loader == "ogb" and entry.name.startswith("ogbg-mol"))


def _from_pyg(entry: Card, root: Path) -> "InMemoryDataset":
    """Load a set of PyTorch Geometric under the card's name."""
    from graphcl.data.pyg import load_pyg

    arguments = dict(entry.arguments)
    collection, name = arguments.pop("collection", ""), arguments.pop("name", "")
    if arguments or not isinstance(collection, str) or not isinstance(name, str):
        raise DataError(f"{entry.path}, key 'arguments': expected collection and name, got {dict(entry.arguments)}.")
    dataset = load_pyg(collection, name, root)
    dataset.name = entry.name
    return dataset


def _embedded(entry: Card) -> "list[Data]":
    """Make an embedded set with the function that the card names."""
    arguments = dict(entry.arguments)
    function = arguments.pop("function", None)
    if function not in EMBEDDED:
        raise DataError(
            f"{entry.path}, key 'arguments.function': expected one of {', '.join(EMBEDDED)}, got {function!r}."
        )
    make = getattr(import_module(f"graphcl.data.{EMBEDDED[function]}"), function)
    try:
        made = make(**arguments)
    except (TypeError, ValueError) as error:
        raise DataError(f"{entry.path}, key 'arguments': {error}.") from error
    return made if isinstance(made, list) else [made]
