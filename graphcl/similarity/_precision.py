"""How matrix products are rounded inside the tiles."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["products"]


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Lets the CPU round the factors of float32 products to bfloat16 with ``"bf16"``, and puts the setting back.

    The products are still summed in float32. Machines without bfloat16 instructions compute in full float32.
    """
    if precision != "bf16":
        yield
        return
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is not None:  # torch >= 2.9
        before = matmul.fp32_precision
        matmul.fp32_precision = "bf16"
        try:
            yield
        finally:
            matmul.fp32_precision = before
        return
    old = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(old)
