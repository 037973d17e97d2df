"""How matrix products are rounded: not by autocast, and inside the tiles as is asked for."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from graphcl._twice import is_looked_into

__all__ = ["full_precision", "product", "products"]

_lock = Lock()
_before: list[str] = []  # the setting that the first of the threads inside has found, once for each of them


def full_precision(z: Tensor) -> AbstractContextManager[object]:
    """The block inside which autocast does not turn products of matrices into 16 bits."""
    if torch.compiler.is_compiling() or torch._C._is_any_autocast_enabled():
        return torch.autocast(z.device.type, enabled=False)
    return nullcontext()


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of matrices, which autocast turns into 16 bits neither here nor in the backward pass.

    Without it, a backward pass inside autocast rounds the gradients of products that were made in full. A compiler
    makes the backward pass for the autocast around the forward pass, wherever it then runs.
    """
    if torch.compiler.is_compiling():
        ours = not torch._C._are_functorch_transforms_active()  # inside of which it cannot map what is ours
    else:
        ours = torch._C._is_any_autocast_enabled() and not is_looked_into()
    if not ours:
        with full_precision(a):
            return a @ b
    result: Tensor = _Product.apply(a, b)  # type: ignore[no-untyped-call]
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        with full_precision(a):
            return a @ b

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        of_a, of_b = ctx.needs_input_grad
        if torch.compiler.is_compiling():  # which knows no second derivatives, and would follow this without end
            with full_precision(grad):
                return grad @ b.T if of_a else None, a.T @ grad if of_b else None
        return product(grad, b.T) if of_a else None, product(a.T, grad) if of_b else None


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Lets the CPU round the factors of float32 products to bfloat16 with ``"bf16"``, and puts the setting back.

    The products are still summed in float32. Machines without bfloat16 instructions compute in full float32. The
    setting is the process's: the last thread to leave puts it back, else one that came later would bring it back.
    """
    if precision != "bf16":
        yield
        return
    with _lock:
        _before.append(_before[0] if _before else _setting())
        _set("medium" if _own() is None else "bf16")
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                _set(before)


def _own() -> Any:
    """The setting of oneDNN's products alone, which torch 2.9 and later have."""
    return getattr(torch.backends.mkldnn, "matmul", None)


def _setting() -> str:
    own = _own()
    return torch.get_float32_matmul_precision() if own is None else str(own.fp32_precision)


def _set(value: str) -> None:
    own = _own()
    if own is None:
        torch.set_float32_matmul_precision(value)
    else:
        own.fp32_precision = value
