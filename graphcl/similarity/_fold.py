"""Every similarity as a dot product: what is done to rows and biases before the sum over pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Folded", "fold", "unit_rows"]


@dataclass(frozen=True)
class Folded:
    """The exponent of pair (i, j) at scale s is ``scale[s] * <query_i, key_j> + query_bias[s, i] + key_bias[s, j]``.

    ``key`` is None where every row meets all others of ``query``: then the biases are one.
    """

    query: Tensor
    key: Tensor | None
    scale: Tensor
    query_bias: Tensor | None = None
    key_bias: Tensor | None = None


def unit_rows(rows: Tensor) -> Tensor:
    """The rows at length one; a row of zeros stays and gets no gradient, one too long to be measured becomes NaN."""
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / length.masked_fill(length == torch.inf, torch.nan).masked_fill(length == 0, torch.inf)


def _middle(rows: Tensor) -> Tensor:
    """About the mean row, in steps of the spread: whole numbers move without rounding, and equal distances stay so."""
    if not rows.numel():
        return rows.new_zeros(rows.size(1))
    spread, mean = torch.std_mean(rows.detach(), 0, correction=0)
    # Rows that are all one have no spread; then seven digits of the mean will do.
    size = torch.where(spread.max() > 0, spread.max(), mean.abs().max() / 64)
    step = torch.exp2(torch.floor(torch.log2(size)))
    return torch.round(mean / step.masked_fill(step == 0, 1)) * step


def fold(query: Tensor, key: Tensor | None, scale: Tensor, similarity: str) -> Folded:
    """Turns a similarity into a dot product with biases.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``, None for the query itself.
        scale: ``[S]``.
        similarity: ``"cosine"``, ``"dot"`` or ``"euclidean"``, minus the squared distance.
    """
    if similarity == "dot":
        return Folded(query, key, scale)
    if similarity == "cosine":
        return Folded(unit_rows(query), None if key is None else unit_rows(key), scale)
    # -|q - k|^2 = 2<q, k> - |q|^2 - |k|^2. Distances do not change when all rows move alike, and about their middle the
    # three terms are small, so that little cancels; the move is the same for all rows and has no share in the gradient.
    middle = _middle(query if key is None else key)
    query = query - middle
    query_bias = -scale[:, None] * query.square().sum(1)
    if key is None:
        return Folded(query, None, 2 * scale, query_bias)
    key = key - middle
    return Folded(query, key, 2 * scale, query_bias, -scale[:, None] * key.square().sum(1))
