"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn.embeddings import Embeddings, GraphEncoder, split_batch
from graphcl.nn.encoders import GIN, JointEncoder
from graphcl.nn.gat import GAT
from graphcl.nn.gcn import GCN, normalised_adjacency
from graphcl.nn.heads import project_views, projection_head
from graphcl.nn.norm import BatchNorm
from graphcl.nn.prelu import PReLU
from graphcl.nn.readouts import Readout, max_readout, mean_readout, sum_readout
from graphcl.nn.sage import SAGE, mean_adjacency
from graphcl.nn.sparse import SparseSum
from graphcl.nn.weighted import Pattern, SparseMatrix

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "SAGE",
    "BatchNorm",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "PReLU",
    "Pattern",
    "Readout",
    "SparseMatrix",
    "SparseSum",
    "max_readout",
    "mean_adjacency",
    "mean_readout",
    "normalised_adjacency",
    "project_views",
    "projection_head",
    "split_batch",
    "sum_readout",
]
