"""Batch normalisation that keeps the views of a joint pass apart."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["BatchNorm"]


class BatchNorm(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` over rows, with statistics per view when several views come in one tensor.

    ``norm(torch.cat([a, b]), [len(a), len(b)])`` equals ``torch.cat([norm(a), norm(b)])``, running statistics
    included: encoding both views at once changes the cost, not the result.

    Example:
        >>> norm = BatchNorm(2)
        >>> norm(torch.randn(5, 2), [3, 2]).shape
        torch.Size([5, 2])
    """

    def forward(self, input: Tensor, splits: Sequence[int] | None = None) -> Tensor:
        apart = splits is not None and (self.training or self.running_mean is None)
        sizes = list(splits) if splits is not None and apart else [input.size(0)]
        if self.training:
            _check_rows(sizes)
        on_cpu = input.device.type == "cpu" and input.dtype in (torch.float32, torch.float64)
        if self.training and self.momentum is not None and on_cpu:
            result: Tensor = _Normalise.apply(input, self.weight, self.bias, self, sizes)  # type: ignore[no-untyped-call]
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(len(sizes))
            return result
        outputs = [super(BatchNorm, self).forward(part) for part in input.split(sizes)]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _check_rows(sizes: list[int]) -> None:
    if min(sizes) < 2:
        raise ValueError(
            f"expected at least 2 nodes in every view to normalise over, got {min(sizes)}; "
            "use larger batches, or norm='layer' in the encoder"
        )


class _Normalise(torch.autograd.Function):
    """Torch's own kernels, part by part into one result, with the gradient made contiguous first.

    A gradient that comes out of a concatenation of columns is not, and then torch's backward kernel for CPUs is five to
    ninety times slower.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: BatchNorm, sizes: list[int]
    ) -> Tensor:
        x = x.contiguous()
        y = torch.empty_like(x)
        statistics: list[Tensor] = []
        for part, out in zip(x.split(sizes), y.split(sizes), strict=True):
            into = (out, x.new_empty(0), x.new_empty(0))
            running = (norm.running_mean, norm.running_var)
            torch.native_batch_norm(part, weight, bias, *running, True, norm.momentum or 0.0, norm.eps, out=into)
            statistics += into[1:]
        ctx.sizes, ctx.eps = sizes, norm.eps
        ctx.save_for_backward(x, weight, *statistics)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight, *statistics = ctx.saved_tensors
        parts = zip(
            grad.contiguous().split(ctx.sizes), x.split(ctx.sizes), statistics[::2], statistics[1::2], strict=True
        )
        wanted = list(ctx.needs_input_grad[:3])
        kernel = torch.ops.aten.native_batch_norm_backward.default
        grads = [
            kernel(g, part, weight, None, None, mean, scale, True, ctx.eps, wanted) for g, part, mean, scale in parts
        ]
        grad_x, grad_weight, grad_bias = zip(*grads, strict=True)
        return (
            (grad_x[0] if len(grad_x) == 1 else torch.cat(grad_x)) if wanted[0] else None,
            sum(grad_weight) if wanted[1] else None,
            sum(grad_bias) if wanted[2] else None,
            None,
            None,
        )
