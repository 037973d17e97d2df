"""The layers of a GIN in training as one step of autograd: the same kernels, without what lies between them.

On batches of small graphs half of the time goes into autograd's own steps, into views, and into joining what could have
been written side by side. Here each layer keeps what its gradient needs and nothing else is recorded. Of a large graph
it keeps less: what lies between its two maps is computed once more going back, block by block, as long as a block is in
the cache, and the gradient of the sums takes the place of the sums.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._twice import gradients_again, is_first
from graphcl.distributed import is_part
from graphcl.nn.norm import BatchNorm, check_rows, normalise, normalise_backward, normalised
from graphcl.nn.sparse import SparseSum

__all__ = ["LARGE", "fused_layers", "is_fusible", "is_plain", "maps_first"]

M = TypeVar("M", bound=nn.Module)

LARGE = 2**22  # numbers between the two maps of a layer, above which they are not kept
BLOCK = 2**18  # numbers of a block of rows

_relu_backward = torch.ops.aten.threshold_backward.grad_input


def is_fusible(x: Tensor, layers: Sequence[tuple[nn.Module, nn.Module, nn.Module]]) -> bool:
    """Whether :func:`fused_layers` gives what the modules would: on a CPU, in training, with nobody listening in."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if torch.is_autocast_enabled("cpu") or is_part() or x.dtype not in (torch.float32, torch.float64):
        return False
    for lower, upper, norm in layers:
        if not (_is_affine(lower) and _is_affine(upper) and lower.weight.dtype == x.dtype):
            return False
        if not (is_plain(norm, nn.Identity) or _is_learning(norm)):
            return False
    return True


def _is_affine(module: nn.Module) -> TypeGuard[nn.Linear]:
    return is_plain(module, nn.Linear) and module.bias is not None


def _is_learning(norm: nn.Module) -> bool:
    if not is_plain(norm, BatchNorm) or not norm.training or norm.momentum is None:
        return False
    return norm.weight is not None and norm.running_mean is not None


def is_plain(module: nn.Module, kind: type[M]) -> TypeGuard[M]:
    """Whether a module can be computed from its weights: it is of that very class, and has no hooks.

    What stands in its place (an adapter, a quantised map) may have weights of the same names and make more of them.
    """
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return type(module) is kind and not any(hooks)


def fused_layers(
    x: Tensor,
    neighbours: SparseSum,
    layers: Sequence[tuple[nn.Linear, nn.Linear, BatchNorm | nn.Identity]],
    sizes: list[int],
) -> Tensor:
    """``[N, L * H]`` the outputs of all layers side by side, normalised over parts of ``sizes`` rows."""
    norms = [norm if isinstance(norm, BatchNorm) else None for _, _, norm in layers]
    if any(norms):
        check_rows(sizes)
    parameters: list[Tensor | None] = []
    for (lower, upper, _), norm in zip(layers, norms, strict=True):
        parameters += [lower.weight, lower.bias, upper.weight, upper.bias]
        parameters += [None, None] if norm is None else [norm.weight, norm.bias]
    result: Tensor = _Layers.apply(x, neighbours, norms, sizes, *parameters)  # type: ignore[no-untyped-call]
    for norm in norms:
        if norm is not None and norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(len(sizes))
    return result


