"""What every two-view loss demands of its embeddings, and does with them first."""

import math

import torch
from torch import Tensor

__all__ = ["check_temperature", "check_views", "unit_rows"]


def check_views(z1: Tensor, z2: Tensor) -> None:
    """Two floating-point ``[N, D]`` tensors of one shape and device, with at least two rows."""
    for name, z in (("z1", z1), ("z2", z2)):
        if not isinstance(z, Tensor):
            raise TypeError(f"expected {name} to be a tensor, got {type(z).__name__}")
        if not z.is_floating_point():
            raise TypeError(f"expected floating-point {name}, got {z.dtype}; call {name}.float()")
    if z1.dim() != 2 or z1.shape != z2.shape:
        raise ValueError(
            f"expected z1 and z2 of one shape [N, D], row i of both from the same graph or node, "
            f"got {list(z1.shape)} and {list(z2.shape)}"
        )
    if z1.device != z2.device:
        raise ValueError(f"expected z1 and z2 on one device, got {z1.device} and {z2.device}")
    if z1.size(0) < 2:
        raise ValueError(
            f"expected at least 2 rows to contrast, got {z1.size(0)}: the other rows of the batch are the negatives, "
            "and in a batch of one graph there are none. Use a larger batch (drop a last one of a single graph), or "
            "contrast nodes"
        )


def check_temperature(temperature: float | Tensor) -> None:
    """A positive, finite temperature; a learnable one (a tensor) is not read on the host."""
    if isinstance(temperature, Tensor):
        return
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"expected a positive temperature, got {temperature!r}")


def unit_rows(z: Tensor) -> Tensor:
    """The rows at length one, in float32 or better; a row of zeros (an empty graph) stays and gets no gradient."""
    z = z.to(torch.promote_types(torch.float32, z.dtype))
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    return z / length.masked_fill(length == 0, torch.inf)
