"""What contrast across processes needs: which rank this is, rows and sums of all ranks with gradient, and a ring.

Start one process for each device by ``torchrun`` and open the process group; the losses do the rest::

    # torchrun --nproc-per-node=4 pretrain.py
    torch.distributed.init_process_group()
    encoder = torch.nn.parallel.DistributedDataParallel(encoder)
    loss = NTXent(temperature=0.2, across_ranks=True)
    loss(encoder(view1), encoder(view2)).backward()  # the gradient of one process with all the rows

A loss without ``across_ranks`` is right too where every rank computes it in full over the rows of all,
``loss(all_gather_rows(z1), all_gather_rows(z2))``: W times the work, but the same gradient. That is what methods do
inside :func:`one_batch`, as :func:`graphcl.train.fit` calls them; every rank encodes its own graphs alone::

    with one_batch():
        loss = method(batch)  # of the graphs of all ranks
    loss.backward()  # averaged over the ranks, the gradient of one process

Every rank must make the same calls in the same order, and run the backward pass if any does: a rank that stays away
lets the others wait until the time limit of the process group. A learnable temperature belongs into the module that is
wrapped in ``DistributedDataParallel``, like every other weight. Built on the public functions of ``torch.distributed``
alone.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = [
    "all_gather_rows",
    "is_one_batch",
    "is_part",
    "joined_groups",
    "joined_rows",
    "mean_over_ranks",
    "one_batch",
    "own_rows",
    "rank",
    "ring",
    "row_counts",
    "rows_before",
    "sum_over_ranks",
    "world",
]

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


_joined = _own = False  # plain flags, which a compiled network can look at


@contextmanager
def one_batch() -> Iterator[None]:
    """Inside, the batches that the ranks have in their hands are parts of one.

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
    """Whether there are other ranks whose batches count as parts of the same one.

    Example:
        >>> is_one_batch()
        False
    """
    return _joined and world() > 1


@contextmanager
def own_rows() -> Iterator[None]:
    """Inside, what is computed has the rows of this rank alone, as an encoder has; outside it may have those of all.

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
    """Whether what is computed now has only some rows of a batch, the others being on other ranks.

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
    """How many rows the ranks before this one have, where their batches count as one; else 0.

    Args:
        count: How many this rank has.
        device: That of the process group, where it is not the CPU.

    Example:
        >>> rows_before(5)
        0
    """
    return sum(row_counts(torch.empty(count, device=device))[: rank()]) if is_one_batch() else 0


def joined_groups(groups: Tensor, count: int) -> tuple[Tensor, int]:
    """What :func:`joined_rows` is for numbers of groups: those of a rank follow on those of the rank before it.

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
    result: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return result


def ring(*tensors: Tensor, counts: Sequence[int]) -> Iterator[tuple[Tensor, ...]]:
    """The rows of one rank after another, the own ones first: each rank hands on what it has read.

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


class _Sum(torch.autograd.Function):
    """The sum over the ranks, whose derivative is the sum of what the ranks ask of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(grad)  # type: ignore[no-untyped-call]
        return total


def _apply(function: type[torch.autograd.Function], rows: Tensor, counts: list[int]) -> Tensor:
    result: Tensor = function.apply(rows, counts)
    return result


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
