"""Augmentations: from a graph, or a batch of graphs, to a view of it.

Each is a PyG transform with keyed randomness (see :class:`Augmentation`) that works on the whole batch at once.
"""

from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.adaptive import AdaptiveEdgeDrop, AdaptiveFeatureMask
from graphcl.augment.adgcl import EdgeDropper
from graphcl.augment.base import Augmentation, EditAugmentation
from graphcl.augment.centralities import centrality
from graphcl.augment.choice import RandomApply, RandomChoice
from graphcl.augment.compose import Compose, Identity
from graphcl.augment.diffusion import HeatDiffusion, PPRDiffusion
from graphcl.augment.edge_add import EdgeAdd
from graphcl.augment.edge_mask import EdgeMask
from graphcl.augment.edge_rewire import EdgeRewire
from graphcl.augment.edges import EdgeDrop, EdgePerturb
from graphcl.augment.ego import EgoSubgraph
from graphcl.augment.feature_mask import FeatureDropout, FeatureMask
from graphcl.augment.feature_noise import FeatureNoise, FeatureScale
from graphcl.augment.feature_shuffle import FeatureShuffle
from graphcl.augment.fragments import BRICSFragment, MarkFragments, MarkFunctionalGroups, MarkScaffold
from graphcl.augment.growth import GrowthSubgraph
from graphcl.augment.hetero import HeteroAugmentation, HeteroEdgeDrop, HeteroFeatureMask, HeteroNodeDrop
from graphcl.augment.joao import JOAO
from graphcl.augment.molecule import AtomDrop, AtomMask, BondDrop, SubgraphRemove
from graphcl.augment.nodes import NodeDrop, NodeMask
from graphcl.augment.pair_index import PairIndex
from graphcl.augment.spectral import SpectralEdgeDrop
from graphcl.augment.star import StarSubgraph
from graphcl.augment.subgraph import RandomWalkSubgraph
from graphcl.augment.views import Views

__all__ = [
    "JOAO",
    "AdaptiveEdgeDrop",
    "AdaptiveFeatureMask",
    "AtomDrop",
    "AtomMask",
    "Augmentation",
    "BRICSFragment",
    "BondDrop",
    "Compose",
    "EdgeAdd",
    "EdgeDrop",
    "EdgeDropper",
    "EdgeMask",
    "EdgePerturb",
    "EdgeRewire",
    "Edit",
    "EditAugmentation",
    "EgoSubgraph",
    "FeatureDropout",
    "FeatureMask",
    "FeatureNoise",
    "FeatureScale",
    "FeatureShuffle",
    "Graph",
    "GrowthSubgraph",
    "HeatDiffusion",
    "HeteroAugmentation",
    "HeteroEdgeDrop",
    "HeteroFeatureMask",
    "HeteroNodeDrop",
    "Identity",
    "MarkFragments",
    "MarkFunctionalGroups",
    "MarkScaffold",
    "NodeDrop",
    "NodeMask",
    "PPRDiffusion",
    "PairIndex",
    "RandomApply",
    "RandomChoice",
    "RandomWalkSubgraph",
    "SpectralEdgeDrop",
    "StarSubgraph",
    "SubgraphRemove",
    "Views",
    "centrality",
]
