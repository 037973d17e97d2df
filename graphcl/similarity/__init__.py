"""Similarities over all pairs: the engine under every contrastive loss. It knows nothing of graphs."""

from graphcl.similarity.engine import logsumexp

__all__ = ["logsumexp"]
