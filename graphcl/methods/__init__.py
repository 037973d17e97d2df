"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.grace import GRACE, edge_and_feature_drop, elu_head
from graphcl.methods.graphcl import GraphCL, random4
from graphcl.methods.nodes import NodeViewMethod, shared_nodes

__all__ = [
    "GRACE",
    "GraphCL",
    "Method",
    "NodeViewMethod",
    "ViewMethod",
    "edge_and_feature_drop",
    "elu_head",
    "random4",
    "shared_nodes",
]