class _Layers(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, neighbours: SparseSum, norms: list[BatchNorm | None], sizes: list[int], *parameters: Any
    ) -> Tensor:
        kept: list[Tensor | None] = []
        outputs, given = [], x
        nothing: list[Any] = [None, None] * len(sizes)
        x = x.detach()
        for layer, norm in enumerate(norms):
            lower, lower_bias, upper, upper_bias, weight, bias = parameters[6 * layer : 6 * layer + 6]
            # The sum over neighbours and the linear map commute; wide features are mapped first.
            inner: Tensor | None
            if maps_first(lower):
                summed, inner = x, neighbours.plus_self(F.linear(x, lower)).add_(lower_bias).relu_()
            else:
                summed = neighbours.plus_self(x)
                large = len(summed) * len(lower) > LARGE
                inner = None if large else F.linear(summed, lower, lower_bias).relu_()
            if inner is None:
                outer = summed.new_empty(len(summed), len(upper))
                for rows in _blocks(outer):
                    hidden = F.linear(summed[rows], lower, lower_bias).relu_()
                    torch.addmm(upper_bias, hidden, upper.T, out=outer[rows]).relu_()
            else:
                outer = F.linear(inner, upper, upper_bias).relu_()
            if norm is None:
                x, statistics = outer, nothing
            else:
                x, statistics = normalise(outer, weight, bias, norm, sizes)
            kept += [summed, inner, outer, *statistics]
            outputs.append(x)
        ctx.neighbours, ctx.sizes, ctx.eps = neighbours, sizes, [0.0 if norm is None else norm.eps for norm in norms]
        # Of a large graph what is kept is overwritten, by whoever goes back first.
        ctx.once = [True] if any(inner is None for inner in kept[1 :: len(kept) // len(norms)]) else None
        ctx.save_for_backward(given, *parameters, *kept)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        transposed, sizes, depth = ctx.neighbours.T, ctx.sizes, len(ctx.eps)
        saved = ctx.saved_tensors  # read once: checkpointing unpacks no tensor twice
        given, *parameters = saved[: 6 * depth + 1]
        if torch.is_grad_enabled() or not is_first(ctx.once):  # a second derivative is wanted, or the first once more
            again = partial(_formula, neighbours=ctx.neighbours, sizes=sizes, eps=ctx.eps)
            with torch.enable_grad():
                found = gradients_again(again, [given, *parameters], grad)
            if not torch.is_grad_enabled():
                found = [None if g is None else g.detach() for g in found]
            return found[0], None, None, None, *found[1:]
        kept = saved[6 * depth + 1 :]
        width, each = grad.size(1) // depth, len(kept) // depth
        grads: list[Tensor | None] = [None] * (6 * depth)
        above: Tensor | None = None
        for layer in reversed(range(depth)):
            lower, lower_bias, upper, _, weight, _ = parameters[6 * layer : 6 * layer + 6]
            summed, inner, outer, *statistics = kept[each * layer : each * (layer + 1)]
            g = grad[:, width * layer : width * (layer + 1)]
            g = g if above is None else above.add_(g)
            of_norm: Sequence[Tensor | None] = (None, None)
            if weight is not None:
                g, *of_norm = normalise_backward(g.contiguous(), outer, weight, statistics, sizes, ctx.eps[layer])
            wanted = layer > 0 or ctx.needs_input_grad[0]
            of_lower, of_upper = _nothing_yet(lower), _nothing_yet(upper)
            between = partial(_between, summed, lower, lower_bias, inner)
            parts = _inner_gradients(g, outer, upper, between, of_upper)
            if maps_first(lower):
                g = torch.cat([part for _, part in parts])
                bias = g.sum(0)
                g = transposed.plus_self(g)
                of_lower = [g.T @ summed, bias]
                above = g @ lower if wanted else None
            else:
                # Where little is kept, the gradient of the sums takes their place; torch is not to count that.
                below = (torch.empty_like(summed) if inner is not None else summed.data) if wanted else None
                for rows, part in parts:
                    _add_gradients(of_lower, part, summed[rows])
                    if below is not None:
                        torch.mm(part, lower, out=below[rows])
                above = None if below is None else transposed.plus_self(below)
            grads[6 * layer : 6 * layer + 6] = [*of_lower, *of_upper, *of_norm]
        return above, None, None, None, *grads


def _inner_gradients(
    grad: Tensor, outer: Tensor, upper: Tensor, between: Callable[[slice], Tensor], of_upper: list[Tensor]
) -> Iterator[tuple[slice, Tensor]]:
    """The gradient of what enters a layer's first ReLU; that of the map after it is added up on the way.

    Block by block: what lies between stays in the cache, and new memory would cost a quarter of a product.
    """
    for rows in _blocks(outer):
        inner = between(rows)
        part = torch.ops.aten.threshold_backward(grad[rows], outer[rows], 0)
        _add_gradients(of_upper, part, inner)
        part = part @ upper
        yield rows, _relu_backward(part, inner, 0, grad_input=part)


def _between(summed: Tensor, lower: Tensor, bias: Tensor, inner: Tensor | None, rows: slice) -> Tensor:
    """What lies between the two maps of a layer, of some rows: what was kept, or the same once more."""
    return F.linear(summed[rows], lower, bias).relu_() if inner is None else inner[rows]


def _blocks(x: Tensor) -> Iterator[slice]:
    """Rows of ``x``, about :data:`BLOCK` numbers at a time; one block where there are none."""
    step = max(1, BLOCK // x.size(1))
    yield from (slice(start, start + step) for start in range(0, max(1, len(x)), step))


def _nothing_yet(weight: Tensor) -> list[Tensor]:
    return [torch.zeros_like(weight), weight.new_zeros(len(weight))]


def _add_gradients(of_map: list[Tensor], grad: Tensor, x: Tensor) -> None:
    """Those of the weight and the bias of a linear map, of some of its rows."""
    of_map[0].addmm_(grad.T, x)
    of_map[1].add_(grad.sum(0))


def _formula(x: Tensor, *parameters: Any, neighbours: SparseSum, sizes: list[int], eps: list[float]) -> Tensor:
    """The same in operations of torch, which have derivatives of every order."""
    outputs = []
    for layer, epsilon in enumerate(eps):
        lower, lower_bias, upper, upper_bias, weight, bias = parameters[6 * layer : 6 * layer + 6]
        inner = F.linear(neighbours.plus_self(x), lower, lower_bias).relu()
        x = F.linear(inner, upper, upper_bias).relu()
        x = x if weight is None else normalised(x, weight, bias, sizes, epsilon)
        outputs.append(x)
    return torch.cat(outputs, 1)


def maps_first(weight: Tensor) -> bool:
    """Whether a layer maps its features before it sums them: the sum costs by the width."""
    return weight.size(1) > 2 * weight.size(0)
