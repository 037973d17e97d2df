"""The ground truth: the whole matrix of similarities, masked and reduced."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["barred_pairs", "logsumexp_dense"]

Groups = tuple[Tensor, Tensor]


def barred_pairs(
    query: Tensor, key: Tensor, exclude: Sequence[Groups], only: Groups | None, skip: Tensor | None
) -> Tensor:
    """``[M, N]`` true where query i and key j are not compared."""
    barred = torch.zeros(query.size(0), key.size(0), dtype=torch.bool, device=query.device)
    for query_group, key_group in exclude:
        barred |= query_group[:, None] == key_group
    if only is not None:
        barred |= only[0][:, None] != only[1]
    if skip is not None:
        barred[skip[0], skip[1]] = True
    return barred


def logsumexp_dense(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    exclude: Sequence[Groups],
    only: Groups | None,
    skip: Tensor | None,
) -> Tensor:
    """Log-sum-exp over the keys of each query that are not barred; -inf, with zero gradient, where there is none."""
    scores = (scale * query) @ key.T
    # The fill is also what gives rows without a key a gradient of zero: that of logsumexp itself is NaN there.
    scores = scores.masked_fill(barred_pairs(query, key, exclude, only, skip), -torch.inf)
    return torch.logsumexp(scores, 1)
