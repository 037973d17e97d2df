"""Sums over all pairs of rows that are not log-sum-exps, in memory linear in the rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from graphcl._twice import is_looked_into
from graphcl.similarity._precision import full_precision

__all__ = ["by_blocks"]

PAIRS = 1 << 20  # pairs in memory at a time


def by_blocks(
    function: Callable[..., Tensor], rows: Sequence[Tensor], others: Sequence[Tensor], *, columns: int
) -> Tensor:
    """``function(*rows, *others)``, row by row, on as many rows at a time as make 2^20 pairs with ``columns``.

    The backward pass computes each block again instead of keeping it. Exact: the rows do not know of each other.
    Only ``rows`` and ``others`` get gradients, not what ``function`` holds besides. Under transforms of ``torch.func``
    and in forward-mode differentiation the blocks are kept.
    """
    step = max(1, PAIRS // max(1, columns))
    total = rows[0].size(0)
    # Autocast, of which a backward pass inside it would make 16 bits of the products, is off in one that is ours.
    ours = total > 0 and torch._C._is_any_autocast_enabled() and not is_looked_into()
    with full_precision(rows[0]):
        if total <= step and not ours:
            return function(*rows, *others)
        blocks = [[z[start : start + step] for z in rows] for start in range(0, total, step)]
        if torch.compiler.is_compiling():  # which knows checkpoints, and plans the memory itself
            return torch.cat([checkpoint(function, *block, *others, use_reentrant=False) for block in blocks])
        if is_looked_into():  # which knows neither checkpoints nor a backward pass that asks for gradients
            return torch.cat([function(*block, *others) for block in blocks])
        whole: Tensor = _ByBlocks.apply(function, step, len(rows), *rows, *others)  # type: ignore[no-untyped-call]
        return whole


class _ByBlocks(torch.autograd.Function):
    """All blocks as one operation, of which nothing small is kept block by block.

    Where it is, as by a checkpoint for each block, it lies in the memory that the block's matrices leave, which then is
    too small for those of the next block: a process grows by gigabytes that nothing holds.
    """

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], step: int, count: int, *tensors: Tensor) -> Tensor:
        ctx.function, ctx.step, ctx.count = function, step, count
        ctx.save_for_backward(*tensors)
        whole = None
        for part, block in _cut(tensors, step, count):
            found = function(*block)
            whole = found.new_empty(tensors[0].size(0), *found.shape[1:]) if whole is None else whole
            whole[part] = found
        assert whole is not None
        return whole

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        needed = [place for place, needs in enumerate(ctx.needs_input_grad[3:]) if needs]
        tensors = ctx.saved_tensors
        # New ones of the gradient, which may be several at once: then so are these.
        grads: list[Tensor | None] = [
            grad.new_zeros(z.shape, dtype=z.dtype) if i in needed else None for i, z in enumerate(tensors)
        ]
        again = torch.is_grad_enabled()  # for second derivatives
        with full_precision(grad), torch.enable_grad():
            for part, block in _cut(tensors, ctx.step, ctx.count):
                # Views, so that a tensor that stands in both lists is two here: else a share would count twice.
                block = [z.view_as(z) for z in block]
                found = ctx.function(*block)
                given = torch.autograd.grad(found, [block[i] for i in needed], grad[part], create_graph=again)
                for i, share in zip(needed, given, strict=True):
                    sums = grads[i]
                    assert sums is not None
                    (sums[part] if i < ctx.count else sums).add_(share)
        return None, None, None, *grads


def _cut(tensors: Sequence[Tensor], step: int, count: int) -> Iterator[tuple[slice, list[Tensor]]]:
    """Rows ``step`` by ``step`` of the first ``count`` tensors, with the others whole."""
    for start in range(0, tensors[0].size(0), step):
        part = slice(start, start + step)
        yield part, [z[part] if i < count else z for i, z in enumerate(tensors)]
