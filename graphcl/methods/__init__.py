"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.bgrl import BGRL, prelu_predictor
from graphcl.methods.cca_ssg import CCASSG
from graphcl.methods.costa import COSTA, sketch
from graphcl.methods.dgi import DGI, Discriminator
from graphcl.methods.gae import GAE
from graphcl.methods.gbt import GBT
from graphcl.methods.gca import GCA, adaptive_drop
from graphcl.methods.ggd import GGD
from graphcl.methods.grace import GRACE, edge_and_feature_drop, elu_head
from graphcl.methods.graph_mae import GraphMAE, scaled_cosine_error
from graphcl.methods.graphcl import GraphCL, random4
from graphcl.methods.mvgrl import MVGRL
from graphcl.methods.node_sup_con import NodeSupCon
from graphcl.methods.nodes import NodeMethod, NodeViewMethod, shared_nodes
from graphcl.methods.sgrl import SGRL, scattering

__all__ = [
    "BGRL",
    "CCASSG",
    "COSTA",
    "DGI",
    "Discriminator",
    "GAE",
    "GBT",
    "GCA",
    "GGD",
    "GRACE",
    "GraphCL",
    "GraphMAE",
    "MVGRL",
    "Method",
    "NodeMethod",
    "NodeSupCon",
    "NodeViewMethod",
    "SGRL",
    "ViewMethod",
    "adaptive_drop",
    "edge_and_feature_drop",
    "elu_head",
    "prelu_predictor",
    "random4",
    "scaled_cosine_error",
    "scattering",
    "shared_nodes",
    "sketch",
]
