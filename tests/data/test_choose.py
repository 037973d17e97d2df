"""k of d without replacement: every set equally likely, whatever the sizes beside it."""

from itertools import combinations
from math import comb

import pytest
import torch

from graphcl._random import hash_ids, randint
from graphcl.data._choose import _without_repeats, k_of_each


@pytest.mark.parametrize(("size", "k"), [(5, 2), (6, 3), (7, 6), (4, 4), (9, 1)])
def test_every_set_is_equally_likely(size: int, k: int) -> None:
    draws = 2000 * comb(size, k)
    chosen = k_of_each(torch.full((draws,), size), k, hash_ids(7, torch.arange(draws))).sort(0).values
    code = (chosen * size ** torch.arange(k)[:, None]).sum(0)
    counts = torch.tensor(
        [int((code == sum(v * size**i for i, v in enumerate(s))).sum()) for s in combinations(range(size), k)]
    )
    assert counts.sum() == draws  # all are sets of k different numbers below size
    freedom = len(counts) - 1
    statistic = ((counts - 2000) ** 2 / 2000).sum().item()
    assert statistic < freedom + 4 * (2 * freedom) ** 0.5 + 1e-9


def test_a_choice_depends_on_its_own_size_and_key() -> None:
    keys = hash_ids(3, torch.arange(100))
    sizes = torch.randint(12, 10**6, (100,), generator=torch.Generator().manual_seed(0))
    together = k_of_each(sizes, 12, keys)
    for i in (0, 17, 99):
        assert torch.equal(k_of_each(sizes[i : i + 1], 12, keys[i : i + 1])[:, 0], together[:, i])
    assert all(column.unique().numel() == 12 for column in together.T)
    assert bool((together < sizes).all()) and bool((together >= 0).all())


def test_nothing_to_choose_from() -> None:
    empty = torch.empty(0, dtype=torch.int64)
    assert k_of_each(empty, 3, empty).shape == (3, 0)


def test_every_device_chooses_alike() -> None:
    keys, k = hash_ids(3, torch.arange(500)), 9
    sizes = torch.randint(9, 40, (500,), generator=torch.Generator().manual_seed(0))
    top = sizes - k + torch.arange(k)[:, None]
    drawn = randint(hash_ids(keys, torch.arange(k)[:, None]), top + 1)
    assert torch.equal(_without_repeats(drawn, top), k_of_each(sizes, k, keys))
