"""Exactly k of each group: the same elements by every way, also where sort keys are equal."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcl._host import BLOCK
from graphcl._random import hash_ids
from graphcl.augment._select import how_many, limit_of_smallest, repeated, smallest_k


def literal(hashes: Tensor, sizes: list[int], k: list[int], bits: int) -> list[bool]:
    """Group by group, by the upper bits of the hash as an unsigned number, and by position where they are equal."""
    chosen, begin = [], 0
    for size, number in zip(sizes, k, strict=True):
        part = [(int(h) % 2**64) >> (bits + 1) for h in hashes[begin : begin + size]]
        first = set(sorted(range(size), key=lambda i: (part[i], i))[:number])
        chosen += [i in first for i in range(size)]
        begin += size
    return chosen


CASES = [
    ([5], [2]),
    ([5], [0]),
    ([5], [5]),
    ([1, 0, 7, 3, 0, 12], [1, 0, 3, 0, 0, 12]),
    ([0, 0, 4], [0, 0, 1]),
    ([200], [77]),
    ([0], [0]),
]


@pytest.mark.parametrize(("sizes", "k"), CASES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_smallest_of_each_group(sizes: list[int], k: list[int], ties: bool) -> None:
    ids = torch.arange(sum(sizes))
    hashes = hash_ids(5, ids // 3 if ties else ids)
    group = torch.repeat_interleave(torch.tensor(sizes))
    chosen = smallest_k(hashes, group, torch.tensor(k), torch.tensor(sizes))
    assert chosen.tolist() == literal(hashes, sizes, k, 16)


def test_more_than_there_are_means_all() -> None:
    group, sizes = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([2, 3])
    chosen = smallest_k(hash_ids(0, torch.arange(5)), group, torch.tensor([9, 1]), sizes)
    assert chosen[:2].all()
    assert int(chosen[2:].sum()) == 1


def test_one_group_chooses_as_it_does_among_others() -> None:
    hashes = hash_ids(3, torch.arange(1000))
    alone = smallest_k(hashes, torch.zeros(1000, dtype=torch.int64), torch.tensor([300]), torch.tensor([1000]))
    group, sizes = torch.arange(3).repeat_interleave(1000), torch.tensor([1000] * 3)
    together = smallest_k(hashes.repeat(3), group, torch.tensor([300] * 3), sizes)
    assert torch.equal(together, alone.repeat(3))


SPREAD = np.random.default_rng(0).integers(1 << 32, size=2 * BLOCK, dtype=np.uint32)
HEAPED = SPREAD >> 8  # as hashes never are


@pytest.mark.parametrize("values", [SPREAD, HEAPED, np.unique(HEAPED) * 3, SPREAD.astype(np.uint64)])
@pytest.mark.parametrize("share", [0, 1e-4, 0.1, 0.5, 0.9999])
def test_the_limit_of_many_is_what_sorting_finds(values: NDArray[Any], share: float) -> None:
    k = int(share * values.size)
    limit = limit_of_smallest(values, k)
    ordered = np.sort(values)
    assert (limit is None) == (k > 0 and ordered[k - 1] == ordered[k])
    assert limit is None or int((values < limit).sum()) == k


@pytest.mark.parametrize("bits", [10, 62])  # packed with the place, and too large for that
def test_values_that_have_stood_before(bits: int) -> None:
    values = torch.tensor([4, 7, 4, 0, 7, 7, 1023])
    assert repeated(values, bits).tolist() == [False, False, True, False, True, True, False]


def test_shares_become_numbers() -> None:
    sizes = torch.tensor([0, 4, 5, 100])
    assert how_many(0.29, sizes, "floor").tolist() == [0, 1, 1, 29]
    assert how_many(0.29, sizes, "round").tolist() == [0, 1, 1, 29]
