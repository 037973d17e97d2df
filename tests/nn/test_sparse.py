"""The sparse product against a dense matrix, in values, gradients and second derivatives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.nn import SparseSum
from graphcl.nn.sparse import _sort_pairs_anywhere, sort_pairs


def dense(row, col, num_rows, num_cols, dtype=torch.float64):
    matrix = torch.zeros(num_rows, num_cols, dtype=dtype)
    for r, c in zip(row.tolist(), col.tolist(), strict=True):
        matrix[r, c] += 1
    return matrix


def pairs(count, num_rows, num_cols, generator):
    return (
        torch.randint(num_rows, (count,), generator=generator),
        torch.randint(num_cols, (count,), generator=generator),
    )


@given(count=st.integers(0, 30), seed=st.integers(0, 999))
def test_other_devices_sort_the_same_way(count, seed):
    row, col = pairs(count, 6, 8, torch.Generator().manual_seed(seed))
    found, wanted = _sort_pairs_anywhere(row, col, 6, 8), sort_pairs(row, col, 6, 8)
    assert [t.tolist() for t in found] == [t.tolist() for t in wanted]


class TestProduct:
    @given(
        count=st.integers(0, 40),
        num_rows=st.integers(1, 9),
        num_cols=st.integers(1, 9),
        width=st.integers(1, 5),
        seed=st.integers(0, 2**31),
    )
    def test_equals_the_dense_matrix(self, count, num_rows, num_cols, width, seed):
        # Unsorted, rectangular, with duplicates, with empty rows and columns.
        generator = torch.Generator().manual_seed(seed)
        row, col = pairs(count, num_rows, num_cols, generator)
        x = torch.randn(num_cols, width, generator=generator, dtype=torch.float64, requires_grad=True)
        matrix, truth = SparseSum.of(row, col, num_rows, num_cols), dense(row, col, num_rows, num_cols)
        y = matrix(x)
        torch.testing.assert_close(y, truth @ x)
        weight = torch.randn(num_rows, width, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(torch.autograd.grad(y, x, weight)[0], truth.T @ weight)
        torch.testing.assert_close(matrix.T(weight), truth.T @ weight)

    @pytest.mark.parametrize("count", [0, 12])
    def test_plus_self(self, count, generator):
        row, col = pairs(count, 5, 5, generator)
        x = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        before = x.detach().clone()
        truth = dense(row, col, 5, 5) + torch.eye(5, dtype=torch.float64)
        y = SparseSum.of(row, col, 5, 5).plus_self(x)
        assert torch.equal(x, before)
        torch.testing.assert_close(y, truth @ x)
        torch.testing.assert_close(torch.autograd.grad(y, x, torch.ones_like(y))[0], truth.T @ torch.ones_like(y))

    def test_adjacency_sums_over_incoming_edges(self):
        edge_index = torch.tensor([[0, 2, 2], [1, 1, 0]])
        x = torch.tensor([[1.0], [10.0], [100.0]])
        assert SparseSum.adjacency(edge_index, 3)(x).squeeze(1).tolist() == [100.0, 101.0, 0.0]

    @pytest.mark.parametrize("index", [[0, 0, 2], [2, 0, 0], []])
    def test_membership(self, index, generator):
        index = torch.tensor(index, dtype=torch.int64)
        x = torch.randn(len(index), 2, generator=generator, dtype=torch.float64, requires_grad=True)
        members = SparseSum.membership(index, 4)
        truth = dense(index, torch.arange(len(index)), 4, len(index))
        torch.testing.assert_close(members(x), truth @ x)
        weight = torch.randn(4, 2, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(torch.autograd.grad(members(x), x, weight)[0], truth.T @ weight)
        assert torch.autograd.gradcheck(members, (x,))
        assert torch.autograd.gradgradcheck(members, (x,))

    def test_gradients_in_double_precision(self, generator):
        row, col = pairs(10, 4, 6, generator)
        matrix = SparseSum.of(row, col, 4, 6)
        square = SparseSum.of(row, row, 4, 4)
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        y = torch.randn(4, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        for function, at in ((matrix, x), (matrix.T, y), (square.plus_self, y)):
            assert torch.autograd.gradcheck(function, (at,))
            assert torch.autograd.gradgradcheck(function, (at,))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    def test_dtype_is_kept(self, dtype, generator):
        row, col = pairs(60, 8, 9, generator)
        x = torch.randn(9, 4, generator=generator).to(dtype).requires_grad_()
        y = SparseSum.of(row, col, 8, 9)(x)
        assert y.dtype == dtype
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(y.double(), dense(row, col, 8, 9) @ x.double(), rtol=8 * eps, atol=40 * eps)
        y.float().sum().backward()
        assert x.grad.dtype == dtype

    def test_strided_input_and_gradient(self, generator):
        row, col = pairs(12, 5, 5, generator)
        wide = torch.randn(5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
        matrix = SparseSum.of(row, col, 5, 5)
        out = torch.cat([matrix(wide[:, ::2]), matrix(wide[:, 3:])], 1)
        out.backward(torch.ones(6, 5, dtype=torch.float64).T)
        torch.testing.assert_close(out, dense(row, col, 5, 5) @ torch.cat([wide[:, ::2], wide[:, 3:]], 1))
        assert wide.grad.isfinite().all()

    def test_same_bits_every_time(self, generator):
        row, col = pairs(3000, 50, 50, generator)
        x = torch.randn(50, 32, generator=generator, requires_grad=True)
        first = SparseSum.of(row, col, 50, 50)(x)
        second = SparseSum.of(row, col, 50, 50)(x)
        assert torch.equal(first, second)
        grads = [torch.autograd.grad(y, x, torch.ones_like(y))[0] for y in (first, second)]
        assert torch.equal(*grads)

    @pytest.mark.parametrize("edge", [[[0], [3]], [[3], [0]], [[-1], [0]], [[0], [-1]]])
    def test_an_index_out_of_range_is_refused(self, edge):
        with pytest.raises(IndexError, match="expected indices from 0 to 2, got"):
            SparseSum.adjacency(torch.tensor(edge), 3)

    @pytest.mark.parametrize("rows", [2, 4])
    def test_rows_of_another_number_are_refused(self, rows):
        index = torch.tensor([0, 2, 1])
        for matrix in (SparseSum.adjacency(torch.stack([index, index]), 3), SparseSum.membership(index, 3)):
            with pytest.raises(ValueError, match=rf"expected x with 3 rows, .* got \[{rows}, 2\]"):
                matrix(torch.ones(rows, 2))

    def test_transforms_of_functions_are_refused_by_name(self):
        index = torch.tensor([0, 2, 1])
        for make in (lambda: SparseSum.of(index, index, 3, 3), lambda: SparseSum.membership(index, 3)):
            with pytest.raises(NotImplementedError, match="expected derivatives by torch.autograd, got a transform"):
                torch.func.grad(lambda x, make=make: make()(x).sum())(torch.ones(3, 2))

    def test_nothing_at_all(self):
        empty = torch.zeros(0, dtype=torch.int64)
        assert SparseSum.of(empty, empty, 3, 0)(torch.zeros(0, 2)).tolist() == [[0.0, 0.0]] * 3
        assert SparseSum.of(empty, empty, 0, 3)(torch.zeros(3, 2)).shape == (0, 2)
