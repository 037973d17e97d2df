"""The ground truth: the whole matrix of similarities, masked and reduced."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

__all__ = ["barred_pairs", "logsumexp_dense", "scores_dense"]

Groups = tuple[Tensor, Tensor]


def barred_pairs(
    query: Tensor, key: Tensor, exclude: Sequence[Groups], only: Groups | None, skip: Tensor | None
) -> Tensor:
    """``[M, N]`` true where query i and key j are not compared."""
    lists = [query_group[:, None] == key_group for query_group, key_group in exclude]
    if only is not None:
        lists.append(only[0][:, None] != only[1])
    if not lists:
        lists.append(torch.zeros(query.size(0), key.size(0), dtype=torch.bool, device=query.device))
    barred = reduce(torch.logical_or, lists)  # not in place, which torch.func.vmap over groups refuses
    if skip is not None:
        barred = barred.index_put((skip[0], skip[1]), barred.new_ones(()))
    return barred


def scores_dense(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    query_bias: Tensor | None = None,
    key_bias: Tensor | None = None,
) -> Tensor:
    """``[M, N]`` exponents: scaled dot products, plus one number for each query and one for each key."""
    scores = (scale * query) @ key.T
    if query_bias is not None:
        scores = scores + query_bias[:, None]
    return scores if key_bias is None else scores + key_bias


def logsumexp_dense(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    barred: Tensor,
    query_bias: Tensor | None = None,
    key_bias: Tensor | None = None,
    dims: Sequence[int] = (1,),
) -> list[Tensor]:
    """Log-sum-exp over the pairs of each query that are not barred; -inf, with zero gradient, where there is none.

    One result for each of ``dims``, from one matrix: 1 sums over the keys of each query, 0 over the queries of each
    key.
    """
    scores = scores_dense(query, key, scale, query_bias, key_bias)
    # The fill is also what gives rows without a key a gradient of zero: that of logsumexp itself is NaN there.
    scores = scores.masked_fill(barred, -torch.inf)
    return [torch.logsumexp(scores, dim) for dim in dims]
