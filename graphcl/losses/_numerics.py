"""What the losses do with embeddings and numbers first: one precision, one length."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl.similarity._fold import unit_rows

__all__ = ["as_number", "log_size", "number_beside", "softplus", "unit_views", "widened"]


def as_number(value: Tensor) -> Tensor:
    """A tensor of one element without dimensions, in float32 or better: it then decides neither shape nor dtype."""
    return value.reshape(()).to(torch.promote_types(torch.float32, value.dtype))


def number_beside(z: Tensor, value: float | Tensor) -> Tensor:
    """A tensor without dimensions, of the dtype and on the device of ``z``.

    Filled in: a copy from the host would make a GPU wait, and cannot be captured in a CUDA graph.
    """
    if isinstance(value, Tensor):
        return value.reshape(()).to(z)
    return torch.full((), value, dtype=z.dtype, device=z.device)


def log_size(size: int, z: Tensor) -> float | Tensor:
    """The logarithm of a number of rows, such as those of ``z``; for a compiler, which leaves it open, as a tensor."""
    return number_beside(z, size).log() if torch.compiler.is_compiling() else math.log(size)


def widened(*tensors: Tensor) -> list[Tensor]:
    """The tensors in one precision: the finest of theirs, float32 at least."""
    dtype = torch.float32
    for z in tensors:
        dtype = torch.promote_types(dtype, z.dtype)
    return [z.to(dtype) for z in tensors]


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x): torch's own gives x from 20 on, where e^-x is still something in double precision."""
    return F.softplus(x, threshold=40.0)


def unit_views(z1: Tensor, z2: Tensor) -> Tensor:
    """``[2N, D]`` the rows of both views at length one, one view after the other."""
    return unit_rows(torch.cat(widened(z1, z2)))
