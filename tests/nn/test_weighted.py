"""The weighted sparse product against a dense matrix: values, gradients of both arguments, second derivatives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.nn import Pattern, SparseMatrix
from graphcl.nn.weighted import FEW


def dense(row, col, value, num_rows, num_cols):
    """Differentiable in ``value``; repeated pairs add up."""
    return value.new_zeros(num_rows, num_cols).index_put((row, col), value, accumulate=True)


def problem(count, num_rows, num_cols, width, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(num_rows, (count,), generator=generator)
    col = torch.randint(num_cols, (count,), generator=generator)
    value = torch.randn(count, generator=generator, dtype=dtype).requires_grad_()
    x = torch.randn(num_cols, width, generator=generator, dtype=dtype).requires_grad_()
    return row, col, value, x


class TestPattern:
    def test_hand_made(self):
        #     0 1 2
        #  0  . a b     pairs: b (0, 2), c (1, 0), a (0, 1), d (1, 0)
        #  1  cd . .
        pattern = Pattern.of(torch.tensor([0, 1, 0, 1]), torch.tensor([2, 0, 1, 0]), 2, 3)
        assert pattern.ptr.tolist() == [0, 2, 4]
        assert pattern.col.tolist() == [2, 1, 0, 0]
        assert pattern.pair.tolist() == [0, 2, 1, 3]
        assert pattern.row.tolist() == [0, 0, 1, 1]
        assert pattern.ptr_t.tolist() == [0, 2, 3, 4]
        assert pattern.col_t.tolist() == [1, 1, 0, 0]
        assert pattern.entry_t.tolist() == [2, 3, 1, 0]
        assert pattern.row_t.tolist() == [0, 0, 1, 2]
        assert pattern.entry.tolist() == [3, 2, 0, 1]

    @given(
        count=st.integers(0, 30),
        num_rows=st.integers(1, 7),
        num_cols=st.integers(1, 7),
        parts=st.integers(1, 3),
        flipped=st.booleans(),
    )
    def test_in_parts(self, count, num_rows, num_cols, parts, flipped):
        """The matrix in parts, written out, is the Kronecker product with one block for each part."""
        row, col, _, _ = problem(count, num_rows, num_cols, 1)
        pattern = Pattern.of(row, col, num_rows, num_cols)
        value = torch.randn(count, parts, dtype=torch.float64)
        asked = [pattern.in_parts(parts, flipped) for _ in range(FEW + 1)]
        assert asked[:FEW] == [None] * FEW
        ptr, inner, entry = asked[FEW]
        assert ptr.dtype == inner.dtype == entry.dtype == pattern.col.dtype
        rows = torch.repeat_interleave(torch.arange(ptr.numel() - 1), ptr.diff())
        side = (pattern.row_t, pattern.col_t) if flipped else (pattern.row, pattern.col)
        size = (num_cols, num_rows) if flipped else (num_rows, num_cols)
        found = dense(rows, inner.long(), value.flatten()[entry.long()], parts * size[0], parts * size[1])
        wanted = torch.zeros(size[0], parts, size[1], parts, dtype=torch.float64)
        for part in range(parts):
            wanted[:, part, :, part] = dense(*(index.long() for index in side), value[:, part], *size)
        torch.testing.assert_close(found, wanted.view(found.shape))
        assert pattern.in_parts(parts, flipped)[1] is inner

    @given(count=st.integers(0, 30), num_rows=st.integers(1, 7), num_cols=st.integers(1, 7), seed=st.integers(0, 999))
    def test_entries_to_and_fro(self, count, num_rows, num_cols, seed):
        row, col, value, x = problem(count, num_rows, num_cols, 2, seed)
        pattern = Pattern.of(row, col, num_rows, num_cols)
        assert pattern.row.tolist() == row[pattern.pair].tolist() == sorted(row.tolist())
        assert pattern.col.tolist() == col[pattern.pair].tolist()
        assert pattern.col_t.tolist() == pattern.row[pattern.entry_t].tolist()
        assert pattern.row_t.tolist() == pattern.col[pattern.entry_t].tolist() == sorted(col.tolist())
        assert pattern.entry_t[pattern.entry].tolist() == list(range(count))
        torch.testing.assert_close(pattern.from_cols(x), x[pattern.col])
        per_entry = value[pattern.pair][:, None]
        torch.testing.assert_close(
            pattern.from_rows.T(per_entry).squeeze(1), x.new_zeros(num_rows).index_add(0, row, value)
        )
        torch.testing.assert_close(
            pattern.from_cols.T(per_entry).squeeze(1), x.new_zeros(num_cols).index_add(0, col, value)
        )

    @pytest.mark.parametrize("edge", [[[0], [3]], [[3], [0]], [[-1], [0]], [[0], [-1]]])
    def test_an_index_out_of_range_is_refused(self, edge):
        with pytest.raises(IndexError, match="expected indices from 0 to 2, got"):
            Pattern.adjacency(torch.tensor(edge), 3)


class TestProduct:
    @given(
        count=st.integers(0, 40),
        num_rows=st.integers(1, 9),
        num_cols=st.integers(1, 9),
        width=st.integers(1, 5),
        seed=st.integers(0, 2**31),
    )
    def test_equals_the_dense_matrix(self, count, num_rows, num_cols, width, seed):
        row, col, value, x = problem(count, num_rows, num_cols, width, seed)
        truth = dense(row, col, value, num_rows, num_cols) @ x
        y = SparseMatrix.of(row, col, value, num_rows, num_cols)(x)
        torch.testing.assert_close(y, truth)
        weight = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        found = torch.autograd.grad(y, (x, value), weight)
        torch.testing.assert_close(found, torch.autograd.grad(truth, (x, value), weight))

    @pytest.mark.parametrize("count", [1, 10])
    def test_gradients_in_double_precision(self, count):
        row, col, value, x = problem(count, 4, 5, 3)

        def product(value, x):
            return SparseMatrix.of(row, col, value, 4, 5)(x)

        assert torch.autograd.gradcheck(product, (value, x))
        assert torch.autograd.gradgradcheck(product, (value, x))

    @pytest.mark.parametrize("heads", [1, 3])
    @pytest.mark.parametrize("count", [0, 1, 5000])
    def test_a_weight_for_each_part(self, count, heads):
        row, col, value, x = problem(count, 30, 40, 6)
        value = (value.detach()[:, None] * torch.tensor([1.0, -0.5, 2.0])[:heads]).requires_grad_()
        y = SparseMatrix.of(row, col, value, 30, 40)(x)
        parts = [dense(row, col, w, 30, 40) @ p for w, p in zip(value.unbind(1), x.chunk(heads, 1), strict=True)]
        truth = torch.cat(parts, 1)
        torch.testing.assert_close(y, truth)
        weight = torch.randn(30, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        found = torch.autograd.grad(y, (x, value), weight)
        torch.testing.assert_close(found, torch.autograd.grad(truth, (x, value), weight))

    def test_gradients_of_parts_in_double_precision(self):
        row, col, _, x = problem(7, 3, 4, 4)
        value = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()

        def product(value, x):
            return SparseMatrix.of(row, col, value, 3, 4)(x)

        assert torch.autograd.gradcheck(product, (value, x))
        assert torch.autograd.gradgradcheck(product, (value, x))

    def test_third_derivatives(self):
        row, col, value, x = problem(6, 3, 3, 2)

        def second(value, x):
            y = SparseMatrix.of(row, col, value, 3, 3)(x).pow(3).sum()
            grads = torch.autograd.grad(y, (value, x), create_graph=True)
            return torch.autograd.grad(sum(g.square().sum() for g in grads), (value, x), create_graph=True)

        assert torch.autograd.gradcheck(second, (value, x))

    def test_self_loops_and_repeated_pairs(self):
        row = torch.tensor([1, 1, 0, 2, 2])
        value = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        y = SparseMatrix.of(row, torch.tensor([1, 1, 2, 2, 0]), value, 3, 3)(torch.tensor([[1.0], [10.0], [100.0]]))
        assert y.squeeze(1).tolist() == [300.0, 30.0, 405.0]

    def test_only_the_gradient_that_is_wanted(self):
        row, col, value, x = problem(9, 4, 5, 3)
        for leaf, other in ((value, x), (x, value)):
            matrix = SparseMatrix.of(row, col, value if leaf is value else value.detach(), 4, 5)
            y = matrix(x if leaf is x else x.detach())
            truth = dense(row, col, value, 4, 5) @ x
            torch.testing.assert_close(torch.autograd.grad(y.sum(), leaf), torch.autograd.grad(truth.sum(), leaf))
            assert other.grad is None

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    def test_dtype_of_x_is_kept(self, dtype):
        row, col, value, x = problem(60, 8, 9, 4, dtype=torch.float32)
        low = x.detach().to(dtype).requires_grad_()
        y = SparseMatrix.of(row, col, value, 8, 9)(low)
        assert y.dtype == dtype
        truth = dense(row, col, value, 8, 9) @ x
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(y.float(), truth, rtol=16 * eps, atol=64 * eps)
        found = torch.autograd.grad(y.float().sum(), (low, value))
        assert [g.dtype for g in found] == [dtype, torch.float32]
        wanted = torch.autograd.grad(truth.sum(), (x, value))
        torch.testing.assert_close([g.float() for g in found], list(wanted), rtol=16 * eps, atol=64 * eps)

    def test_strided_input_and_gradient(self):
        row, col, value, _ = problem(12, 5, 5, 1)
        wide = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        matrix, truth = SparseMatrix.of(row, col, value, 5, 5), dense(row, col, value, 5, 5)
        out = torch.cat([matrix(wide[:, ::2]), matrix(wide[:, 3:])], 1)
        wanted = torch.cat([truth @ wide[:, ::2], truth @ wide[:, 3:]], 1)
        torch.testing.assert_close(out, wanted)
        weight = torch.arange(30, dtype=torch.float64).view(6, 5).T
        found = torch.autograd.grad(out, (wide, value), weight)
        torch.testing.assert_close(found, torch.autograd.grad(wanted, (wide, value), weight))

    def test_same_bits_every_time(self):
        row, col, value, x = problem(3000, 50, 50, 32, dtype=torch.float32)
        runs = []
        for _ in range(2):
            y = SparseMatrix.of(row, col, value, 50, 50)(x)
            runs.append((y, *torch.autograd.grad(y.square().sum(), (x, value))))
        assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))

    def test_nothing_at_all(self):
        row, col, value, x = problem(0, 3, 4, 2)
        y = SparseMatrix.of(row, col, value, 3, 4)(x)
        assert y.tolist() == [[0.0, 0.0]] * 3
        grad_x, grad_value = torch.autograd.grad(y.sum(), (x, value))
        assert grad_x.tolist() == [[0.0, 0.0]] * 4
        assert grad_value.shape == (0,)

    @pytest.mark.parametrize("block", [1, 7, 10**6])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_inner_products_block_by_block(self, block, dtype, monkeypatch):
        row, col, value, x = problem(100, 9, 11, 6, dtype=dtype)
        above = torch.randn(9, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
        monkeypatch.setattr("graphcl.nn.weighted.BLOCK", block)
        for parts in (None, 1, 3):
            weight = value if parts is None else value.detach()[:, None].repeat(1, parts).requires_grad_()
            found = torch.autograd.grad(SparseMatrix.of(row, col, weight, 9, 11)(x), weight, above)[0]
            assert found.shape == weight.shape
            parts = parts or 1
            wanted = (above[row].double() * x[col].double()).view(100, parts, -1).sum(2)
            torch.testing.assert_close(found.view(100, parts), wanted.to(dtype))

    @pytest.mark.parametrize("parts", [1, 4])
    def test_no_tensor_of_edges_times_width(self, parts, monkeypatch):
        monkeypatch.setattr("graphcl.nn.weighted.BLOCK", 10_000)
        # 20,000 pairs of width 64 would be 5 MB for one such tensor.
        row, col, value, x = problem(20_000, 300, 300, 64, dtype=torch.float32)
        if parts > 1:
            value = value.detach()[:, None].repeat(1, parts).requires_grad_()
        pattern, sizes = Pattern.of(row, col, 300, 300), []

        class Watch(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                sizes.extend(t.numel() for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor))
                return out

        for _ in range(FEW + 1):
            matrix = SparseMatrix(pattern, value[pattern.pair])
            with Watch():
                matrix(x).sum().backward()
        assert value.grad.shape == value.shape
        assert max(sizes) <= 2 * parts * 20_000 + 64 * 300

    def test_parts_of_no_width(self):
        row, col, value, x = problem(10, 3, 4, 0)
        matrix = SparseMatrix.of(row, col, value.detach()[:, None].repeat(1, 2), 3, 4)
        assert [matrix(x).shape for _ in range(FEW + 1)] == [(3, 0)] * (FEW + 1)

    def test_a_pattern_that_is_used_again_gives_the_same(self):
        row, col, value, x = problem(60, 9, 11, 6)
        weight = value.detach()[:, None].repeat(1, 3) * torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
        weight = weight.requires_grad_()
        pattern, runs = Pattern.of(row, col, 9, 11), []
        for _ in range(FEW + 2):
            y = SparseMatrix(pattern, weight[pattern.pair])(x)
            runs.append((y, *torch.autograd.grad(y.sin().sum(), (x, weight))))
        for run in runs[1:]:
            torch.testing.assert_close(run, runs[0])

    def test_one_weight_for_each_pair(self):
        pairs = torch.tensor([0, 1])
        with pytest.raises(ValueError, match=r"expected one weight for each of 2 pairs, got \[3\]"):
            SparseMatrix.of(pairs, pairs, torch.ones(3), 2, 2)
        with pytest.raises(ValueError, match=r"expected one weight for each of 2 pairs, got \[2, 1, 1\]"):
            SparseMatrix(Pattern.of(pairs, pairs, 2, 2), torch.ones(2, 1, 1))

    def test_parts_of_equal_width(self):
        pairs = torch.tensor([0, 1])
        with pytest.raises(ValueError, match=r"expected x with a multiple of 2 columns, got \[2, 3\]"):
            SparseMatrix.of(pairs, pairs, torch.ones(2, 2), 2, 2)(torch.ones(2, 3))

    @pytest.mark.parametrize("rows", [2, 4])
    def test_rows_of_another_number_are_refused(self, rows):
        pairs = torch.tensor([0, 2])
        with pytest.raises(ValueError, match=rf"expected x with 3 rows, .* got \[{rows}, 1\]"):
            SparseMatrix.of(pairs, pairs, torch.ones(2), 3, 3)(torch.ones(rows, 1))
