"""Weighted sums over neighbours as a sparse product, with gradients for what is summed and for the weights.

The same product as :class:`graphcl.nn.SparseSum` with a number for each pair. Forwards and backwards it reads the
entries sorted by row and by column; the gradient of a weight is the inner product of two rows, a few entries at a time,
so that no message is ever written to memory.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl.nn.sparse import SparseSum, sort_pairs

__all__ = ["Pattern", "SparseMatrix"]

BLOCK = 2**18  # numbers that are gathered at once for inner products
FEW = 3  # products with one pattern, as of the layers of one step


@dataclass(frozen=True)
class Pattern:
    """Where the entries of a sparse matrix are, sorted by row and by column. Indices are int32 where they fit.

    Attributes:
        ptr: Where each row begins and the last one ends.
        col: The columns of each row, ``col[ptr[i]:ptr[i + 1]]``.
        pair: Which of the pairs that it was made from each entry is.
        ptr_t: Where each column begins and the last one ends.
        col_t: The rows of each column, ``col_t[ptr_t[j]:ptr_t[j + 1]]``.
        entry_t: Which entry each of these is.

    Example:
        >>> pattern = Pattern.of(torch.tensor([1, 0, 1]), torch.tensor([0, 1, 1]), 2, 2)
        >>> pattern.col.tolist(), pattern.pair.tolist(), pattern.row.tolist()
        ([1, 0, 1], [1, 0, 2], [0, 1, 1])
    """

    ptr: Tensor
    col: Tensor
    pair: Tensor
    ptr_t: Tensor
    col_t: Tensor
    entry_t: Tensor

    @classmethod
    @torch.compiler.disable
    def of(cls, row: Tensor, col: Tensor, num_rows: int, num_cols: int) -> "Pattern":
        """The entries at ``row`` and ``col`` (both ``[E]`` int64, in any order, any of them more than once)."""
        return cls(*sort_pairs(row, col, num_rows, num_cols))

    @classmethod
    def adjacency(cls, edge_index: Tensor, num_nodes: int) -> "Pattern":
        """An entry for each edge: in the row of its target and the column of its source."""
        return cls.of(edge_index[1], edge_index[0], num_nodes, num_nodes)

    @cached_property
    def row(self) -> Tensor:
        """``[E]``, the row of each entry."""
        return _rows(self.ptr, self.col)

    @cached_property
    def row_t(self) -> Tensor:
        """``[E]``, the column of each entry of the transpose."""
        return _rows(self.ptr_t, self.col_t)

    @cached_property
    def entry(self) -> Tensor:
        """``[E]``, which entry of the transpose each entry is."""
        return torch.empty_like(self.entry_t).scatter_(0, self.entry_t.long(), _range_like(self.entry_t))

    def side(self, flipped: bool) -> tuple[Tensor, Tensor, Tensor]:
        """``ptr``, ``col`` and ``row`` of the matrix or, ``flipped``, of its transpose."""
        return (self.ptr_t, self.col_t, self.row_t) if flipped else (self.ptr, self.col, self.row)

    def in_parts(self, parts: int, flipped: bool = False) -> tuple[Tensor, Tensor, Tensor] | None:
        """The same matrix where each row and column of it is as many as ``parts``, which have weights of their own.

        So that ``[N, D]`` can be read as ``[N * parts, D / parts]``: the ``ptr`` and ``col`` of that matrix, or of its
        transpose, and which of the weights ``[E * parts]`` each of its entries has. It costs more to make than it saves
        where a pattern serves one step alone: the first few times there is none.
        """
        self._asked[parts, flipped] = asked = self._asked.get((parts, flipped), 0) + 1
        if asked <= FEW:
            return None
        if (parts, flipped) not in self._in_parts:
            largest = parts * max(self.ptr.numel(), self.ptr_t.numel(), self.col.numel())
            dtype = self.col.dtype if largest < 2**31 else torch.int64
            self._in_parts[parts, flipped] = _in_parts(*self.side(flipped), parts, dtype)
        return self._in_parts[parts, flipped]

    @cached_property
    def _asked(self) -> dict[tuple[int, bool], int]:
        return {}

    @cached_property
    def _in_parts(self) -> dict[tuple[int, bool], tuple[Tensor, Tensor, Tensor]]:
        return {}

    @cached_property
    @torch.compiler.disable
    def from_rows(self) -> SparseSum:
        """From ``[num_rows, D]`` to the rows of the entries ``[E, D]``; its transpose sums each row's entries."""
        return SparseSum(None, self.row, self.ptr, _range_like(self.col))

    @cached_property
    @torch.compiler.disable
    def from_cols(self) -> SparseSum:
        """From ``[num_cols, D]`` to the columns of the entries ``[E, D]``."""
        return SparseSum(None, self.col, self.ptr_t, self.entry_t)


