"""PReLU with one slope, on a CPU in half the time of torch's own backward pass."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PReLU"]


class PReLU(nn.PReLU):
    """``nn.PReLU``; its values and gradients, and its own way to them where there is one slope and a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        alike = input.dtype == self.weight.dtype and input.device.type == "cpu" and self.weight.numel() == 1
        if not alike or torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return super().forward(input)
        result: Tensor = _PReLU.apply(input, self.weight)  # type: ignore[no-untyped-call]
        return result


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return torch.where(x > 0, x, x * slope) if slope < 0 else F.leaky_relu(x, float(slope))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        x, slope = ctx.saved_tensors
        grad = grads[0].contiguous()
        grad_x = grad_slope = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.ops.aten.leaky_relu_backward(grad, x, float(slope), False)
        if ctx.needs_input_grad[1]:
            grad_slope = torch.dot(grad.reshape(-1), x.clamp(max=0).reshape(-1)).reshape(slope.shape)
        return grad_x, grad_slope
