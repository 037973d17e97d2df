"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.bgrl import BGRL, prelu_predictor
from graphcl.methods.cca_ssg import CCASSG
from graphcl.methods.dgi import DGI, Discriminator
from graphcl.methods.gbt import GBT
from graphcl.methods.gca import GCA, adaptive_drop
from graphcl.methods.ggd import GGD
from graphcl.methods.grace import GRACE, edge_and_feature_drop, elu_head
from graphcl.methods.graphcl import GraphCL, random4
from graphcl.methods.mvgrl import MVGRL
from graphcl.methods.nodes import NodeMethod, NodeViewMethod, shared_nodes

__all__ = [
    "BGRL",
    "CCASSG",
    "DGI",
    "Discriminator",
    "GBT",
    "GCA",
    "GGD",
    "GRACE",
    "GraphCL",
    "MVGRL",
    "Method",
    "NodeMethod",
    "NodeViewMethod",
    "ViewMethod",
    "adaptive_drop",
    "edge_and_feature_drop",
    "elu_head",
    "prelu_predictor",
    "random4",
    "shared_nodes",
]
