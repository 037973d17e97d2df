"""Ordinary tensor operations, where a CPU does them faster by another way; every device gives the same values.

Long columns are worked off in blocks that stay in a core's cache. Large results lie in memory that numpy asks for,
because numpy asks the system for large pages, and handing out small ones costs more than most operations on them. What
autograd has to follow takes torch's own way.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["BLOCK", "ascending", "columns", "empty_like", "in_blocks", "put", "sort_in_place", "take", "where"]

BLOCK = 1 << 15  # elements: 256 kB of int64, and torch starts no threads for so few
_LARGE = 1 << 22  # bytes: what numpy asks large pages for


def empty_like(value: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the given shape, with the type and device of ``value``."""
    size = math.prod(shape) * value.element_size()
    if value.device.type != "cpu" or size < _LARGE:
        return value.new_empty(shape)
    return torch.from_numpy(np.empty(size, np.uint8)).view(value.dtype).view(shape)


def in_blocks(function: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """``function(*values)`` of an elementwise function of 1-dim tensors of one length, which it must not change."""
    n = values[0].numel()
    if values[0].device.type != "cpu" or n <= 2 * BLOCK:
        return function(*values)
    first = function(*(value[:BLOCK] for value in values))
    out = empty_like(first, n)
    out[:BLOCK] = first
    for i in range(BLOCK, n, BLOCK):
        out[i : i + BLOCK] = function(*(value[i : i + BLOCK] for value in values))
    return out


def take(value: Tensor, index: Tensor, dim: int = 0) -> Tensor:
    """``value.index_select(dim, index)``."""
    if index.numel() < BLOCK or value.device.type != "cpu" or _is_tracked(value):
        return value.index_select(dim, index)
    shape = list(value.shape)
    shape[dim] = index.numel()
    return torch.index_select(value, dim, index, out=empty_like(value, *shape))


def ascending(values: Tensor) -> bool:
    """Whether none of ``values`` [M] is less than the one before it."""
    if values.device.type == "cpu":
        column = values.numpy()
        return bool(np.count_nonzero(column[1:] < column[:-1]) == 0)
    return not bool((values[1:] < values[:-1]).any())


def sort_in_place(values: np.ndarray[Any, np.dtype[np.signedinteger[Any]]]) -> None:
    """Sort ``values`` [M]; of many, torch sorts the digits, in half of numpy's time."""
    if values.size <= 2 * BLOCK:
        values.sort()
    else:
        values[:] = torch.from_numpy(values).sort().values.numpy()


def columns(value: Tensor, index: Tensor) -> Tensor:
    """``[R, K]`` the columns of ``value`` [R, M] at ``index`` [K]; many of them row by row, which is faster by half."""
    if index.numel() < BLOCK:
        if value.device.type == "cpu" and value.dtype == torch.int64:
            return torch.from_numpy(value.numpy().take(index.numpy(), axis=1))
        return value.index_select(1, index)
    out = empty_like(value, value.size(0), index.numel())
    for row, to in zip(value, out, strict=True):
        torch.index_select(row, 0, index, out=to)
    return out


def put(value: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    """``value.index_copy(0, index, rows)``: a copy in which ``rows`` stand at ``index``."""
    if value.device.type != "cpu" or _is_tracked(value) or _is_tracked(rows):
        return value.index_copy(0, index, rows)
    return empty_like(value, *value.shape).copy_(value).index_copy_(0, index, rows)


def where(mask: Tensor) -> Tensor:
    """``[K]`` the positions at which ``mask`` [M] is true, ascending."""
    if mask.device.type == "cpu":  # numpy takes a tenth of torch's time
        return torch.from_numpy(mask.numpy().nonzero()[0])
    return mask.nonzero().squeeze(1)


def _is_tracked(value: Tensor) -> bool:
    return value.requires_grad and torch.is_grad_enabled()
