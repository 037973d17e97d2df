"""The ground truth: the whole matrix of similarities, masked and reduced."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["allowed_pairs", "logsumexp_dense"]

Groups = tuple[Tensor, Tensor]


def allowed_pairs(
    num_query: int, num_key: int, device: torch.device, exclude: Sequence[Groups], only: Groups | None, skip: Tensor | None
) -> Tensor:
    """``[M, N]`` true where query i and key j are compared."""
    allowed = torch.ones(num_query, num_key, dtype=torch.bool, device=device)
    for query_group, key_group in exclude:
        allowed &= query_group[:, None] != key_group[None, :]
    if only is not None:
        allowed &= only[0][:, None] == only[1][None, :]
    if skip is not None:
        allowed[skip[0], skip[1]] = False
    return allowed


def logsumexp_dense(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    exclude: Sequence[Groups],
    only: Groups | None,
    skip: Tensor | None,
) -> Tensor:
    """Log-sum-exp over the allowed keys of each query; -inf, with zero gradient, where there is none."""
    scores = scale * (query @ key.T)
    allowed = allowed_pairs(query.size(0), key.size(0), query.device, exclude, only, skip)
    scores = scores.masked_fill(~allowed, -torch.inf)
    empty = ~allowed.any(1)
    # logsumexp of nothing but -inf has NaN gradient: such rows are reduced over zeros instead and filled afterwards.
    return torch.logsumexp(scores.masked_fill(empty[:, None], 0.0), 1).masked_fill(empty, -torch.inf)
