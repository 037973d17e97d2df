"""Autocast to bfloat16 that copes with batches of changing size on CPUs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["bfloat16"]


@contextmanager
def bfloat16(device: str, *, enabled: bool = True) -> Iterator[None]:
    """The block inside which matrix products are taken in bfloat16, by autocast.

    On CPUs torch compiles a 16-bit product for each number of rows that it meets, keeps the last thousand, and spends
    ten milliseconds and megabytes on one. No two batches of graphs have the same number of nodes, so each step paid
    that, and memory grew by gigabytes. Here linear maps take their rows filled up with zeros to one of few numbers.

    Args:
        device: The type of the device, as in ``torch.autocast``.
        enabled: Whether to do so at all.

    Example:
        >>> with bfloat16("cpu"):
        ...     F.linear(torch.ones(5, 3), torch.ones(2, 3)).dtype
        torch.bfloat16
    """
    with torch.autocast(device, torch.bfloat16, enabled=enabled):
        if enabled and device == "cpu":
            with _FewShapes():
                yield
        else:
            yield


def rounded(rows: int) -> int:
    """The number of rows to fill up to: 16 or at most 1/16 more, 16 numbers between a power of two and the next.

    Example:
        >>> rounded(3), rounded(100), rounded(12_345)
        (16, 100, 12800)
    """
    step = max(1 << max(0, rows.bit_length() - 5), 1)
    return max(-(-rows // step) * step, 16)


class _FewShapes(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in _PRODUCTS and torch.is_autocast_enabled("cpu") and "out" not in (kwargs or {}):
            x, weight, bias = _PRODUCTS[func](*args, **(kwargs or {}))
            if _is_narrowed(x) and _is_narrowed(weight):
                return _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    return input, weight, bias


def _matmul(input: Tensor, other: Tensor) -> tuple[Tensor, Tensor, None]:
    return input, other.mT if other.dim() == 2 else other, None


_PRODUCTS: dict[Any, Any] = {F.linear: _linear, torch.matmul: _matmul, Tensor.matmul: _matmul}
_PRODUCTS |= {Tensor.__matmul__: _matmul}


def _is_narrowed(x: Tensor) -> bool:
    """Whether it is a matrix that autocast on the CPU takes in bfloat16."""
    known = x.dtype in (torch.float32, torch.bfloat16) and x.layout == torch.strided
    return known and x.dim() == 2 and x.numel() > 0 and x.device.type == "cpu"


class _Linear(torch.autograd.Function):
    """``F.linear`` in bfloat16 on rows filled up with zeros, forwards and back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        filled, narrow = _fill(x), weight.to(torch.bfloat16)
        ctx.save_for_backward(filled, narrow)
        ctx.dtypes = x.dtype, weight.dtype, None if bias is None else bias.dtype
        y = F.linear(filled, narrow, None if bias is None else bias.to(torch.bfloat16))
        return y.resize_(x.size(0), y.size(1))  # not a view, which could not be changed in place afterwards

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "expected first derivatives alone under precision='bf16' on a CPU, got create_graph=True; take second "
                "ones in float32"
            )
        filled, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.dtypes
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        padded = _fill(grad) if needs_x or needs_weight else grad
        return (
            (padded @ weight)[: grad.size(0)].to(of_x) if needs_x else None,
            (padded.T @ filled).to(of_weight) if needs_weight else None,
            grad.sum(0).to(of_bias) if needs_bias else None,
        )


def _fill(x: Tensor) -> Tensor:
    filled = x.new_empty(rounded(x.size(0)), x.size(1), dtype=torch.bfloat16)
    filled[: x.size(0)] = x
    filled[x.size(0) :] = 0
    return filled
