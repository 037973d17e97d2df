"""Data: cards, loading, packed batches, and sets that the package makes itself.

>>> from graphcl.data import load
>>> load("karate")
karate(1)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Eager, although light: each of these functions has the name of its module, and importing a submodule binds its name
# here. Bound now, the functions stay.
from graphcl.data.add import add
from graphcl.data.cards import Card, Published, card, cards
from graphcl.data.home import home
from graphcl.data.load import load

if TYPE_CHECKING:
    from graphcl.data.circles import synthetic_circles
    from graphcl.data.clusters import ClusterBatches, partition
    from graphcl.data.corpus import load_molecules
    from graphcl.data.descriptors import with_vectors
    from graphcl.data.features import with_features
    from graphcl.data.labelled import add_labelled
    from graphcl.data.lists import ListDataset
    from graphcl.data.marks import with_marks
    from graphcl.data.memmap import FetchRows, MappedRows, write_rows
    from graphcl.data.molecule_set import MoleculeDataset
    from graphcl.data.moleculenet import load_moleculenet
    from graphcl.data.molecules import synthetic_molecules
    from graphcl.data.neighbours import NeighbourSampler, neighbour_sampler
    from graphcl.data.ogb import load_ogb
    from graphcl.data.ogb_molecules import load_ogb_molecules
    from graphcl.data.overlap import Overlap, inchikeys, without_overlap
    from graphcl.data.packed import PackedDataset, shuffled
    from graphcl.data.power_law import power_law_graph
    from graphcl.data.pyg import load_pyg
    from graphcl.data.scaffold import scaffold_groups, scaffold_split, split_digest
    from graphcl.data.smiles import from_smiles, from_smiles_list
    from graphcl.data.social import karate_club, synthetic_social
    from graphcl.data.tables import read_molecules
    from graphcl.data.tu import load_tu
    from graphcl.data.walks import RandomWalkBatches

__all__ = [
    "Card",
    "ClusterBatches",
    "FetchRows",
    "ListDataset",
    "MappedRows",
    "MoleculeDataset",
    "NeighbourSampler",
    "Overlap",
    "PackedDataset",
    "Published",
    "RandomWalkBatches",
    "add",
    "add_labelled",
    "card",
    "cards",
    "from_smiles",
    "from_smiles_list",
    "home",
    "inchikeys",
    "karate_club",
    "load",
    "load_moleculenet",
    "load_molecules",
    "load_ogb",
    "load_ogb_molecules",
    "load_pyg",
    "load_tu",
    "neighbour_sampler",
    "partition",
    "power_law_graph",
    "read_molecules",
    "scaffold_groups",
    "scaffold_split",
    "shuffled",
    "split_digest",
    "synthetic_circles",
    "synthetic_molecules",
    "synthetic_social",
    "with_features",
    "with_marks",
    "with_vectors",
    "without_overlap",
    "write_rows",
]

# Imported at first use, because they import torch_geometric's data sets or networkx.
_LAZY = {
    "ClusterBatches": "clusters",
    "FetchRows": "memmap",
    "ListDataset": "lists",
    "MappedRows": "memmap",
    "Overlap": "overlap",
    "NeighbourSampler": "neighbours",
    "PackedDataset": "packed",
    "RandomWalkBatches": "walks",
    "MoleculeDataset": "molecule_set",
    "add_labelled": "labelled",
    "from_smiles": "smiles",
    "from_smiles_list": "smiles",
    "inchikeys": "overlap",
    "karate_club": "social",
    "load_moleculenet": "moleculenet",
    "load_molecules": "corpus",
    "load_ogb": "ogb",
    "load_ogb_molecules": "ogb_molecules",
    "load_pyg": "pyg",
    "load_tu": "tu",
    "neighbour_sampler": "neighbours",
    "partition": "clusters",
    "power_law_graph": "power_law",
    "read_molecules": "tables",
    "scaffold_groups": "scaffold",
    "scaffold_split": "scaffold",
    "shuffled": "packed",
    "split_digest": "scaffold",
    "synthetic_circles": "circles",
    "synthetic_molecules": "molecules",
    "synthetic_social": "social",
    "with_features": "features",
    "with_marks": "marks",
    "with_vectors": "descriptors",
    "without_overlap": "overlap",
    "write_rows": "memmap",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
