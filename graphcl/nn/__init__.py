"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn.ema import EMATarget
from graphcl.nn.embeddings import Embeddings, GraphEncoder, split_batch
from graphcl.nn.encoders import GIN, JointEncoder
from graphcl.nn.heads import project_views, projection_head
from graphcl.nn.norm import BatchNorm
from graphcl.nn.readouts import Readout, max_readout, mean_readout, sum_readout
from graphcl.nn.sparse import SparseSum

__all__ = [
    "EMATarget",
    "GIN",
    "BatchNorm",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "Readout",
    "SparseSum",
    "max_readout",
    "mean_readout",
    "project_views",
    "projection_head",
    "split_batch",
    "sum_readout",
]
