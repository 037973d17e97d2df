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

__all__ = ["SparseSum", "group"]


def group(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Sort by group: ``(ptr, order)`` such that ``order[ptr[i]:ptr[i + 1]]`` are the positions of value i, ascending."""
    if index.device.type == "cpu":
        # Transposing a matrix with one entry a row is a counting sort, and linear; torch has only comparison sorts.
        from scipy.sparse import csr_array

        entries = torch.ones(index.numel(), dtype=torch.int8).numpy()
        rows = torch.arange(index.numel() + 1, dtype=torch.int32 if index.numel() < 2**31 - 1 else torch.int64)
        matrix = csr_array((entries, index.to(rows.dtype).numpy(), rows.numpy()), shape=(index.numel(), size)).tocsc()
        return torch.from_numpy(matrix.indptr), torch.from_numpy(matrix.indices)
    order = torch.argsort(index, stable=True)
    ptr = torch.searchsorted(index[order], torch.arange(size + 1, device=index.device))
    return ptr, order


@dataclass(frozen=True)
class SparseSum:
    r"""The linear map :math:`y_i = \sum_{e: r_e = i} x_{c_e}` over a list of index pairs (r, c).

    With targets and sources of edges it sums over neighbours; with a batch vector and node numbers it is a sum readout.
    Pairs may come in any order and more than once.

    Attributes:
        ptr, col: Sorted rows of the map.
        ptr_t, col_t: Sorted rows of its transpose.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])  # 0 -> 1 -> 2
        >>> SparseSum.of(edge_index[1], edge_index[0], 3, 3)(torch.tensor([[1.0], [2.0], [4.0]])).squeeze(1)
        tensor([0., 1., 2.])
    """

    ptr: Tensor
    col: Tensor
    ptr_t: Tensor
    col_t: Tensor

    @classmethod
    def of(cls, row: Tensor, col: Tensor, num_rows: int, num_cols: int) -> "SparseSum":
        """The map for ``row`` and ``col`` (both ``[E]`` int64) from ``[num_cols, D]`` to ``[num_rows, D]``."""
        ptr, order = group(row, num_rows)
        ptr_t, order_t = group(col, num_cols)
        return cls(ptr, col[order].to(ptr.dtype), ptr_t, row[order_t].to(ptr_t.dtype))

    @classmethod
    def adjacency(cls, edge_index: Tensor, num_nodes: int) -> "SparseSum":
        """The sum over the incoming edges of each node."""
        return cls.of(edge_index[1], edge_index[0], num_nodes, num_nodes)

    @property
    def T(self) -> "SparseSum":  # noqa: N802 (the name that arrays use)
        return SparseSum(self.ptr_t, self.col_t, self.ptr, self.col)

    def __call__(self, x: Tensor) -> Tensor:
        result: Tensor = _Product.apply(x, self)  # type: ignore[no-untyped-call]
        return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseSum) -> Tensor:
        ctx.matrix = matrix
        if matrix.col.numel() == 0:
            return x.new_zeros(matrix.ptr.numel() - 1, x.size(1))
        return F.embedding_bag(matrix.col, x.contiguous(), matrix.ptr, mode="sum", include_last_offset=True)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        # A product again, so that second derivatives come for free.
        return ctx.matrix.T(grads[0]), None
