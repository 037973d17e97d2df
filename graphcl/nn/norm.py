"""Batch normalisation that keeps the views of a joint pass apart."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from graphcl._twice import gradients_again
from graphcl.distributed import is_part, sum_over_ranks

__all__ = ["BatchNorm"]


class BatchNorm(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` over rows, with statistics per view when several views come in one tensor.

    ``norm(torch.cat([a, b]), [len(a), len(b)])`` equals ``torch.cat([norm(a), norm(b)])``, running statistics
    included: encoding both views at once changes the cost, not the result. Where the batches of several ranks count as
    one (:func:`graphcl.distributed.one_batch`), the statistics are those of all their rows.

    Example:
        >>> norm = BatchNorm(2)
        >>> norm(torch.randn(5, 2), [3, 2]).shape
        torch.Size([5, 2])
    """

    def forward(self, input: Tensor, splits: Sequence[int] | None = None) -> Tensor:
        self._check_input_dim(input)
        _check_width(input, self)
        apart = splits is not None and (self.training or self.running_mean is None)
        sizes = list(splits) if splits is not None and apart else [input.size(0)]
        if self.training and is_part():
            return self._over_ranks(input, sizes)
        if self.training:
            check_rows(sizes)
        on_cpu = input.device.type == "cpu" and input.dtype in (torch.float32, torch.float64)
        if self.training and self.momentum is not None and on_cpu:
            result: Tensor = _Normalise.apply(input, self.weight, self.bias, self, sizes)  # type: ignore[no-untyped-call]
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(len(sizes))
            return result
        outputs = [super(BatchNorm, self).forward(part) for part in input.split(sizes)]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _over_ranks(self, input: Tensor, sizes: list[int]) -> Tensor:
        """With the statistics of each view's rows on all ranks together."""
        wide = torch.promote_types(input.dtype, torch.float32)
        x = input.to(wide)
        sums = torch.stack([part.sum(0) for part in x.split(sizes)])
        own = torch.tensor(sizes, dtype=wide, device=x.device)[:, None]
        totals = sum_over_ranks(torch.cat([sums, own], 1))  # one message for both
        counts = totals[:, -1:].detach()
        check_rows([int(count) for count in counts])
        means = totals[:, :-1] / counts
        x = torch.cat([part - mean for part, mean in zip(x.split(sizes), means, strict=True)])
        squares = sum_over_ranks(torch.stack([part.square().sum(0) for part in x.split(sizes)]))
        scales = (squares / counts + self.eps).rsqrt()
        for mean, square, count in zip(means.detach(), squares.detach(), counts, strict=True):
            self._move(mean, square / (count - 1))
        x = torch.cat([part * scale for part, scale in zip(x.split(sizes), scales, strict=True)])
        if self.weight is not None:
            x = x * self.weight + self.bias
        return x.to(input.dtype)

    @torch.no_grad()
    def _move(self, mean: Tensor, variance: Tensor) -> None:
        """Take the statistics of one more batch into the running ones, as torch does."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


def norm_layer(name: str, width: int) -> nn.Module:
    """The module that goes by a name."""
    return BatchNorm(width) if name == "batch" else nn.LayerNorm(width) if name == "layer" else nn.Identity()


def normalise_views(norm: nn.Module, x: Tensor, splits: Sequence[int] | None) -> Tensor:
    """``norm`` of several views in one tensor: by row, or, of whatever stands in a norm's place, view by view."""
    if isinstance(norm, BatchNorm):
        return norm(x, splits)
    if splits is None or isinstance(norm, nn.LayerNorm | nn.Identity):
        return norm(x)
    return torch.cat([norm(part) for part in x.split(list(splits))])


def check_rows(sizes: list[int]) -> None:
    if min(sizes) < 2:
        raise ValueError(
            f"expected at least 2 rows (nodes, or a virtual node's graphs) in every view to normalise over, got "
            f"{min(sizes)}; use larger batches, or norm='layer' where there is the choice"
        )


def _check_width(x: Tensor, norm: nn.BatchNorm1d) -> None:
    """Torch's kernel, called as it is here, writes beyond the end of statistics that are narrower."""
    if x.size(1) != norm.num_features:
        raise ValueError(f"expected {norm.num_features} columns to normalise, got {list(x.shape)}")


def normalise(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: nn.BatchNorm1d, sizes: list[int]
) -> tuple[Tensor, list[Tensor]]:
    """Torch's own kernel, part by part into one result; moves the running statistics, and returns the parts' own.

    The kernel's mean of many rows that are far from zero is off by so much that gradients, in which it nearly cancels,
    are wrong by percents: it gets rows that are centred already.
    """
    _check_width(x, norm)
    y = torch.empty_like(x)
    statistics: list[Tensor] = []
    running, momentum = (norm.running_mean, norm.running_var), norm.momentum or 0.0
    for part, out in zip(x.split(sizes), y.split(sizes), strict=True):
        into, centre = (out, x.new_empty(0), x.new_empty(0)), part.mean(0)
        torch.sub(part, centre, out=out)  # and on in place, in memory that is warm
        torch.native_batch_norm(out, weight, bias, *running, True, momentum, norm.eps, out=into)
        into[1].add_(centre)
        if norm.running_mean is not None:
            norm.running_mean.add_(centre, alpha=momentum)
        statistics += into[1:]
    return y, statistics


def normalise_backward(
    grad: Tensor, x: Tensor, weight: Tensor | None, statistics: Sequence[Tensor], sizes: list[int], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of ``x``, weight and bias; ``grad`` must be contiguous.

    A gradient that comes out of a concatenation of columns is not, and then torch's kernel for CPUs is five to ninety
    times slower.
    """
    grad_x = torch.empty_like(x)
    parts = zip(grad.split(sizes), x.split(sizes), grad_x.split(sizes), statistics[::2], statistics[1::2], strict=True)
    others: list[tuple[Tensor, Tensor]] = []
    for g, part, out, mean, scale in parts:
        into = (out, x.new_empty(0), x.new_empty(0))
        _backward(g, part, weight, None, None, mean, scale, True, eps, [True] * 3, out0=out, out1=into[1], out2=into[2])
        others.append(into[1:])
    weights, biases = zip(*others, strict=True)
    return grad_x, sum(weights[1:], weights[0]), sum(biases[1:], biases[0])


def normalised(x: Tensor, weight: Tensor | None, bias: Tensor | None, sizes: list[int], eps: float) -> Tensor:
    """The same by torch's own function, which has derivatives of every order."""
    return torch.cat([batch_norm(part, None, None, weight, bias, True, 0.0, eps) for part in x.split(sizes)])


_backward = torch.ops.aten.native_batch_norm_backward.out


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: BatchNorm, sizes: list[int]
    ) -> Tensor:
        y, statistics = normalise(x.contiguous(), weight, bias, norm, sizes)
        ctx.sizes, ctx.eps = sizes, norm.eps
        ctx.save_for_backward(x, weight, bias, *statistics)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight, bias, *statistics = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            formula = partial(normalised, sizes=ctx.sizes, eps=ctx.eps)
            return *gradients_again(formula, [x, weight, bias], grad), None, None
        grads = normalise_backward(grad.contiguous(), x.contiguous(), weight, statistics, ctx.sizes, ctx.eps)
        wanted = ctx.needs_input_grad[:3]
        return *(g if want else None for g, want in zip(grads, wanted, strict=True)), None, None
