"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.graphcl import GraphCL, random4

__all__ = ["GraphCL", "Method", "ViewMethod", "random4"]
