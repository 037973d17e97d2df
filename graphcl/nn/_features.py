"""The first linear map on wide features that are mostly zeros, such as bags of words: a product over what is there."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl.nn._cache import remember
from graphcl.nn.weighted import SparseMatrix

__all__ = ["linear"]

WIDTH = 256  # below, the dense product is over before the entries are found
SHARE = 1 / 16  # of entries that are not zero; above, the dense product is as fast
LOOK = 64  # rows that tell whether it is worth looking at all


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight.T``, by a sparse product where ``x`` is wide, mostly zeros, and needs no gradient; on a CPU."""
    if torch.compiler.is_compiling() or not _may_be_sparse(x, weight):
        return F.linear(x, weight)
    return _product(x, weight)


def _may_be_sparse(x: Tensor, weight: Tensor) -> bool:
    if x.device.type != "cpu" or x.requires_grad or x.dtype != weight.dtype or torch.is_autocast_enabled("cpu"):
        return False
    return x.dtype in (torch.float32, torch.float64) and x.size(1) >= WIDTH and x.size(0) >= LOOK


def _product(x: Tensor, weight: Tensor) -> Tensor:
    entries = remember((x,), "features", lambda: _entries(x))
    return F.linear(x, weight) if entries is None else entries(weight.T.contiguous())


def _entries(x: Tensor) -> SparseMatrix | None:
    """The entries of ``x`` that are not zero, or ``None`` where they are too many."""
    some = x[:: x.size(0) // LOOK]
    if int(torch.count_nonzero(some)) > SHARE * some.numel():
        return None
    place = torch.from_numpy(np.flatnonzero((x != 0).numpy()))  # three times as fast as torch's own
    if place.numel() > 2 * SHARE * x.numel():
        return None
    row = torch.div(place, x.size(1), rounding_mode="floor")
    return SparseMatrix.of(row, place - row * x.size(1), x.reshape(-1)[place], x.size(0), x.size(1))
