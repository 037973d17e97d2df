"""Augmentations: from a graph, or a batch of graphs, to a view of it.

Each is a PyG transform with keyed randomness (see :class:`Augmentation`) that works on the whole batch at once.
"""

from graphcl.augment.base import Augmentation, EditAugmentation
from graphcl.augment.compose import Compose, Identity, RandomChoice
from graphcl.augment.diffusion import HeatDiffusion, PPRDiffusion
from graphcl.augment.edges import EdgeDrop, EdgePerturb
from graphcl.augment.nodes import NodeDrop, NodeMask
from graphcl.augment.subgraph import RandomWalkSubgraph

__all__ = [
    "Augmentation",
    "Compose",
    "EdgeDrop",
    "EdgePerturb",
    "EditAugmentation",
    "HeatDiffusion",
    "Identity",
    "NodeDrop",
    "NodeMask",
    "PPRDiffusion",
    "RandomChoice",
    "RandomWalkSubgraph",
]
