"""What the augmentations of features share: the features themselves, and random numbers for each element of them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from graphcl._host import BLOCK
from graphcl._random import hash_ids, normal_table
from graphcl.augment._graph import Graph

__all__ = ["below_share", "features", "floating", "normals", "num_columns", "uniforms"]


def features(graph: Graph) -> Tensor:
    """``[N, ...]`` the features of the graph's nodes."""
    x = graph.stored_features("change")
    return x if graph.rows is None else x.index_select(0, graph.rows)


def floating(graph: Graph, why: str) -> Tensor:
    """The features, if they are floating point: ``why`` names what needs that."""
    x = features(graph)
    if not x.is_floating_point():
        raise TypeError(f"expected floating-point x for {why}, got {x.dtype}; write data.x = data.x.float()")
    return x


def num_columns(x: Tensor) -> int:
    """The number of columns: what one node has of numbers, whatever the shape in which it has them."""
    return math.prod(x.shape[1:])


def below_share(keys: Tensor, columns: int, share: float) -> Tensor:
    """``[N, F]`` true with probability ``share``, to a precision of 2^-32, from one key per row."""
    number = round(share * 2.0**32)
    if number == 0:
        return torch.zeros(keys.numel(), columns, dtype=torch.bool, device=keys.device)
    last = number - (1 << 31) - 1
    return _each(lambda bits: bits <= last, keys, columns, torch.int32)


def normals(keys: Tensor, columns: int) -> Tensor:
    """``[N, F]`` standard normal numbers, float32, from one key per row; see :func:`graphcl._random.normal`."""
    table = normal_table(keys.device)
    if keys.device.type == "cpu":
        by_bits = table.numpy()
        return _each(lambda bits: torch.from_numpy(by_bits[bits.numpy().view("uint16")]), keys, columns, torch.int16)
    return _each(lambda bits: table[bits.int().bitwise_and_(0xFFFF)], keys, columns, torch.int16)


def uniforms(keys: Tensor, columns: int) -> Tensor:
    """``[N, F]`` multiples of 2^-32 in [0, 1), float64, from one key per row."""
    return _each(lambda bits: bits.double().add_(2.0**31).mul_(2.0**-32), keys, columns, torch.int32)


def _each(function: Callable[[Tensor], Tensor], keys: Tensor, columns: int, bits: torch.dtype) -> Tensor:
    """``function`` of an ``[N, F]`` tensor of random integers of type ``bits``, several of them cut from one hash.

    On the CPU the rows are worked off in blocks, because intermediate results that leave the cache cost more than the
    hashing.
    """
    n = keys.numel()
    if n == 0 or columns == 0:
        return function(torch.empty(n, columns, dtype=bits, device=keys.device))
    lanes = 8 // bits.itemsize
    words = torch.arange(-(-columns // lanes), device=keys.device)

    def block(some: Tensor) -> Tensor:
        # Every device that torch runs on stores the lower end of a number first.
        return function(hash_ids(some[:, None], words).view(bits)[:, :columns])

    step = max(BLOCK // columns, 1) if keys.device.type == "cpu" else n
    if step >= n:
        return block(keys)
    first = block(keys[:step])
    out = first.new_empty(n, columns)
    out[:step] = first
    for start in range(step, n, step):
        out[start : start + step] = block(keys[start : start + step])
    return out
