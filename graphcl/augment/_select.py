"""An exact number of elements per graph, chosen by hash, for all graphs in one sort."""

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from graphcl._arguments import check_choice, check_number
from graphcl._host import BLOCK, sort_in_place
from graphcl._random import Array

__all__ = [
    "Chance",
    "Count",
    "check_count",
    "check_count_or_chance",
    "check_share",
    "how_many",
    "limit_of_smallest",
    "places",
    "repeated",
    "smallest_k",
    "sort_keys",
    "upper_half",
]

Count = Literal["round", "floor"]
"""How a share becomes a number of elements: the nearest integer, or the integer below (the authors' recipe)."""

Chance = Literal["bernoulli"]
"""The third way: a coin for each element."""


_NEARLY = 1e-9  # a share such as 0.29 of 100 must be 29, not 28.999999999999996 floored to 28


def check_share(name: str, share: float) -> float:
    """``share`` as a float, or ``ValueError`` if it is not within [0, 1]."""
    share = check_number(name, share, "a share between 0 and 1")
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"expected {name} within [0, 1] (a share of each graph), got {share!r}")
    return float(share)


def check_count(count: str) -> Count:
    """``count``, or ``ValueError`` if it is no known rule for an exact number."""
    check_choice("count", count, get_args(Count))
    return count  # type: ignore[return-value]


def check_count_or_chance(count: str) -> Count | Chance:
    """``count``, or ``ValueError`` if it is no known rule."""
    check_choice("count", count, (*get_args(Chance), *get_args(Count)))
    return count  # type: ignore[return-value]


def how_many(share: float, sizes: Tensor, count: Count) -> Tensor:
    """``[G]`` the number of elements that make up ``share`` of each graph's ``sizes`` elements."""
    if sizes.device.type == "cpu":  # numpy starts these few operations in a quarter of the time
        exact_ = sizes.numpy() * share
        return torch.from_numpy((np.floor(exact_ + _NEARLY) if count == "floor" else np.rint(exact_)).astype(np.int64))
    exact = sizes.double() * share
    return (exact + _NEARLY).floor().long() if count == "floor" else exact.round().long()


def places(count: int) -> int:
    """How many bits the position of one of ``count`` elements needs."""
    return max(count - 1, 0).bit_length()


def repeated(values: Tensor, bits: int) -> Tensor:
    """``[M]`` true where a value, all of which lie in [0, 2^``bits``), has stood before."""
    low = places(values.numel())
    if values.device.type == "cpu" and bits + low <= 63:
        # Value and place in one number: numbers are sorted faster than their order is found.
        packed = (values.numpy() << low) | np.arange(values.numel())
        sort_in_place(packed)
        value = packed >> low
        found = np.zeros(packed.size, np.bool_)
        found[packed[1:][value[1:] == value[:-1]] & ((1 << low) - 1)] = True
        return torch.from_numpy(found)
    ordered, order = torch.sort(values, stable=True)
    again = torch.zeros_like(values, dtype=torch.bool)
    again[1:] = ordered[1:] == ordered[:-1]
    return torch.empty_like(again).scatter_(0, order, again)


def sort_keys(hashes: Tensor, group: Tensor, num_groups: int) -> Tensor:
    """``[M]`` int64, ascending by group and within it by hash.

    The group takes 16 bits (more only above 65,536 groups) and the hash the other 47, so that the order within a group
    does not depend on how many groups there are.
    """
    bits = _group_bits(num_groups)
    return (hashes >> (bits + 1)).bitwise_and_((1 << (63 - bits)) - 1).bitwise_or_(group << (63 - bits))


def _group_bits(num_groups: int) -> int:
    return max(16, (num_groups - 1).bit_length())


def smallest_k(hashes: Tensor, group: Tensor, k: Tensor, sizes: Tensor) -> Tensor:
    """``[M]`` true for the ``k[g]`` elements of each group with the smallest hashes.

    ``group`` is ascending, and ``sizes`` counts the elements of each group. One sort by :func:`sort_keys`.
    """
    if hashes.device.type == "cpu":
        chosen = _below_kth(hashes, group, k, sizes, _group_bits(k.numel()))
        if chosen is not None:
            return chosen
    order = torch.argsort(sort_keys(hashes, group, k.numel()), stable=True)
    # Sorting leaves every group where it lies: its first k places hold its smallest.
    last = (sizes.cumsum(0) - sizes + torch.minimum(k, sizes)).index_select(0, group)
    chosen = torch.arange(group.numel(), device=group.device) < last
    return torch.empty_like(chosen).scatter_(0, order, chosen)


def _below_kth(hashes: Tensor, group: Tensor, k: Tensor, sizes: Tensor, bits: int) -> Tensor | None:
    """The same for a CPU, where values are sorted faster than their order is found.

    ``None`` if two sort keys at a group's boundary are equal, where only the order of the elements can decide.
    """
    code, count = hashes.numpy().view(np.uint64), np.minimum(k.numpy(), sizes.numpy())
    if k.numel() == 1:
        upper = upper_half(code)
        limit = limit_of_smallest(upper, int(count[0]))
        if limit is None:
            upper = code >> np.uint64(bits + 1)
            limit = limit_of_smallest(upper, int(count[0]))
        return None if limit is None else torch.from_numpy(upper < limit)
    code = (code >> np.uint64(bits + 1)) | (group.numpy().view(np.uint64) << np.uint64(63 - bits))
    ordered = np.empty(code.size + 1, np.uint64)
    ordered[:-1], ordered[-1] = code, (1 << 63) - 1  # no sort key is above it
    sort_in_place(ordered.view(np.int64))
    ends = sizes.numpy().cumsum()
    chosen = code < np.repeat(ordered[ends - sizes.numpy() + count], sizes.numpy())
    return torch.from_numpy(chosen) if np.count_nonzero(chosen) == count.sum() else None


def upper_half(hashes: Array) -> Array:
    """The upper 32 bits of unsigned numbers, which nearly always tell two of them apart, in half the memory."""
    return hashes.view(np.uint32)[1::2].copy()  # every machine that torch runs on stores the lower end first


def limit_of_smallest(values: Array, k: int) -> np.unsignedinteger[Any] | None:
    """What exactly ``k`` of the unsigned ``values`` lie below, or ``None`` if equal ones leave no such number."""
    if k == values.size:  # no uint32 is as large, and no 47 bits of a hash
        return np.uint64(1 << 63)
    if values.size > BLOCK and values.dtype == np.uint32:
        values, k = _near_kth(values, k)
    ordered = np.partition(values, k)
    return None if k > 0 and ordered[:k].max() == ordered[k] else ordered[k]


def _near_kth(values: Array, k: int) -> tuple[Array, int]:
    """Those of the uint32 ``values`` among which the k-th smallest is, and which it is of these.

    Upper halves of hashes are spread evenly, so that few come near; of others, all are returned.
    """
    share = k / values.size
    reach = 6 * math.sqrt(share * (1 - share) / values.size) + 1 / values.size
    low, high = (min(max(int((share + off) * 2.0**32), 0), (1 << 32) - 1) for off in (-reach, reach))
    below = int(np.count_nonzero(values < np.uint32(low)))
    near = values[(values - np.uint32(low) < np.uint32(high - low)).nonzero()[0]]  # those below wrap around
    return (near, k - below) if below <= k < below + near.size else (values, k)
