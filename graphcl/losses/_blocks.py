"""Sums over all pairs of rows that are no log-sum-exp, in memory linear in the rows."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["by_blocks"]

PAIRS = 1 << 20  # pairs in memory at a time


def by_blocks(
    function: Callable[..., Tensor], rows: Sequence[Tensor], others: Sequence[Tensor], *, columns: int
) -> Tensor:
    """``function(*rows, *others)``, row by row, on as many rows at a time as make 2^20 pairs with ``columns``.

    The backward pass computes each block again instead of keeping it. Exact: the rows do not know of each other.
    """
    step = max(1, PAIRS // max(1, columns))
    total = rows[0].size(0)
    with torch.autocast(rows[0].device.type, enabled=False):
        if total <= step:
            return function(*rows, *others)
        blocks = [[z[start : start + step] for z in rows] for start in range(0, total, step)]
        return torch.cat(
            [checkpoint(function, *block, *others, use_reentrant=False, preserve_rng_state=False) for block in blocks]
        )
