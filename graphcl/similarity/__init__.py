"""Similarities over all pairs: the engine under every contrastive loss. It knows nothing of graphs."""

from graphcl.similarity.engine import logsumexp, logsumexp_both
from graphcl.similarity.explain import explain

__all__ = ["explain", "logsumexp", "logsumexp_both"]
