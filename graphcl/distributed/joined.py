"""The batches of all ranks as parts of one: what contrasts and normalises looks at the rows of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from graphcl.distributed.rows import all_gather_rows, rank, row_counts, world

__all__ = [
    "is_one_batch",
    "is_part",
    "joined_groups",
    "joined_rows",
    "mean_over_ranks",
    "one_batch",
    "own_rows",
    "rows_before",
    "sum_over_ranks",
]

_joined = _own = False  # plain flags, which a compiled network can look at


@contextmanager
def one_batch() -> Iterator[None]:
    """The block inside which the batches of all ranks count as parts of one global batch.

    Methods contrast the graphs of all ranks, and :class:`graphcl.nn.BatchNorm` in an encoder normalises over all of
    them. Every rank has to enter it, with a batch of its own. Without a process group, or with one process, nothing
    changes.

    Example:
        >>> with one_batch():
        ...     joined_rows(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    global _joined
    before, _joined = _joined, True
    try:
        yield
    finally:
        _joined = before


def is_one_batch() -> bool:
    """Whether the batches of several ranks count as one global batch, as inside :func:`one_batch`.

    Example:
        >>> is_one_batch()
        False
    """
    return _joined and world() > 1


@contextmanager
def own_rows() -> Iterator[None]:
    """The block, such as a call of an encoder, inside which tensors have the rows of this rank alone.

    Example:
        >>> with one_batch(), own_rows():
        ...     is_part()
        False
    """
    global _own
    before, _own = _own, True
    try:
        yield
    finally:
        _own = before


def is_part() -> bool:
    """Whether tensors have only this rank's part of a global batch: inside both :func:`one_batch` and :func:`own_rows`.

    Example:
        >>> is_part()
        False
    """
    return _own and is_one_batch()


def joined_rows(rows: Tensor) -> Tensor:
    """The rows of all ranks where their batches count as one (:func:`one_batch`), with their gradient; else the rows.

    Args:
        rows: ``[N, ...]``; N may differ from rank to rank.

    Example:
        >>> joined_rows(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return all_gather_rows(rows) if is_one_batch() else rows


def rows_before(count: int, device: torch.device | None = None) -> int:
    """The place of this rank's first row in the global batch: how many rows the ranks before it have; else 0.

    Args:
        count: How many this rank has.
        device: That of the process group, where it is not the CPU.

    Example:
        >>> rows_before(5)
        0
    """
    return sum(row_counts(torch.empty(count, device=device))[: rank()]) if is_one_batch() else 0


def joined_groups(groups: Tensor, count: int) -> tuple[Tensor, int]:
    """The group numbers of all ranks, as :func:`joined_rows` joins rows: each rank's follow on those of the one before.

    Args:
        groups: ``[N]`` integers below ``count``, such as the graph of each node.
        count: How many groups this rank has.

    Returns:
        The group of each row of all ranks, and how many groups there are.

    Example:
        >>> joined_groups(torch.tensor([0, 0, 1]), 2)
        (tensor([0, 0, 1]), 2)
    """
    if not is_one_batch():
        return groups, count
    counts = row_counts(groups.new_empty(count))
    return all_gather_rows(groups + sum(counts[: rank()])), sum(counts)


def mean_over_ranks(mean: Tensor, count: Tensor) -> Tensor:
    """The mean over the items of all ranks, from one over those of this rank, where their batches count as one.

    Args:
        mean: A scalar.
        count: A scalar, the items that it is a mean over; where no rank has any the mean is 0.

    Example:
        >>> mean_over_ranks(torch.tensor(2.0), torch.tensor(3))
        tensor(2.)
    """
    if not is_one_batch():
        return mean
    total, items = sum_over_ranks(torch.stack([mean * count, count.to(mean.dtype)]))
    return total / items.clamp(min=1)


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum of what all ranks have, with its gradient, where their batches count as one; else ``x`` itself.

    Args:
        x: Of one shape and dtype on all ranks.

    Example:
        >>> sum_over_ranks(torch.ones(2))
        tensor([1., 1.])
    """
    if not is_one_batch():
        return x
    return _Sum.apply(x)  # type: ignore[no-untyped-call]


class _Sum(torch.autograd.Function):
    """The sum over the ranks, whose derivative is the sum of what the ranks ask of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _Sum.apply(grad)  # type: ignore[no-untyped-call]
