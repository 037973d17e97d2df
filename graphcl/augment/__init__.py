"""Augmentations: from a graph, or a batch of graphs, to a view of it.

Each is a PyG transform with keyed randomness (see :class:`Augmentation`) that works on the whole batch at once.
"""

from graphcl.augment.base import Augmentation, EditAugmentation
from graphcl.augment.compose import Compose, Identity, RandomApply, RandomChoice, Views
from graphcl.augment.edges import EdgeDrop, EdgePerturb
from graphcl.augment.feature_mask import FeatureDropout, FeatureMask
from graphcl.augment.feature_noise import FeatureNoise, FeatureScale
from graphcl.augment.feature_shuffle import FeatureShuffle
from graphcl.augment.hetero import HeteroAugmentation, HeteroEdgeDrop, HeteroFeatureMask, HeteroNodeDrop
from graphcl.augment.nodes import NodeDrop, NodeMask
from graphcl.augment.subgraph import RandomWalkSubgraph

__all__ = [
    "Augmentation",
    "Compose",
    "EdgeDrop",
    "EdgePerturb",
    "EditAugmentation",
    "FeatureDropout",
    "FeatureMask",
    "FeatureNoise",
    "FeatureScale",
    "FeatureShuffle",
    "HeteroAugmentation",
    "HeteroEdgeDrop",
    "HeteroFeatureMask",
    "HeteroNodeDrop",
    "Identity",
    "NodeDrop",
    "NodeMask",
    "RandomApply",
    "RandomChoice",
    "RandomWalkSubgraph",
    "Views",
]
