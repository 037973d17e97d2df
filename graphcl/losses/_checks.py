"""What the losses demand of their arguments."""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from graphcl.losses._numerics import as_number
from graphcl.similarity._checks import is_readable

__all__ = [
    "as_temperature",
    "check_alike",
    "check_exclude",
    "check_floating",
    "check_ids",
    "check_index",
    "check_one_number",
    "check_one_positive",
    "check_positive",
    "check_query_key_queue",
    "check_rows",
    "check_start",
    "check_temperature",
    "check_views",
    "check_within",
]


def check_floating(name: str, z: Tensor) -> None:
    """A floating-point tensor."""
    if not isinstance(z, Tensor):
        raise TypeError(f"expected {name} to be a tensor, got {type(z).__name__}; write torch.as_tensor({name})")
    if not z.is_floating_point():
        raise TypeError(f"expected floating-point {name}, got {z.dtype}; call {name}.float()")


def check_rows(name: str, z: Tensor, *, least: int = 1) -> None:
    """A floating-point ``[N, D]`` tensor with enough rows."""
    check_floating(name, z)
    if z.dim() != 2:
        raise ValueError(f"expected {name} of shape [N, D], got {list(z.shape)}")
    if z.size(0) < least:
        raise ValueError(f"expected {name} with at least {least} row{'s' * (least > 1)}, got {z.size(0)}")


def check_alike(**tensors: Tensor) -> None:
    """Tensors of rows that are compared: one width and one device."""
    names = " and ".join(tensors)
    widths = {z.size(1) for z in tensors.values()}
    if len(widths) > 1:
        raise ValueError(f"expected {names} of one width D, got {[list(z.shape) for z in tensors.values()]}")
    devices = {z.device for z in tensors.values()}
    if len(devices) > 1:
        raise ValueError(f"expected {names} on one device, got {' and '.join(sorted(map(str, devices)))}")


def check_ids(name: str, ids: Tensor, rows: int, device: torch.device) -> None:
    """An integer per row: labels, groups, or the graph of a node."""
    if not isinstance(ids, Tensor):
        raise TypeError(
            f"expected {name} to be a tensor of integers, got {type(ids).__name__}; write torch.as_tensor({name})"
        )
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"expected {name} to hold integers, got {ids.dtype}; call {name}.long()")
    if ids.shape != (rows,):
        raise ValueError(f"expected {name} of shape [{rows}], one integer per row, got {list(ids.shape)}")
    if ids.device != device:
        raise ValueError(f"expected {name} on {device}, where the embeddings are, got {ids.device}")


def check_exclude(exclude: object, form: str = "groups") -> None:
    """A list, which can be gone through again: an iterator would be used up by the checks, and bar nothing."""
    if isinstance(exclude, Tensor) or not isinstance(exclude, Sequence):
        got = "a tensor" if isinstance(exclude, Tensor) else type(exclude).__name__
        raise TypeError(f"expected exclude to be a list of group vectors, got {got}; write exclude=[{form}]")


def check_index(name: str, index: Tensor, size: int) -> None:
    """Row numbers below ``size``; read on the CPU only, where that stalls nothing."""
    if index.numel() == 0 or not is_readable(index):
        return
    low, high = (int(bound) for bound in index.aminmax())
    if low < 0 or high >= size:
        raise ValueError(f"expected {name} in [0, {size}), got values from {low} to {high}")


def check_query_key_queue(query: Tensor, key: Tensor, queue: Tensor) -> None:
    """Queries and keys of one shape, and a queue of their width."""
    for name, z in (("query", query), ("key", key), ("queue", queue)):
        check_rows(name, z)
    if query.shape != key.shape:
        raise ValueError(
            f"expected query and key of one shape [N, D], row by row of the same items, "
            f"got {list(query.shape)} and {list(key.shape)}"
        )
    check_alike(query=query, key=key, queue=queue)


def check_views(z1: Tensor, z2: Tensor, *, least: int = 2) -> None:
    """Two floating-point ``[N, D]`` tensors of one shape and device, with at least two rows."""
    check_floating("z1", z1)
    check_floating("z2", z2)
    if z1.dim() != 2 or z1.shape != z2.shape:
        raise ValueError(
            f"expected z1 and z2 of one shape [N, D], row i of both from the same graph or node, "
            f"got {list(z1.shape)} and {list(z2.shape)}"
        )
    if z1.device != z2.device:
        raise ValueError(f"expected z1 and z2 on one device, got {z1.device} and {z2.device}")
    if z1.size(0) < least:
        raise ValueError(
            f"expected at least 2 rows to contrast, got {z1.size(0)}: the other rows of the batch are the negatives, "
            "and in a batch of one graph there are none. Use a larger batch (drop a last one of a single graph or "
            "seed), or contrast nodes"
        )


def check_temperature(temperature: float | Tensor) -> None:
    """A positive, finite temperature; a tensor, such as a learnable one, must be one number."""
    if isinstance(temperature, Tensor):
        check_one_positive("temperature", temperature)
        return
    check_positive("temperature", temperature)


def as_temperature(temperature: float | Tensor) -> float | Tensor:
    """The temperature, checked; a tensor as one number in float32 or better.

    In 16 bits one over it, by which similarities are multiplied, is not what the positives are divided by.
    """
    check_temperature(temperature)
    return as_number(temperature) if isinstance(temperature, Tensor) else temperature


def check_one_number(name: str, value: Tensor) -> None:
    """A tensor of one element: one per row would be taken for several scales of all rows."""
    if value.numel() != 1:
        raise ValueError(f"expected one {name} for all rows, got a tensor of shape {list(value.shape)}")


def check_one_positive(name: str, value: Tensor) -> None:
    """A tensor of one element above 0, where it can be read: a device would have to be waited for."""
    check_one_number(name, value)
    if is_readable(value) and not (number := value.detach().item()) > 0:
        raise ValueError(f"expected a positive {name}, got {number:g}; learned as a logarithm it stays positive")


def _check_real(name: str, value: object) -> None:
    """A real number, or a tensor of one."""
    if not isinstance(value, (int, float, Real, Tensor)):
        raise TypeError(f"expected {name} to be a number, got {type(value).__name__}")


def check_positive(name: str, value: float) -> None:
    """A positive, finite number."""
    _check_real(name, value)
    if not 0 < value < math.inf:  # a compiler that leaves the number open can compare it, and not ask isfinite
        raise ValueError(f"expected a positive {name}, got {value!r}")


def check_within(name: str, value: float, low: float, high: float = math.inf) -> None:
    """A finite number in [low, high)."""
    _check_real(name, value)
    if not (low <= value < high and -math.inf < value < math.inf):
        raise ValueError(f"expected {name} in [{low:g}, {high:g}), got {value!r}")


def check_start(name: str, value: object, learned: str, function: str) -> None:
    """No tensor where a module learns a number of its own: one with a gradient would be copied, and never learn."""
    if isinstance(value, Tensor):
        raise TypeError(
            f"expected {name} to be a number, at which the parameter {learned} starts, got a tensor; to learn one of "
            f"your own, call losses.functional.{function}(..., {name}={name})"
        )
