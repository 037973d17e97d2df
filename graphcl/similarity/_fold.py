"""Every similarity as a dot product: what is done to rows and biases before the sum over pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import threshold

from graphcl._twice import gradients_again, is_looked_into

__all__ = ["SIMILARITIES", "Folded", "Similarity", "at_length_one", "fold", "scales_of", "several", "unit_rows"]

Similarity = Literal["cosine", "dot", "euclidean"]
SIMILARITIES = get_args(Similarity)


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


def scales_of(scale: float | Sequence[float | Tensor] | Tensor, query: Tensor, dtype: torch.dtype) -> Tensor:
    """``[S]`` the scales where the query is, with their gradients."""

    def filled(one: float) -> Tensor:  # where a copy from the host could not be captured in a CUDA graph
        return torch.full((), one, dtype=dtype, device=query.device)

    if isinstance(scale, Tensor):
        scales = scale.to(query.device, dtype)
    elif isinstance(scale, Sequence):
        each = [one.to(query.device, dtype) if isinstance(one, Tensor) else filled(one) for one in scale]
        scales = torch.stack(each) if each else query.new_empty(0)
    else:
        scales = filled(scale)
    if scales.dim() > 1 or scales.numel() == 0:
        raise ValueError(f"expected one scale, or several in one dimension, got shape {list(scales.shape)}")
    return scales.reshape(-1)


def several(scale: float | Sequence[float | Tensor] | Tensor) -> bool:
    """Whether scales were given in a dimension of their own."""
    return scale.dim() > 0 if isinstance(scale, Tensor) else isinstance(scale, Sequence)


def unit_rows(rows: Tensor) -> Tensor:
    """The rows at length one, in float32 or better; a row of zeros (an empty graph) stays and gets no gradient.

    A row that is too long for its squares to be summed becomes NaN: a diverged network must be seen in the loss. One
    that is too short for that (in float32 1e-18) counts as zero.
    """
    return at_length_one(rows.to(torch.promote_types(torch.float32, rows.dtype)), _lengths, 1)


def _lengths(rows: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    length = length.add(length, alpha=0)  # infinity becomes NaN; masks would take as long as all the rest
    return threshold(length, 16 * torch.finfo(length.dtype).tiny ** 0.5, torch.inf)


def at_length_one(x: Tensor, lengths: Callable[[Tensor], Tensor], dim: int) -> Tensor:
    """``x / lengths(x)``, the lengths along ``dim``, which is kept; they are infinite where nothing is to be left."""
    if is_looked_into():
        return x / lengths(x)
    result: Tensor = _AtLengthOne.apply(x, lengths, dim)  # type: ignore[no-untyped-call]
    return result


class _AtLengthOne(torch.autograd.Function):
    """With a gradient in four operations; torch's own, of a length and a division, takes three times as many."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, lengths: Callable[[Tensor], Tensor], dim: int) -> Tensor:
        length = lengths(x)
        unit = x / length
        ctx.save_for_backward(x, unit, length)
        ctx.lengths, ctx.dim = lengths, dim
        return unit

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, unit, length = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *gradients_again(lambda x: x / ctx.lengths(x), [x], grad), None, None
        along = (grad * unit).sum(ctx.dim, keepdim=True)
        return torch.addcmul(grad, unit, along, value=-1) / length, None, None


def _middle(rows: Tensor) -> Tensor:
    """About the mean row, in steps of the spread: whole numbers move without rounding, and equal distances stay so."""
    if not rows.numel():
        return rows.new_zeros(rows.size(1))
    rows = rows.detach()
    mean = rows.mean(0)
    spread = (rows - mean).square().mean(0).max().sqrt()  # torch's deviation down the columns takes four times as long
    # Rows that are all one have no spread; then seven digits of the mean will do.
    size = torch.where(spread > 0, spread, mean.abs().max() / 64)
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