class SparseMatrix:
    r"""A sparse matrix: the linear map :math:`y_i = \sum_{e: r_e = i} w_e x_{c_e}`, twice differentiable in x and w.

    Args:
        pattern: Where the entries are.
        value: ``[E]`` floating-point, w in the order of ``pattern``'s entries (:meth:`of` takes any order); or
            ``[E, H]``, one w for each of H equal parts of x's columns.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])  # 0 -> 1 -> 2
        >>> weight = torch.tensor([0.5, 2.0], requires_grad=True)
        >>> matrix = SparseMatrix.of(edge_index[1], edge_index[0], weight, 3, 3)
        >>> y = matrix(torch.tensor([[1.0], [3.0], [4.0]]))
        >>> y.squeeze(1).tolist(), torch.autograd.grad(y.sum(), weight)[0].tolist()
        ([0.0, 0.5, 6.0], [1.0, 3.0])
    """

    def __init__(self, pattern: Pattern, value: Tensor) -> None:
        if value.shape[:1] != pattern.col.shape or value.dim() > 2:
            raise ValueError(f"expected one weight for each of {pattern.col.numel()} pairs, got {list(value.shape)}")
        self.pattern = pattern
        self.value = value

    @classmethod
    def of(cls, row: Tensor, col: Tensor, value: Tensor, num_rows: int, num_cols: int) -> "SparseMatrix":
        """The map for ``row`` and ``col`` (both ``[E]`` int64) with their weights ``value``."""
        if value.shape[:1] != row.shape:
            raise ValueError(f"expected one weight for each of {row.numel()} pairs, got {list(value.shape)}")
        pattern = Pattern.of(row, col, num_rows, num_cols)
        return cls(pattern, value.index_select(0, pattern.pair))

    @cached_property
    def value_t(self) -> Tensor:
        """The weights in the order of the transpose."""
        return self.value.index_select(0, self.pattern.entry_t)

    def __call__(self, x: Tensor) -> Tensor:
        """``[num_rows, D]`` from ``x`` ``[num_cols, D]``, in the dtype of ``x``."""
        if self.value.dim() == 2 and x.size(1) % self.value.size(1):
            raise ValueError(f"expected x with a multiple of {self.value.size(1)} columns, got {list(x.shape)}")
        num_cols = self.pattern.ptr_t.numel() - 1
        if x.size(0) != num_cols:  # further rows would be left out without a word
            raise ValueError(f"expected x with {num_cols} rows, one for each that is summed, got {list(x.shape)}")
        return _product(x, self.value, self.value_t if torch.is_grad_enabled() else self.value, self.pattern)

    def plus_self(self, x: Tensor) -> Tensor:
        """``x + self(x)`` for a square matrix."""
        return x + self(x)

    def back(self, y: Tensor) -> Tensor:
        """``[num_cols, D]``: the transpose of the matrix times ``y`` ``[num_rows, D]``; it records no gradient."""
        num_rows = self.pattern.ptr.numel() - 1
        if y.size(0) != num_rows:
            raise ValueError(f"expected y with {num_rows} rows, one for each of the matrix, got {list(y.shape)}")
        with torch.no_grad():
            found: Tensor = _Product.apply(y, self.value_t, self.value, self.pattern, True)  # type: ignore[no-untyped-call]
        return found


@torch.compiler.disable
def _product(x: Tensor, value: Tensor, value_t: Tensor, pattern: Pattern) -> Tensor:
    return _Product.apply(x, value, value_t, pattern, False)  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    """The product with the matrix or, ``flipped``, its transpose; ``value_t`` are the weights in the other's order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, value_t: Tensor, pattern: Pattern, flipped: bool) -> Tensor:
        ctx.save_for_backward(x, value, value_t)
        ctx.pattern, ctx.flipped = pattern, flipped
        ptr, col = (pattern.ptr_t, pattern.col_t) if flipped else (pattern.ptr, pattern.col)
        if col.numel() == 0 or x.size(1) == 0:
            return x.new_zeros(ptr.numel() - 1, x.size(1))
        x, value = x.detach(), value.detach().to(x.dtype)
        if value.dim() == 1 or value.size(1) == 1:
            return _sums(x, value.flatten(), ptr, col)
        if (found := pattern.in_parts(value.size(1), flipped)) is None:
            parts = zip(x.unflatten(1, (value.size(1), -1)).unbind(1), value.T.contiguous(), strict=True)
            return torch.cat([_sums(part, weight, ptr, col) for part, weight in parts], 1)
        ptr, col, entry = found
        part = x.reshape(-1, x.size(1) // value.size(1))
        return _sums(part, value.flatten().index_select(0, entry), ptr, col).view(-1, x.size(1))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, value, value_t = ctx.saved_tensors
        grad_x = grad_value = None
        if ctx.needs_input_grad[0]:
            grad_x = _Product.apply(grads[0], value_t, value, ctx.pattern, not ctx.flipped)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[1]:
            heads = value.size(1) if value.dim() == 2 else None
            grad_value = _Dots.apply(grads[0], x, heads, ctx.pattern, ctx.flipped).to(value.dtype)  # type: ignore[no-untyped-call]
        # Nothing for value_t: it is value in another order, and has its say in second derivatives only.
        return grad_x, grad_value, None, None, None


class _Dots(torch.autograd.Function):
    """For each entry the inner product of ``left``'s row with ``right``'s column: ``[E]``, or of parts ``[E, H]``."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, heads: int | None, pattern: Pattern, flipped: bool) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.pattern, ctx.flipped = pattern, flipped
        left, right = left.detach().contiguous(), right.detach().to(left.dtype).contiguous()
        if heads is None or heads == 1 or left.device.type != "cpu":
            dots = _dots(left, right, heads or 1, pattern, flipped)
            return dots[:, 0] if heads is None else dots
        _, col, row = pattern.side(flipped)
        return _dots_by_blocks(left, right, row, col, heads)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        left, right = ctx.saved_tensors
        pattern, flipped, value = ctx.pattern, ctx.flipped, grads[0]
        value_t = value.index_select(0, pattern.entry if flipped else pattern.entry_t)
        grad_left = grad_right = None
        if ctx.needs_input_grad[0]:
            grad_left = _Product.apply(right, value, value_t, pattern, flipped)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[1]:
            grad_right = _Product.apply(left, value_t, value, pattern, not flipped)  # type: ignore[no-untyped-call]
        return grad_left, grad_right, None, None, None


