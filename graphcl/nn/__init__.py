"""Encoders, readouts and heads. Any PyG model can take the encoder's place."""

from graphcl.nn.ema import EMATarget
from graphcl.nn.embeddings import Embeddings, GraphEncoder, split_batch
from graphcl.nn.encoders import GIN, JointEncoder
from graphcl.nn.heads import MLPHead, ShortcutHead, project_views, projection_head
from graphcl.nn.norm import BatchNorm
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
    sum_readout,
)
from graphcl.nn.sparse import SparseSum

__all__ = [
    "EMATarget",
    "GIN",
    "BatchNorm",
    "Embeddings",
    "GraphEncoder",
    "JointEncoder",
    "KeyQueue",
    "MLPHead",
    "Prototypes",
    "AttentionReadout",
    "ConcatReadout",
    "Readout",
    "ReadoutModule",
    "Set2SetReadout",
    "ShortcutHead",
    "SparseSum",
    "kmeans",
    "max_readout",
    "mean_readout",
    "project_views",
    "projection_head",
    "split_batch",
    "sum_readout",
]
