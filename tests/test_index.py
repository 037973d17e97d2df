"""Row numbers sorted by value, on a CPU and as any device does it, and refused where they are out of range."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl._index import group, group_anywhere


@given(index=st.lists(st.integers(0, 6), max_size=30), in_order=st.booleans())
def test_equals_a_stable_argsort(index, in_order):
    index = torch.tensor(sorted(index) if in_order else index, dtype=torch.int64)
    ptr, order = group(index, 7)
    assert ptr.dtype == order.dtype
    assert order.tolist() == torch.argsort(index, stable=True).tolist()
    assert ptr.tolist() == [0, *torch.bincount(index, minlength=7).cumsum(0).tolist()]


@pytest.mark.parametrize("index", [[0, 3], [3, 0], [-1, 0], [0, -1]])
def test_out_of_range(index):
    with pytest.raises(IndexError, match="expected indices from 0 to 2, got"):
        group(torch.tensor(index), 3)


def test_leaves_its_input_alone():
    index = torch.tensor([2, 0, 1])
    group(index, 3)
    assert index.tolist() == [2, 0, 1]


@pytest.mark.parametrize("count", [0, 1, 500])
def test_other_devices_sort_the_same_way(count, generator):
    index = torch.randint(40, (count,), generator=generator)
    for one, other in zip(group(index, 40), group_anywhere(index, 40), strict=True):
        assert one.dtype == other.dtype == torch.int64 and torch.equal(one, other)


def test_columns_of_a_matrix_are_sorted_without_a_warning():
    index = torch.tensor([[0, 2], [1, 1], [3, 0]]).T[0]
    assert [part.tolist() for part in group(index, 4)] == [[0, 1, 2, 2, 3], [0, 1, 2]]