def _sums(x: Tensor, value: Tensor, ptr: Tensor, col: Tensor) -> Tensor:
    x = x.contiguous()
    return F.embedding_bag(col, x, ptr, mode="sum", include_last_offset=True, per_sample_weights=value)


def _dots(left: Tensor, right: Tensor, heads: int, pattern: Pattern, flipped: bool) -> Tensor:
    ptr, col, row = pattern.side(flipped)
    if col.numel() == 0:
        return left.new_zeros(0, heads)
    # What torch itself calls for the weights of an embedding_bag: entry by entry, nothing written but the result.
    parts = zip(*(side.unflatten(1, (heads, -1)).unbind(1) for side in (left, right)), strict=True)
    return torch.stack([_weight_gradient(a.contiguous(), b.contiguous(), col, ptr[:-1], row, 0) for a, b in parts], 1)


_weight_gradient = torch.ops.aten._embedding_bag_per_sample_weights_backward


def _dots_by_blocks(left: Tensor, right: Tensor, row: Tensor, col: Tensor, parts: int) -> Tensor:
    """``[E, parts]``, with the rows of a few entries at a time, as long as they are in the cache.

    On a CPU torch's own way calls a product of vectors for each entry and part, which takes longer to call than to
    compute where the vectors are short.
    """
    count, width = row.numel(), left.size(1)
    exact = torch.promote_types(left.dtype, torch.float32)
    dots = left.new_empty(count, parts, dtype=exact)
    step = max(1, BLOCK // max(1, width))
    mine, other = left.new_empty(2, min(step, count), width)
    for start in range(0, count, step):
        block = slice(start, min(start + step, count))
        a, b = mine[: block.stop - start], other[: block.stop - start]
        torch.index_select(left, 0, row[block], out=a)
        torch.index_select(right, 0, col[block], out=b)
        product = a.mul_(b) if a.dtype == exact else a.to(exact) * b
        torch.sum(product.unflatten(1, (parts, -1)), 2, out=dots[block])
    return dots.to(left.dtype)


def _in_parts(ptr: Tensor, col: Tensor, row: Tensor, parts: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """What :meth:`Pattern.in_parts` gives: of each row its first part's entries, then its second part's, and so on."""
    degree, count = ptr.diff(), parts * col.numel()
    first = parts * ptr[:-1].long()
    # The place of each entry in its row's first part; that in the next part is as many further as the row has entries.
    place = (first - ptr[:-1]).index_select(0, row).add_(torch.arange(col.numel(), device=col.device))
    further = degree.index_select(0, row)
    starts = first[:, None] + degree[:, None] * torch.arange(parts, device=ptr.device)
    into, entry = col.new_empty(2, count, dtype=dtype)
    for part in range(parts):
        into[place] = (parts * col.to(dtype)).add_(part)
        entry[place] = _range_like(col).to(dtype).mul_(parts).add_(part)
        place += further
    return torch.cat([starts.flatten(), starts.new_full((1,), count)]).to(dtype), into, entry


def _rows(ptr: Tensor, col: Tensor) -> Tensor:
    rows = torch.arange(ptr.numel() - 1, dtype=col.dtype, device=col.device)
    return torch.repeat_interleave(rows, ptr.diff(), output_size=col.numel())


def _range_like(index: Tensor) -> Tensor:
    return torch.arange(index.numel(), dtype=index.dtype, device=index.device)
