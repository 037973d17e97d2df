"""Similarities over all pairs: the engine under every contrastive loss. It knows nothing of graphs."""

from graphcl.similarity import ranks
from graphcl.similarity.engine import logsumexp, logsumexp_both
from graphcl.similarity.explain import Choice, explain
from graphcl.similarity.pairwise import pairwise
from graphcl.similarity.topk import topk
from graphcl.similarity.using import using

__all__ = ["Choice", "explain", "logsumexp", "logsumexp_both", "pairwise", "ranks", "topk", "using"]
