"""Sums over neighbours as a sparse product, with its transpose kept for the backward pass.

Gather-and-scatter writes every message to memory and reads it back; a product over sorted rows does not.
``embedding_bag`` is that product for a matrix of ones: it is the fastest one torch has on a CPU, takes any float type,
runs on CUDA, and adds in a fixed order, so that a run can be repeated bit for bit.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl._index import check_range, counting_sort, group, group_anywhere, index_type, nothing

__all__ = ["SparseSum", "sort_pairs"]


def sort_pairs(row: Tensor, col: Tensor, num_rows: int, num_cols: int) -> tuple[Tensor, ...]:
    """Sort index pairs both ways: ``(ptr, col, pair, ptr_t, col_t, entry_t)``, the fields of a ``Pattern``."""
    if row.device.type == "cpu":
        check_range(col, num_cols)
        ptr, pair, col = counting_sort(row, col.to(index_type(row)), num_rows)
        entry = torch.arange(col.numel(), dtype=col.dtype)
        return ptr, col, pair, *_transpose(ptr, col, entry, num_cols)
    return _sort_pairs_anywhere(row, col, num_rows, num_cols)


def _sort_pairs_anywhere(row: Tensor, col: Tensor, num_rows: int, num_cols: int) -> tuple[Tensor, ...]:
    ptr, pair = group_anywhere(row, num_rows)
    row, col = row[pair], col[pair]
    ptr_t, entry_t = group_anywhere(col, num_cols)
    return ptr, col, pair, ptr_t, row[entry_t], entry_t


@dataclass(frozen=True)
class SparseSum:
    r"""The linear map :math:`y_i = \sum_{e: r_e = i} x_{c_e}` over a list of index pairs (r, c).

    With targets and sources of edges it sums over neighbours; with a batch vector and node numbers it is a sum readout.
    Pairs may come in any order and more than once. ``torch.compile`` leaves it alone and compiles what lies around it.

    Attributes:
        ptr: Where each row begins and the last one ends; None where every row has exactly one column.
        col: The columns of each row, ``col[ptr[i]:ptr[i + 1]]``.
        ptr_t: The same as ``ptr`` for the transpose.
        col_t: The same as ``col`` for the transpose.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])  # 0 -> 1 -> 2
        >>> neighbours = SparseSum.of(edge_index[1], edge_index[0], 3, 3)
        >>> neighbours(torch.tensor([[1.0], [2.0], [4.0]])).squeeze(1)
        tensor([0., 1., 2.])
    """

    ptr: Tensor | None
    col: Tensor
    ptr_t: Tensor | None
    col_t: Tensor

    @classmethod
    @torch.compiler.disable
    def of(cls, row: Tensor, col: Tensor, num_rows: int, num_cols: int) -> "SparseSum":
        """The map for ``row`` and ``col`` (both ``[E]`` int64) from ``[num_cols, D]`` to ``[num_rows, D]``."""
        if row.device.type == "cpu":
            check_range(col, num_cols)
            ptr, _, col = counting_sort(row, col.to(index_type(row)), num_rows)
            return cls(ptr, col, *_transpose(ptr, col, nothing(col), num_cols)[:2])
        (ptr, order), (ptr_t, order_t) = group(row, num_rows), group(col, num_cols)
        return cls(ptr, col[order], ptr_t, row[order_t])

    @classmethod
    def adjacency(cls, edge_index: Tensor, num_nodes: int) -> "SparseSum":
        """The sum over the incoming edges of each node."""
        return cls.of(edge_index[1], edge_index[0], num_nodes, num_nodes)

    @classmethod
    @torch.compiler.disable
    def membership(cls, index: Tensor, num_groups: int) -> "SparseSum":
        """The sum over the members of each group: element i belongs to group ``index[i]``."""
        ptr, order = group(index, num_groups)
        return cls(ptr, order, None, index)

    @property
    @torch.compiler.disable  # which would trace how a frozen object is made, and fail
    def T(self) -> "SparseSum":  # the name that arrays use
        return SparseSum(self.ptr_t, self.col_t, self.ptr, self.col)

    def __call__(self, x: Tensor) -> Tensor:
        return _product(x, self, False)

    def plus_self(self, x: Tensor) -> Tensor:
        """``x + self(x)`` for a square map, in one step forwards and one backwards."""
        return _product(x, self, True)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseSum, plus_self: bool) -> Tensor:
        ctx.matrix, ctx.plus_self = matrix, plus_self
        x = x.detach().contiguous()  # detached: embedding_bag would prepare for a backward pass of its own
        if matrix.ptr is None:
            return x.index_select(0, matrix.col)
        if matrix.col.numel() == 0:
            return x.clone() if plus_self else x.new_zeros(matrix.ptr.numel() - 1, x.size(1))
        total = F.embedding_bag(matrix.col, x, matrix.ptr, mode="sum", include_last_offset=True)
        return total.add_(x) if plus_self else total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        # A product again, so that second derivatives come for free.
        transposed = ctx.matrix.T
        return transposed.plus_self(grads[0]) if ctx.plus_self else transposed(grads[0]), None, None


@torch.compiler.disable
def _product(x: Tensor, matrix: SparseSum, plus_self: bool) -> Tensor:
    num_cols = matrix.col_t.numel() if matrix.ptr_t is None else matrix.ptr_t.numel() - 1
    if x.size(0) != num_cols:  # further rows would be left out without a word
        raise ValueError(f"expected x with {num_cols} rows, one for each that is summed, got {list(x.shape)}")
    return _Product.apply(x, matrix, plus_self)  # type: ignore[no-untyped-call]


def _transpose(ptr: Tensor, col: Tensor, value: Tensor, num_cols: int) -> tuple[Tensor, Tensor, Tensor]:
    """The transpose's ``ptr`` and columns, and the values in its order."""
    from scipy.sparse import csr_array

    transposed = csr_array((value.numpy(), col.numpy(), ptr.numpy()), shape=(ptr.numel() - 1, num_cols)).tocsc()
    return torch.from_numpy(transposed.indptr), torch.from_numpy(transposed.indices), torch.from_numpy(transposed.data)
