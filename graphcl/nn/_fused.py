"""The layers of a GIN in training as one step of autograd: the same kernels, without what lies between them.

On batches of small graphs half of the time goes into autograd's own steps, into views, and into joining what could have
been written side by side. Here each layer keeps what its gradient needs and nothing else is recorded.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._twice import gradients_again
from graphcl.distributed import is_part
from graphcl.nn.norm import BatchNorm, normalise, normalise_backward, normalised
from graphcl.nn.sparse import SparseSum

__all__ = ["fused_layers", "is_fusible", "is_plain", "maps_first"]

M = TypeVar("M", bound=nn.Module)

_relu_backward = torch.ops.aten.threshold_backward.grad_input


def is_fusible(x: Tensor, layers: Sequence[tuple[nn.Module, nn.Module, nn.Module]]) -> bool:
    """Whether :func:`fused_layers` gives what the modules would: on a CPU, in training, with nobody listening in."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if torch.is_autocast_enabled("cpu") or is_part() or x.dtype not in (torch.float32, torch.float64):
        return False
    for lower, upper, norm in layers:
        if not (is_plain(lower, nn.Linear) and is_plain(upper, nn.Linear) and is_plain(norm, BatchNorm)):
            return False
        if not norm.training or norm.momentum is None or norm.weight is None or norm.running_mean is None:
            return False
        if lower.weight.dtype != x.dtype:
            return False
    return True


def is_plain(module: nn.Module, kind: type[M]) -> TypeGuard[M]:
    """Whether a module can be computed from its weights: it is of that very class, and has no hooks.

    What stands in its place (an adapter, a quantised map) may have weights of the same names and make more of them.
    """
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return type(module) is kind and not any(hooks)


def fused_layers(
    x: Tensor, neighbours: SparseSum, layers: Sequence[tuple[nn.Linear, nn.Linear, BatchNorm]], sizes: list[int]
) -> Tensor:
    """``[N, L * H]`` the outputs of all layers side by side, normalised over parts of ``sizes`` rows."""
    parameters = [p for a, b, norm in layers for p in (a.weight, a.bias, b.weight, b.bias, norm.weight, norm.bias)]
    norms = [norm for _, _, norm in layers]
    result: Tensor = _Layers.apply(x, neighbours, norms, sizes, *parameters)  # type: ignore[no-untyped-call]
    for norm in norms:
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(len(sizes))
    return result


class _Layers(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, neighbours: SparseSum, norms: list[BatchNorm], sizes: list[int], *parameters: Tensor
    ) -> Tensor:
        kept, outputs, given = [], [], x
        x = x.detach()
        for layer, norm in enumerate(norms):
            lower, lower_bias, upper, upper_bias, weight, bias = parameters[6 * layer : 6 * layer + 6]
            # The sum over neighbours and the linear map commute; wide features are mapped first.
            if maps_first(lower):
                summed, inner = x, neighbours.plus_self(F.linear(x, lower)).add_(lower_bias)
            else:
                summed = neighbours.plus_self(x)
                inner = F.linear(summed, lower, lower_bias)
            outer = F.linear(inner.relu_(), upper, upper_bias).relu_()
            x, statistics = normalise(outer, weight, bias, norm, sizes)
            kept += [summed, inner, outer, *statistics]
            outputs.append(x)
        ctx.neighbours, ctx.sizes, ctx.eps = neighbours, sizes, [norm.eps for norm in norms]
        ctx.save_for_backward(given, *parameters, *kept)
        return torch.cat(outputs, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        transposed, sizes, depth = ctx.neighbours.T, ctx.sizes, len(ctx.eps)
        saved = ctx.saved_tensors  # read once: checkpointing unpacks no tensor twice
        given, *parameters = saved[: 6 * depth + 1]
        if torch.is_grad_enabled():  # a second derivative is wanted
            again = partial(_formula, neighbours=ctx.neighbours, sizes=sizes, eps=ctx.eps)
            grad_x, *of_parameters = gradients_again(again, [given, *parameters], grad)
            return grad_x, None, None, None, *of_parameters
        kept = saved[6 * depth + 1 :]
        width, each = grad.size(1) // depth, len(kept) // depth
        grads: list[Tensor | None] = [None] * (6 * depth)
        above: Tensor | None = None
        for layer in reversed(range(depth)):
            lower, _, upper, _, weight, _ = parameters[6 * layer : 6 * layer + 6]
            summed, inner, outer, *statistics = kept[each * layer : each * (layer + 1)]
            own = grad[:, width * layer : width * (layer + 1)]
            g = own.contiguous() if above is None else above.add_(own)
            g, grad_weight, grad_bias = normalise_backward(g, outer, weight, statistics, sizes, ctx.eps[layer])
            _relu_backward(g, outer, 0, grad_input=g)
            grad_upper = [g.T @ inner, g.sum(0)]
            g = g @ upper
            _relu_backward(g, inner, 0, grad_input=g)
            wanted = layer > 0 or ctx.needs_input_grad[0]
            grad_lower_bias = g.sum(0)
            if maps_first(lower):
                g = transposed.plus_self(g)
            grad_lower = g.T @ summed
            if wanted:
                g = g @ lower
                above = g if maps_first(lower) else transposed.plus_self(g)
            grads[6 * layer : 6 * layer + 6] = [grad_lower, grad_lower_bias, *grad_upper, grad_weight, grad_bias]
        return above if ctx.needs_input_grad[0] else None, None, None, None, *grads


def _formula(x: Tensor, *parameters: Tensor, neighbours: SparseSum, sizes: list[int], eps: list[float]) -> Tensor:
    """The same in operations of torch, which have derivatives of every order."""
    outputs = []
    for layer, epsilon in enumerate(eps):
        lower, lower_bias, upper, upper_bias, weight, bias = parameters[6 * layer : 6 * layer + 6]
        inner = F.linear(neighbours.plus_self(x), lower, lower_bias).relu()
        x = normalised(F.linear(inner, upper, upper_bias).relu(), weight, bias, sizes, epsilon)
        outputs.append(x)
    return torch.cat(outputs, 1)


def maps_first(weight: Tensor) -> bool:
    """Whether a layer maps its features before it sums them: the sum costs by the width."""
    return weight.size(1) > 2 * weight.size(0)
