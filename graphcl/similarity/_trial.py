"""Whether the kernels of Triton agree with the dense sums on this very device: asked once, before they are chosen.

What a compiler and a driver make of a kernel is theirs. A call that did not ask for the kernels gets them only where a
small problem has come out right.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from graphcl.similarity._rounded import allowed

__all__ = ["UNTRIED", "fault"]

UNTRIED = "the kernels of Triton have not been tried on this device yet, and cannot be here"
SCALE = 5.0
# What they may be off by: exponents, and gradients relative to the largest; see ``precision`` of ``logsumexp``.
ALLOWED = {"float32": (1e-4, 1e-4), "tf32": (5e-3, 1e-2), "fp16": (5e-3, 1e-2)}
_found: dict[tuple[str, int | None, str], str] = {}


@torch.compiler.assume_constant_result  # a compiler asks as it reads, not in its graph
def fault(device: torch.device, format: str) -> str:
    """What keeps the kernels from being chosen on a device; empty if nothing does.

    Args:
        device: Where.
        format: Of the products, ``"float32"`` or ``"fp16"``; what ``torch.set_float32_matmul_precision`` makes of the
            first is tried apart.
    """
    format = allowed(format)
    key = (device.type, device.index, format)
    if key in _found:
        return _found[key]
    if _is_capturing(device):
        return UNTRIED  # the kernels would be recorded with the graph
    _found[key] = _try(device, format)
    if _found[key]:
        warnings.warn(
            f"{_found[key]} on {device}, so log-sums are made in tiles, which is slower; please report it. "
            "impl='triton' asks for the kernels all the same",
            RuntimeWarning,
            stacklevel=2,
        )
    return _found[key]


def _is_capturing(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def _try(device: torch.device, format: str) -> str:
    try:
        # In a thread of its own, where nothing holds of what may be on here: autocast, inference, hooks, transforms,
        # a stream.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_difference, device, format).result()
    except Exception as error:  # whatever a compiler may say: the reason is told, and another way is taken
        return f"the kernels of Triton failed ({type(error).__name__}: {str(error)[:200]})"


def _difference(device: torch.device, format: str) -> str:
    found, wanted = (_small_problem(device, impl, format) for impl in ("triton", "dense"))
    for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
        of_gradients = i >= 3
        limit = ALLOWED[format][of_gradients]
        off = float((one.double() - other).abs().max() / (other.abs().max() if of_gradients else 1))
        if not off <= limit:  # also where it is NaN
            return f"the kernels of Triton were off by {off:.2g}, more than {limit:.2g}"
    return ""


def _small_problem(device: torch.device, impl: str, format: str) -> list[Tensor]:
    """Sums among rows and both ways between rows, with groups left out, and three gradients."""
    from graphcl.similarity.engine import logsumexp, logsumexp_both

    dtype = torch.float64 if impl == "dense" else torch.float32
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(n, 72, generator=generator).to(device, dtype).requires_grad_() for n in (300, 333))
    scale = torch.full((), SCALE, device=device, dtype=dtype, requires_grad=True)
    item = torch.arange(len(one), device=device)
    groups = item // 7, torch.arange(len(other), device=device) // 5
    options = {"scale": scale, "impl": impl, "precision": "fp16" if (impl, format) == ("triton", "fp16") else "float32"}
    among = logsumexp(one, exclude=[(item, item)], **options)  # type: ignore[arg-type]
    rows, columns = logsumexp_both(one, other, exclude=[groups], **options)  # type: ignore[arg-type]
    total = among.sum() + (rows * rows.detach().cos()).sum() + (columns * columns.detach().cos()).sum()
    return [among.detach(), rows.detach(), columns.detach(), *torch.autograd.grad(total, [one, other, scale])]
