"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn.embeddings import Embeddings, GraphEncoder, split_batch
from graphcl.nn.encoders import GIN, EdgeEncoder, JointEncoder
from graphcl.nn.heads import project_views, projection_head
from graphcl.nn.molecule import AtomEmbedding, MoleculeEncoder, bond_counts
from graphcl.nn.norm import BatchNorm
from graphcl.nn.readouts import Readout, max_readout, mean_readout, sum_readout
from graphcl.nn.sparse import SparseSum

__all__ = [
    "GIN",
    "AtomEmbedding",
    "BatchNorm",
    "EdgeEncoder",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "MoleculeEncoder",
    "Readout",
    "SparseSum",
    "bond_counts",
    "max_readout",
    "mean_readout",
    "project_views",
    "projection_head",
    "split_batch",
    "sum_readout",
]
