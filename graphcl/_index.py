"""Vectors of row numbers: whether they are in range, and sorted by value in linear time."""

import torch
from torch import Tensor

__all__ = ["check_range", "counting_sort", "group", "group_anywhere", "index_type", "nothing", "outside"]


def outside(index: Tensor, size: int) -> int | None:
    """A number of ``index`` that is not among 0 to ``size`` - 1, None where there is none; a GPU has to be waited for.

    Example:
        >>> outside(torch.tensor([0, 3, -1]), 4), outside(torch.tensor([0, 3]), 3), outside(torch.tensor([0, 3]), 4)
        (-1, 3, None)
    """
    if index.numel() == 0:
        return None
    low, high = (int(bound) for bound in index.aminmax())
    return low if low < 0 else high if high >= size else None


def check_range(index: Tensor, size: int) -> None:
    """``IndexError`` unless the numbers are among 0 to ``size`` - 1."""
    # SciPy does not look: an index out of range would write to memory that is not its own.
    if (wrong := outside(index, size)) is not None:
        raise IndexError(f"expected indices from 0 to {size - 1}, got {wrong}")


def group(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Sort by group: ``(ptr, order)``; ``order[ptr[i]:ptr[i + 1]]`` are the positions of value i, ascending."""
    if index.device.type != "cpu":
        return group_anywhere(index, size)
    position = torch.arange(index.numel())
    if bool((index[1:] >= index[:-1]).all()):  # as batch vectors are; a GPU would stall to tell
        check_range(index, size)
        return torch.searchsorted(index.contiguous(), torch.arange(size + 1)), position
    ptr, order, _ = counting_sort(index, nothing(index), size)
    return ptr.long(), order.long()


def group_anywhere(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The same on any device."""
    order = torch.argsort(index, stable=True)
    return torch.searchsorted(index[order], torch.arange(size + 1, device=index.device)), order


def counting_sort(index: Tensor, value: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """``ptr``, the positions sorted by index, and the values there; in linear time: torch has only comparison sorts."""
    from scipy.sparse import csr_array

    if torch._C._are_functorch_transforms_active():  # under which there are no numbers for SciPy to read
        raise NotImplementedError(
            "expected derivatives by torch.autograd, got a transform of torch.func around a sum over neighbours; take "
            "torch.autograd.grad, which works with functional_call too"
        )
    check_range(index, size)
    # A matrix with one entry a row; its transpose has the entries of each column together, in order.
    kind = index_type(index)
    ptr = torch.arange(index.numel() + 1, dtype=kind)
    entries = (value.numpy(), index.to(kind).numpy(), ptr.numpy())
    transposed = csr_array(entries, shape=(index.numel(), size)).tocsc()
    return tuple(map(torch.from_numpy, (transposed.indptr, transposed.indices, transposed.data)))  # type: ignore[return-value]


def index_type(index: Tensor) -> torch.dtype:
    """What can number the elements: half the bytes where that is enough."""
    return torch.int32 if index.numel() < 2**31 - 1 else torch.int64


def nothing(index: Tensor) -> Tensor:
    """Values that nobody reads, where SciPy wants some."""
    return torch.ones(index.numel(), dtype=torch.int8)
