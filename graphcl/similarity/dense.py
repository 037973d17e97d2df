"""The ground truth: the whole matrix of similarities, masked and reduced."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from graphcl._twice import gradients_again, is_looked_into
from graphcl.similarity._checks import Groups
from graphcl.similarity._precision import full_precision, product

__all__ = ["barred_pairs", "logsumexp_dense", "logsumexps_dense", "scores_dense"]


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
        barred = barred.index_put((skip[0].long(), skip[1].long()), barred.new_ones(()))
    return barred


def scores_dense(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    query_bias: Tensor | None = None,
    key_bias: Tensor | None = None,
) -> Tensor:
    """``[M, N]`` exponents: scaled dot products, plus one number for each query and one for each key."""
    scores = product(scale * query, key.T)
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


def logsumexps_dense(
    query: Tensor,
    key: Tensor,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    barred: Tensor,
    dims: Sequence[int],
) -> Sequence[Tensor]:
    """:func:`logsumexp_dense` at several scales, stacked: ``[S, M]`` and ``[S, N]``, as ``dims`` say.

    With a backward pass by hand that keeps the exponentials, where nothing but values and gradients is asked for.
    """
    operands = query, key, scale, query_bias, key_bias
    if is_looked_into() or not barred.numel():
        return _formula(*operands, barred=barred, dims=dims)
    result: Sequence[Tensor] = _LogSums.apply(*operands, barred, dims)  # type: ignore[no-untyped-call]
    return result


def _formula(
    query: Tensor,
    key: Tensor,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    *,
    barred: Tensor,
    dims: Sequence[int],
) -> Sequence[Tensor]:
    biases = [[None] * len(scale) if bias is None else bias.unbind() for bias in (query_bias, key_bias)]
    each = [
        logsumexp_dense(query, key, one, barred, own, other, dims)
        for one, own, other in zip(scale.unbind(), *biases, strict=True)
    ]
    return [torch.stack(side) for side in zip(*each, strict=True)]


class _LogSums(torch.autograd.Function):
    """Of several scales on one product; what is barred is put so low that its exponential is nothing."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        scale: Tensor,
        query_bias: Tensor | None,
        key_bias: Tensor | None,
        barred: Tensor,
        dims: Sequence[int],
    ) -> tuple[Tensor, ...]:
        products = query @ key.T
        lowest = torch.finfo(products.dtype).min
        sums: list[list[Tensor]] = [[] for _ in dims]
        kept = []
        for s, one in enumerate(scale.unbind()):
            x = products * one
            if query_bias is not None:
                x.add_(query_bias[s, :, None])
            if key_bias is not None:
                x.add_(key_bias[s])
            x.masked_fill_(barred, lowest)
            for side, dim in zip(sums, dims, strict=True):
                # Half of it, so that what is barred is nothing beside it: also where all is.
                top = x.amax(dim, keepdim=True).clamp_(min=lowest / 2)
                exponentials = (x - top).exp_()
                total = exponentials.sum(dim, keepdim=True)
                side.append((total.log() + top).squeeze(dim))
                kept += [exponentials, total]
        ctx.save_for_backward(query, key, scale, query_bias, key_bias, barred, *kept)
        ctx.dims = dims
        return tuple(torch.stack(side) for side in sums)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        query, key, scale, query_bias, key_bias, barred, *kept = ctx.saved_tensors
        if torch.is_grad_enabled():
            formula = partial(_formula, barred=barred, dims=ctx.dims)
            with full_precision(query):
                return *gradients_again(formula, [query, key, scale, query_bias, key_bias], grads), None, None
        wants = ctx.needs_input_grad
        pulls = []
        for s in range(len(scale)):
            parts = []
            for grad, dim in zip(grads, ctx.dims, strict=True):
                exponentials, total, *kept = kept
                # Of a row that is not empty the total is at least the one of its largest term.
                parts.append(exponentials * (grad[s].unsqueeze(dim) / total.clamp(min=1)))
            pulls.append(sum(parts[1:], parts[0]))
        scaled = [pull * one for pull, one in zip(pulls, scale.unbind(), strict=True)]
        whole = sum(scaled[1:], scaled[0])
        with full_precision(query):
            of_query = whole @ key if wants[0] else None
            of_key = whole.T @ query if wants[1] else None
            of_scale = torch.stack([((pull @ key) * query).sum() for pull in pulls]) if wants[2] else None
        of_query_bias = torch.stack([pull.sum(1) for pull in pulls]) if wants[3] else None
        of_key_bias = torch.stack([pull.sum(0) for pull in pulls]) if wants[4] else None
        return of_query, of_key, of_scale, of_query_bias, of_key_bias, None, None
