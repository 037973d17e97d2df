"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn._joining import split_batch
from graphcl.nn.base import EdgeEncoder, JointEncoder
from graphcl.nn.columns import AtomEmbedding, bond_counts
from graphcl.nn.depths import Depth, UnitDepths, depths_of
from graphcl.nn.ema import EMATarget
from graphcl.nn.embeddings import Embeddings, GraphEncoder
from graphcl.nn.gat import GAT
from graphcl.nn.gcn import GCN, normalised_adjacency, weighted_adjacency
from graphcl.nn.gin import GIN
from graphcl.nn.heads import MLPHead, ShortcutHead, project_views, projection_head
from graphcl.nn.inference import Rows, embed_layerwise
from graphcl.nn.layers import Edges, Layers, layers_of
from graphcl.nn.molecule import MoleculeEncoder
from graphcl.nn.norm import BatchNorm
from graphcl.nn.prelu import PReLU
from graphcl.nn.prototypes import Prototypes, kmeans
from graphcl.nn.queue import KeyQueue
from graphcl.nn.readouts import (
    AttentionReadout,
    ConcatReadout,
    Readout,
    ReadoutModule,
    Set2SetReadout,
    max_readout,
    mean_readout,
    root_readout,
    sum_readout,
)
from graphcl.nn.sage import SAGE, mean_adjacency
from graphcl.nn.sparse import SparseSum
from graphcl.nn.subtrees import rooted_subtrees
from graphcl.nn.weighted import Pattern, SparseMatrix

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "SAGE",
    "AtomEmbedding",
    "AttentionReadout",
    "BatchNorm",
    "ConcatReadout",
    "Depth",
    "EMATarget",
    "EdgeEncoder",
    "Edges",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "KeyQueue",
    "Layers",
    "MLPHead",
    "MoleculeEncoder",
    "PReLU",
    "Pattern",
    "Prototypes",
    "Readout",
    "ReadoutModule",
    "Rows",
    "Set2SetReadout",
    "ShortcutHead",
    "SparseMatrix",
    "SparseSum",
    "UnitDepths",
    "bond_counts",
    "depths_of",
    "embed_layerwise",
    "kmeans",
    "layers_of",
    "max_readout",
    "mean_adjacency",
    "mean_readout",
    "normalised_adjacency",
    "project_views",
    "projection_head",
    "root_readout",
    "rooted_subtrees",
    "split_batch",
    "sum_readout",
    "weighted_adjacency",
]
