"""What a masked row becomes: a number, a token, the mean of its graph, or noise."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl._arguments import plain
from graphcl._random import hash_ids, normal

__all__ = ["Fill", "can_hold", "check_fill", "fill_rows", "means", "span"]

Fill = float | Literal["mean", "gaussian"] | Sequence[float] | Tensor
"""One number for all columns; the mean row of the graph; noise; or a row: a number per column, or a tensor."""


def check_fill(fill: Fill) -> Fill:
    """``fill``, or an error if it is none."""
    if isinstance(fill, str):
        if fill not in ("mean", "gaussian"):
            raise ValueError(f"expected fill to be a number, a row, 'mean' or 'gaussian', got {fill!r}")
    elif not isinstance(fill, Tensor):
        fill = [plain(n) for n in fill] if isinstance(fill, list | tuple) else plain(fill)
        numbers = fill if isinstance(fill, list) else [fill]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            raise TypeError(f"expected fill to be a number, a row of numbers, 'mean' or 'gaussian', got {fill!r}")
    return fill


def fill_rows(
    name: str, value: Tensor, fill: Fill, k: int, *, mean: Callable[[], Tensor], noise: Callable[[], Tensor]
) -> Tensor:
    """``[K, ...]`` what K masked rows of ``value`` become.

    ``mean`` gives the flat mean row of each masked row's graph, ``noise`` a hash for each masked row, and a masked row
    for itself gets its own numbers from it.
    """
    shape = (k, *value.shape[1:])
    _check_type(name, value, fill)
    if isinstance(fill, str):
        if fill == "mean":
            return mean().reshape(shape)
        column = torch.arange(math.prod(shape[1:]), device=value.device)
        return normal(hash_ids(noise()[:, None], column)).mul_(0.5).add_(0.5).to(value.dtype).reshape(shape)
    if isinstance(fill, int | float):
        return value.new_full(shape, fill)
    row = fill if isinstance(fill, Tensor) else torch.tensor(fill, dtype=value.dtype)
    if row.shape != value.shape[1:]:
        raise ValueError(
            f"expected a fill of shape {list(value.shape[1:])}, a row of {name!r}, got {list(row.shape)}; give one "
            f"number per column, or a single number for all"
        )
    return row.to(value.device, value.dtype).expand(shape)


def _check_type(name: str, value: Tensor, fill: Fill) -> None:
    if isinstance(fill, Tensor) and fill.is_complex() and not value.is_complex():
        raise TypeError(f"expected a fill of real numbers for {name} of {value.dtype}, got {fill.dtype}")
    if value.is_floating_point() or value.is_complex():
        return
    if isinstance(fill, Tensor):
        fits = not fill.is_floating_point() and _spans(value.dtype, fill)
    elif isinstance(fill, str):
        fits = False
    else:
        fits = all(can_hold(value, n) for n in ([fill] if isinstance(fill, int | float) else fill))
    if not fits:
        low, high = span(value.dtype)
        raise TypeError(
            f"expected floating-point {name} for fill={fill!r}, got {value.dtype}; give a whole number from {low} to "
            f"{high} as mask token, or one per column; or write data.{name} = data.{name}.float(), if the numbers are "
            f"no categories"
        )


def can_hold(value: Tensor, number: float) -> bool:
    """Whether ``number`` is one that a tensor like ``value`` can hold; of whole numbers, exactly."""
    if value.is_floating_point() or value.is_complex():
        return True
    low, high = span(value.dtype)
    return low <= number <= high and float(number).is_integer()


def _spans(dtype: torch.dtype, fill: Tensor) -> bool:
    """Whether a type of whole numbers can hold those of ``fill``; of one on a device, to be waited for, it is said."""
    if fill.device.type != "cpu" or fill.numel() == 0:
        return True
    low, high = span(dtype)
    return low <= int(fill.min()) and int(fill.max()) <= high


def span(dtype: torch.dtype) -> tuple[int, int]:
    """The least and the greatest number that a type of whole numbers can hold."""
    return (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)


def means(value: Tensor, rows: Tensor | None, ptr: Tensor) -> Tensor:
    """``[G, F]`` the mean of each graph's rows, added up in the same order on every device.

    ``rows`` says where in ``value`` the rows are (all of them if ``None``), ``ptr`` [G + 1] which graph's they are.
    """
    width = math.prod(value.shape[1:])
    sizes = ptr.diff()
    if value.size(0) == 0 or width == 0:
        return value.new_zeros(sizes.numel(), width)
    if value.is_complex():  # embedding_bag knows none
        return torch.view_as_complex(means(torch.view_as_real(value.resolve_conj()), rows, ptr).view(-1, width, 2))
    rows = torch.arange(value.size(0), device=value.device) if rows is None else rows
    if value.dtype in (torch.float16, torch.bfloat16):  # whose sums overflow or stand still
        return means(value.float(), rows, ptr).to(value.dtype)
    total = F.embedding_bag(rows, value.reshape(value.size(0), width), ptr, mode="sum", include_last_offset=True)
    return total / sizes.clamp(min=1)[:, None].to(value.dtype)
