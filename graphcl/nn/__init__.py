"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn.embeddings import Embeddings, GraphEncoder, split_batch
from graphcl.nn.encoders import GIN, JointEncoder
from graphcl.nn.heads import project_views, projection_head
from graphcl.nn.inference import Layers, embed_layerwise, layers_of
from graphcl.nn.norm import BatchNorm
from graphcl.nn.readouts import Readout, max_readout, mean_readout, sum_readout
from graphcl.nn.sparse import SparseSum

__all__ = [
    "GIN",
    "BatchNorm",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "Layers",
    "Readout",
    "SparseSum",
    "embed_layerwise",
    "layers_of",
    "max_readout",
    "mean_readout",
    "project_views",
    "projection_head",
    "split_batch",
    "sum_readout",
]
