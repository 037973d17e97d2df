"""Augmentations: from a graph, or a batch of graphs, to a view of it.

Each is a PyG transform with keyed randomness (see :class:`Augmentation`) that works on the whole batch at once.
"""

from graphcl.augment.base import Augmentation, EditAugmentation
from graphcl.augment.compose import Compose, Identity, RandomChoice
from graphcl.augment.edge_add import EdgeAdd
from graphcl.augment.edge_mask import EdgeMask
from graphcl.augment.edge_rewire import EdgeRewire
from graphcl.augment.edges import EdgeDrop, EdgePerturb
from graphcl.augment.nodes import NodeDrop, NodeMask
from graphcl.augment.pair_index import PairIndex
from graphcl.augment.subgraph import RandomWalkSubgraph

__all__ = [
    "Augmentation",
    "Compose",
    "EdgeAdd",
    "EdgeDrop",
    "EdgeMask",
    "EdgePerturb",
    "EdgeRewire",
    "EditAugmentation",
    "Identity",
    "NodeDrop",
    "NodeMask",
    "PairIndex",
    "RandomChoice",
    "RandomWalkSubgraph",
]
