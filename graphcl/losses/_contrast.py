"""The mean cost of telling each row's positive from its negatives, as most losses over pairs have it."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import threshold

from graphcl._twice import gradients_again, is_looked_into
from graphcl.losses._across import Batch
from graphcl.losses._negatives import log_sum, log_sum_both, mean_cost
from graphcl.losses._numerics import softplus, widened
from graphcl.similarity._precision import full_precision
from graphcl.similarity.explain import DENSE_PAIRS
from graphcl.similarity.using import settled

__all__ = ["in_one_matrix", "mean_contrast"]

Groups = tuple[Tensor, Tensor]

# As many pairs take as long on one matrix as in tiles (measured, one thread): a triangle of tiles has half of the pairs
# of two copies.
PAIRS = 1 << 21


class _Settings(NamedTuple):
    groups: Sequence[Groups]
    positive_in_denominator: bool
    copies: int
    symmetric: bool


def mean_contrast(
    query: Tensor,
    key: Tensor,
    groups: Sequence[Groups],
    *,
    scale: float | Tensor,
    positive: Tensor | None = None,
    positive_in_denominator: bool = True,
    copies: int = 1,
    symmetric: bool = False,
    batch: Batch | None = None,
) -> Tensor:
    """The mean over the queries of log(denominator) - positive, of scaled dot products.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``.
        groups: What is not a negative: pairs of group vectors ``([M], [N])``. The first is of the items: the positive
            of a query is the key of its item or, with two ``copies`` of all, the one in the other half. The items of
            the keys are counted from 0 (through a ``batch``).
        scale: One over the temperature.
        positive: ``[M]`` the positives' scaled products, where they are not among the keys: then no group is of items.
        positive_in_denominator: Whether the positive counts there.
        copies: 2 where query and key are one, the rows of two views one after the other.
        symmetric: Average with the same from the keys to the queries, which are row by row of the same items.
        batch: The rows of all ranks.
    """
    query, key = widened(query, key)
    settings = _Settings(groups, positive_in_denominator, copies, symmetric)
    most = PAIRS if query.device.type == "cpu" else DENSE_PAIRS
    if batch is None and not is_looked_into() and in_one_matrix(len(query) * len(key) * copies, most):
        result: Tensor = _Contrast.apply(query, key, scale, positive, settings)  # type: ignore[no-untyped-call]
        return result
    return _by_sums(query, key, scale, positive, settings, batch)


def in_one_matrix(pairs: int, most: int) -> bool:
    """Whether so many pairs go into one matrix: ``most`` at most, unless something else is asked for."""
    impl, precision = settled("auto", None)
    return precision == "float32" and (impl == "dense" or (impl == "auto" and pairs <= most))


def _by_sums(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    positive: Tensor | None,
    settings: _Settings,
    batch: Batch | None = None,
    impl: Literal["auto", "dense"] = "auto",
) -> Tensor:
    """The positive stays out of the sum over pairs, where a nearly solved pair would cancel; it is added openly."""
    groups, inside, copies, symmetric = settings
    if positive is None and copies == 2:
        half = len(query) // 2
        positive = ((query[:half] * query[half:]).sum(1) * scale).repeat(2)
    elif positive is None:
        own, theirs = groups[0]
        positive = (query * (key if own is theirs else key.index_select(0, own))).sum(1) * scale
    sums: tuple[Tensor, ...]
    if symmetric:
        sums = log_sum_both(query, key, scale=scale, exclude=groups, batch=batch, impl=impl)
    else:
        sums = (log_sum(query, key, scale=scale, exclude=groups, batch=batch, impl=impl),)
    costs = [mean_cost(positive, each, positive_in_denominator=inside, batch=batch) for each in sums]
    return sum(costs[1:], costs[0]) / len(costs)


class _Contrast(torch.autograd.Function):
    """The same on one matrix, which holds the positives too: half the operations, whose number is what few rows cost.

    What is barred is put so low that its exponential is nothing, and in a row where all is, that of the whole row.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, scale: float | Tensor, positive: Tensor | None, settings: _Settings
    ) -> Tensor:
        ctx.number, ctx.settings = scale if not isinstance(scale, Tensor) else 0.0, settings
        inputs = query, key, scale if isinstance(scale, Tensor) else None, positive
        with full_precision(query):
            x = (query @ key.T).mul_(scale)
        lowest, groups, place = torch.finfo(x.dtype).min, settings.groups, None
        if positive is None:
            groups, (place, own) = groups[1:], _places(settings)
            positive = x.gather(1, place)
            x.scatter_(1, own, lowest)
        else:
            positive = positive[:, None]
        if groups:
            x.masked_fill_(reduce(torch.logical_or, [mine[:, None] == other for mine, other in groups]), lowest)
        costs, kept = [], []
        for dim in _dims(settings):
            top = x.amax(dim, keepdim=True)
            exponentials = (x - top).exp_()
            total = exponentials.sum(dim, keepdim=True)
            gap = total.log().add_(top).sub_(positive if dim == 1 else positive.T)
            costs.append(_cost(gap, settings.positive_in_denominator).mean())
            kept += [exponentials, total, gap]
        ctx.save_for_backward(*inputs, place, *kept)
        return costs[0] if len(costs) == 1 else (costs[0] + costs[1]) / 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        query, key, scale, positive, place, *kept = ctx.saved_tensors
        settings: _Settings = ctx.settings
        if torch.is_grad_enabled():
            formula = partial(_formula, number=ctx.number, settings=settings)
            return *gradients_again(formula, [query, key, scale, positive], grad), None
        factor = ctx.number if scale is None else scale
        weight = grad * (factor / (len(query) * len(_dims(settings))))
        pulls, taken = [], []
        for dim in _dims(settings):
            exponentials, total, gap, *kept = kept
            share = weight * _slope(gap, settings.positive_in_denominator)
            pulls.append(exponentials * (share / total))
            taken.append(-share if dim == 1 else -share.T)
        pull, of_positive = (sum(each[1:], each[0]) for each in (pulls, taken))
        if place is not None:
            pull = pull.scatter(1, place, of_positive)
        needs = ctx.needs_input_grad
        with full_precision(query):
            of_query = pull @ key if needs[0] or needs[2] else None
            of_key = pull.T @ query if needs[1] else None
        of_scale = (of_query * query).sum() / factor if needs[2] and of_query is not None else None
        return of_query, of_key, of_scale, of_positive.squeeze(1) / factor if needs[3] else None, None


def _formula(
    query: Tensor, key: Tensor, scale: Tensor | None, positive: Tensor | None, *, number: float, settings: _Settings
) -> Tensor:
    return _by_sums(query, key, number if scale is None else scale, positive, settings, impl="dense")


def _dims(settings: _Settings) -> tuple[int, ...]:
    return (1, 0) if settings.symmetric else (1,)


def _places(settings: _Settings) -> tuple[Tensor, Tensor]:
    """``[M, 1]`` and ``[M, copies]``: the keys of each query's item that are its positive, and all of them."""
    item = settings.groups[0][0]
    if settings.copies == 1:
        return item[:, None], item[:, None]
    half = len(item) // 2
    first, second = item[:half, None], item[half:, None] + half
    return torch.cat([second, first]), torch.stack([item, item + half], 1)


def _cost(gap: Tensor, inside: bool) -> Tensor:
    """What a row costs by the log of its negatives' sum less the positive, and nothing if it has none."""
    return softplus(gap) if inside else threshold(gap, torch.finfo(gap.dtype).min / 2, 0.0)


def _slope(gap: Tensor, inside: bool) -> Tensor:
    return gap.sigmoid() if inside else (gap > torch.finfo(gap.dtype).min / 2).to(gap.dtype)
