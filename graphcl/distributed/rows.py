"""Which rank this is, the rows of all ranks with their gradient, and a ring that never holds them all."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["all_gather_rows", "rank", "ring", "row_counts", "world"]

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.bool)


def rank() -> int:
    """The number of this process, 0 where there is no process group.

    Example:
        >>> rank()
        0
    """
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    """The number of processes, 1 where there is no process group.

    Example:
        >>> world()
        1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def row_counts(rows: Tensor) -> list[int]:
    """How many rows each rank has.

    The one message in which ranks tell each other what will come; a disagreement is an error on all of them alike.

    Args:
        rows: ``[N, ...]``; N may differ from rank to rank, nothing else may.

    Raises:
        ValueError: The ranks' rows differ in their shape.
        TypeError: They differ in their dtype.

    Example:
        >>> row_counts(torch.zeros(5, 2))
        [5]
    """
    if world() == 1:
        return [rows.size(0)]
    kind = _DTYPES.index(rows.dtype) if rows.dtype in _DTYPES else -1
    own = torch.tensor([rows.size(0), rows.dim(), math.prod(rows.shape[1:]), kind], device=rows.device)
    facts = own.new_empty(world(), 4)
    _gather_equal(facts.view(-1), own)
    table = facts.tolist()
    if len({(dim, width) for _, dim, width, _ in table}) > 1:
        raise ValueError(
            f"expected rows of one width on all ranks, got widths {[width for _, _, width, _ in table]} "
            f"in {[dim for _, dim, _, _ in table]} dimensions"
        )
    if len({kind for *_, kind in table}) > 1:
        raise TypeError(f"expected rows of one dtype on all ranks, got {rows.dtype} on rank {rank()} and others")
    return [count for count, *_ in table]


def all_gather_rows(rows: Tensor, *, counts: Sequence[int] | None = None) -> Tensor:
    """The rows of all ranks, in the order of the ranks, with their gradient.

    The gradient of a row is the sum of what all ranks ask of it: each rank's backward pass reaches the rows of the
    others. (A gather without gradient, into which a rank's own rows are put back, gives another gradient: the negatives
    of the other ranks are pushed by nobody.) Without a process group, or with one process, the rows themselves.

    Args:
        rows: ``[N, ...]``; N may differ from rank to rank and may be 0.
        counts: The rows of each rank, where :func:`row_counts` has told them already.

    Returns:
        ``[sum of N, ...]``, the same on all ranks.

    Raises:
        ValueError: The ranks' rows differ in more than their number, or ``counts`` are not theirs.
        TypeError: The ranks' rows differ in their dtype.

    Example:
        >>> all_gather_rows(torch.ones(2, 3)).shape  # one process
        torch.Size([2, 3])
    """
    if rows.dim() == 0:
        raise ValueError("expected rows [N, ...], got a single number; write .reshape(1)")
    counts = row_counts(rows) if counts is None else list(counts)
    if len(counts) != world() or counts[rank()] != rows.size(0):
        raise ValueError(f"expected the rows of {world()} ranks, {rows.size(0)} of them here, got counts {counts}")
    return rows if world() == 1 else _apply(_Gather, rows, counts)


def ring(*tensors: Tensor, counts: Sequence[int]) -> Iterator[tuple[Tensor, ...]]:
    """Iterate over the rows of all ranks, one rank at a time from the own one on: each hands on what it has read.

    Two ranks' rows are in memory at a time, never all; the next ones travel while the present ones are worked on. Read
    the iterator to its end, and do not write to what it yields. No gradient.

    Args:
        tensors: Each ``[N, ...]``, with the rows of this rank.
        counts: The rows of each rank, from :func:`row_counts`.

    Yields:
        The same tensors of this rank, then of the rank before it, and so on round.

    Example:
        >>> [block.tolist() for block, in ring(torch.arange(3), counts=[3])]
        [[0, 1, 2]]
    """
    size, me = world(), rank()
    block = tuple(tensor.detach().contiguous() for tensor in tensors)
    for step in range(1, size + 1):
        if step == size:
            yield block
            return
        coming = tuple(tensor.new_empty(counts[(me - step) % size], *tensor.shape[1:]) for tensor in block)
        # Empty messages are not sent, and both sides know which those are.
        messages = [dist.P2POp(dist.isend, _bytes(t), (me + 1) % size) for t in block if t.numel()]
        messages += [dist.P2POp(dist.irecv, _bytes(t), (me - 1) % size) for t in coming if t.numel()]
        waiting = dist.batch_isend_irecv(messages) if messages else []
        yield block
        for work in waiting:
            work.wait()
        block = coming


class _Gather(torch.autograd.Function):
    """All ranks' rows. Its derivative is :class:`_SumOwn`, whose derivative it is."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        rows = rows.detach().contiguous()
        everything = rows.new_empty(sum(counts), *rows.shape[1:])
        if not everything.numel():
            return everything
        if len(set(counts)) == 1:
            _gather_equal(_bytes(everything), _bytes(rows))
            return everything
        # One broadcast from each rank straight into its place: nothing is padded.
        parts = everything.split(counts)
        parts[rank()].copy_(rows)
        _wait(dist.broadcast(_bytes(part), r, async_op=True) for r, part in enumerate(parts) if part.numel())
        return everything

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _apply(_SumOwn, grad, ctx.counts), None


class _SumOwn(torch.autograd.Function):
    """The sum over the ranks of what each holds for this rank's rows; summed in float32 at least."""

    @staticmethod
    def forward(ctx: Any, everything: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        wide = torch.promote_types(torch.float32, everything.dtype)
        parts = everything.detach().to(wide, copy=True, memory_format=torch.contiguous_format).split(counts)
        _wait(dist.reduce(part, r, async_op=True) for r, part in enumerate(parts) if part.numel())
        return parts[rank()].to(everything.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _apply(_Gather, grad, ctx.counts), None


def _apply(function: type[torch.autograd.Function], rows: Tensor, counts: list[int]) -> Tensor:
    return function.apply(rows, counts)


def _gather_equal(everything: Tensor, own: Tensor) -> None:
    """Into one tensor, of equal parts."""
    if everything.device.type == "cpu":
        dist.all_gather(list(everything.chunk(world())), own)
        return
    # This one needs no second copy on a GPU. Its name changed in torch 2.13.
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    gather(everything, own)


def _bytes(tensor: Tensor) -> Tensor:
    """The memory of a contiguous tensor: what travels unchanged whatever dtypes a backend knows."""
    return tensor.view(-1).view(torch.uint8)


def _wait(works: Iterator[Any]) -> None:
    for work in list(works):
        work.wait()
