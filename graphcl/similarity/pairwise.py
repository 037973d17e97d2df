"""The matrix of similarities itself, for small cases."""

import torch
from jaxtyping import Float
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.similarity._checks import check_query_key
from graphcl.similarity._fold import SIMILARITIES, Similarity, fold
from graphcl.similarity._precision import full_precision
from graphcl.similarity.dense import scores_dense

__all__ = ["pairwise"]


def pairwise(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    *,
    similarity: Similarity = "cosine",
) -> Float[Tensor, "m n"]:
    """The similarity of every query to every key, as one matrix.

    For M x N that fit in memory several times; :func:`graphcl.similarity.logsumexp` and
    :func:`graphcl.similarity.topk` need no such matrix.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``, by default the query itself.
        similarity: ``"cosine"``, ``"dot"`` or ``"euclidean"``, minus the squared distance.

    Returns:
        ``[M, N]``, float32 (float64 for float64 inputs), with gradients.

    Raises:
        ValueError: Shapes or devices do not fit, or the similarity is unknown.
        TypeError: The inputs are not floating point.

    Example:
        >>> pairwise(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]), similarity="euclidean")
        tensor([[ -1., -13.]])
    """
    check_query_key(query, query if key is None else key)
    check_choice("similarity", similarity, SIMILARITIES)
    dtype = torch.promote_types(torch.float32, query.dtype)
    if key is not None:
        dtype = torch.promote_types(dtype, key.dtype)
    with full_precision(query):
        one = torch.ones(1, dtype=dtype, device=query.device)
        folded = fold(query.to(dtype), None if key is None else key.to(dtype), one, similarity)
        keys = folded.query if folded.key is None else folded.key
        biases = [folded.query_bias, folded.query_bias if folded.key is None else folded.key_bias]
        scores = scores_dense(folded.query, keys, folded.scale[0], *(None if b is None else b[0] for b in biases))
        return scores.clamp(max=0) if similarity == "euclidean" else scores
