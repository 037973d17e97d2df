"""The mean cost of rows with any number of positives, on one matrix of all pairs."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from graphcl._twice import gradients_again, is_looked_into
from graphcl.losses._numerics import softplus
from graphcl.similarity._precision import full_precision, product

__all__ = ["mean_cost_of_matrix"]


def mean_cost_of_matrix(z: Tensor, times: Tensor, scale: float | Tensor, inside: bool) -> Tensor:
    """The mean over the rows with a positive of log(denominator) - the positives' mean, of scaled dot products.

    What a row costs is split into what its positives cost among themselves, and what the negatives add to that: each
    keeps its digits where positives agree, or leave the negatives far behind.

    Args:
        z: ``[N, D]``.
        times: ``[N, N]`` how often the column is a positive of the row; nothing on the diagonal.
        scale: One over the temperature.
        inside: Whether positives count in the denominator.
    """
    if is_looked_into():
        return _formula(z, scale, times, inside=inside)
    result: Tensor = _Cost.apply(z, scale, times, inside)  # type: ignore[no-untyped-call]
    return result


def _formula(z: Tensor, scale: float | Tensor, times: Tensor, *, inside: bool) -> Tensor:
    x = product(z, z.T) * scale
    others = times == 0  # in a row without positives all are, which is left out below and must not be NaN
    count = times.sum(1)
    has = count > 0
    lowest = torch.finfo(x.dtype).min / 4  # whose exponential is nothing, and whose differences are numbers
    diagonal = torch.eye(len(z), dtype=torch.bool, device=z.device)
    negatives = x.masked_fill(~others | diagonal, lowest).logsumexp(1)
    centred = x.view_as(x)  # where the gradients of a positive and of the mean meet, before small ones are added
    centred = centred - ((centred * times).sum(1) / count.clamp(min=1))[:, None]
    if inside:
        among, positives = (part.masked_fill(others & has[:, None], lowest).logsumexp(1) for part in (centred, x))
        cost = softplus(negatives - positives) + among
    else:
        cost = (negatives - (x - centred)[:, 0]).masked_fill(negatives < lowest / 2, 0)
    return cost.masked_fill(~has, 0).sum() / has.sum().clamp(min=1)


class _Cost(torch.autograd.Function):
    """The same in fewer operations: the shares of negatives and of positives lie in one matrix, each where it counts.

    What is left out is put so low that its exponential is nothing, and in a row where all is, that of the whole row.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, scale: float | Tensor, times: Tensor, inside: bool) -> Tensor:
        ctx.number, ctx.inside = 0.0 if isinstance(scale, Tensor) else scale, inside
        with full_precision(z):
            x = (z @ z.T).mul_(scale)
        lowest, positive = torch.finfo(x.dtype).min, times > 0
        count = times.sum(1, keepdim=True)
        wanted = times / count.clamp(min=1)
        x.sub_((x * wanted).sum(1, keepdim=True))
        among = x.masked_fill(~positive, lowest) if inside else None
        shares, gap = _shares(x.masked_fill_(positive, lowest).fill_diagonal_(lowest))
        some = gap > lowest / 2
        shares.masked_fill_(~some, 0)
        if among is None:
            cost = gap.masked_fill(~some, 0)
        else:
            own, top = _shares(among)
            shares, gap = torch.where(positive, own, shares), gap - top
            cost = softplus(gap) + top
        weight = (count > 0).to(z.dtype)
        weight /= weight.sum().clamp(min=1)
        ctx.save_for_backward(z, scale if isinstance(scale, Tensor) else None, times, wanted, shares, gap, weight, some)
        return (cost * weight).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        z, scale, times, wanted, shares, gap, weight, some = ctx.saved_tensors
        if torch.is_grad_enabled():
            again = partial(_again, times=times, number=ctx.number, inside=ctx.inside)
            return *gradients_again(again, [z, scale], grad), None, None
        factor = ctx.number if scale is None else scale
        pull = shares - wanted
        if ctx.inside:
            moved = shares * gap.sigmoid()
            pull = torch.where(times > 0, pull - moved, moved)
        else:
            pull = pull * some
        pull *= grad * weight * factor
        with full_precision(z):
            of_row, of_column = pull @ z, pull.T @ z
        of_scale = (of_row * z).sum() / factor if ctx.needs_input_grad[1] else None
        return of_row.add_(of_column), of_scale, None, None


def _again(z: Tensor, scale: Tensor | None, *, times: Tensor, number: float, inside: bool) -> Tensor:
    return _formula(z, number if scale is None else scale, times, inside=inside)


def _shares(x: Tensor) -> tuple[Tensor, Tensor]:
    """The softmax of each row, and the log of its sum ``[N, 1]``."""
    top = x.amax(1, keepdim=True)
    shares = x.sub_(top).exp_()
    total = shares.sum(1, keepdim=True)
    return shares.div_(total), total.log().add_(top)
