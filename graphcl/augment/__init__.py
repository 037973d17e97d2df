"""Augmentations: from a graph, or a batch of graphs, to a view of it.

Each is a PyG transform with keyed randomness (see :class:`Augmentation`) that works on the whole batch at once.
"""

from graphcl.augment.adgcl import EdgeDropper
from graphcl.augment.base import Augmentation, EditAugmentation
from graphcl.augment.compose import Compose, Identity, RandomChoice
from graphcl.augment.edges import EdgeDrop, EdgePerturb
from graphcl.augment.fragments import BRICSFragment, MarkFragments, MarkFunctionalGroups, MarkScaffold
from graphcl.augment.joao import JOAO
from graphcl.augment.molecule import AtomDrop, AtomMask, BondDrop, SubgraphRemove
from graphcl.augment.nodes import NodeDrop, NodeMask
from graphcl.augment.subgraph import RandomWalkSubgraph

__all__ = [
    "AtomDrop",
    "AtomMask",
    "Augmentation",
    "BRICSFragment",
    "BondDrop",
    "Compose",
    "EdgeDrop",
    "EdgeDropper",
    "EdgePerturb",
    "EditAugmentation",
    "Identity",
    "JOAO",
    "MarkFragments",
    "MarkFunctionalGroups",
    "MarkScaffold",
    "NodeDrop",
    "NodeMask",
    "RandomChoice",
    "RandomWalkSubgraph",
    "SubgraphRemove",
]
