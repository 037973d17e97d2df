"""The CPU's own ways give what torch gives: long and short, of every type, with and without a gradient."""

import pytest
import torch
from torch import Tensor

from graphcl._host import (
    BLOCK,
    ascending,
    columns,
    empty_like,
    in_blocks,
    put,
    take,
    where,
)


@pytest.mark.parametrize("n", [0, 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK + 77])
def test_blocks_are_the_whole(n: int) -> None:
    a, b = torch.arange(n), torch.arange(n).flip(0)
    assert torch.equal(in_blocks(lambda x, y: x * 3 - y, a, b), a * 3 - b)
    assert torch.equal(in_blocks(lambda x, y: x < y, a, b), a < b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.int32, torch.bool])
@pytest.mark.parametrize("n", [5, 70_000])
def test_rows_of_any_type(dtype: torch.dtype, n: int) -> None:
    value = torch.randint(-3, 3, (n, 20), generator=torch.Generator().manual_seed(0)).to(dtype)
    index = torch.arange(n - 1, -1, -2)
    assert torch.equal(take(value, index), value[index])
    assert torch.equal(take(value.t(), index, 1), value.t()[:, index])
    assert torch.equal(
        put(value, index, value[:1].expand(index.numel(), -1)), value.index_copy(0, index, value[index * 0])
    )
    out = empty_like(value, n, 7)
    assert (out.dtype, out.shape, out.device) == (dtype, (n, 7), value.device)


def test_results_are_new_tensors() -> None:
    value = torch.zeros(70_000, 20)
    for result in (take(value, torch.arange(70_000)), put(value, torch.arange(2), torch.ones(2, 20))):
        result += 1
    assert not value.any()


@pytest.mark.parametrize("n", [5, 70_000])
def test_gradients_pass(n: int) -> None:
    value, rows = torch.ones(n, 20, requires_grad=True), torch.ones(2, 20, requires_grad=True)
    index = torch.tensor([0, 3])
    take(value, index).sum().backward()
    assert value.grad is not None
    assert float(value.grad.sum()) == 40
    value.grad = None
    put(value, index, rows).sum().backward()
    assert float(value.grad.sum()) == 20 * (n - 2)
    assert rows.grad is not None
    assert float(rows.grad.sum()) == 40
    with torch.no_grad():
        assert not put(value, index, rows).requires_grad


def test_columns_and_positions() -> None:
    edges = torch.randint(1000, (2, 300_000), generator=torch.Generator().manual_seed(0))
    mask: Tensor = edges[0] > 300
    assert torch.equal(where(mask), mask.nonzero().squeeze(1))
    assert torch.equal(columns(edges, where(mask)), edges[:, mask])
    assert where(torch.zeros(0, dtype=torch.bool)).shape == (0,)


def test_ascending_values_may_stay() -> None:
    assert all(ascending(torch.tensor(values, dtype=torch.int64)) for values in ([], [3], [1, 1, 2]))
    assert not ascending(torch.tensor([1, 3, 2]))
