"""The forward pass over the tiles: sums of exponentials."""

import torch
from torch import Tensor

from graphcl.similarity._plan import Plan
from graphcl.similarity._tiles import LEAST, Board, Operands

__all__ = ["expected_keys", "forward"]


class _Sums:
    """Sums of exponentials, row by row; relative to the greatest exponent so far unless all are small."""

    def __init__(self, like: Tensor, scales: int, count: int, bounded: bool) -> None:
        self.total = like.new_zeros(scales, count)
        self.top = None if bounded else like.new_full((scales, count), -torch.inf)

    def add(self, s: int, start: int, stop: int, exponents: Tensor, dim: int) -> Tensor:
        """Overwrites the exponents with exponentials, and returns the factor by which older ones have shrunk."""
        assert self.top is not None
        total, top = self.total[s, start:stop], self.top[s, start:stop]
        new = torch.maximum(top, exponents.amax(dim))
        reference = new.masked_fill(~new.isfinite(), 0)
        exponents.sub_(reference.unsqueeze(dim)).clamp_(min=LEAST).exp_()
        shrink = (top - reference).exp_()
        total.mul_(shrink).add_(exponents.sum(dim)).masked_fill_(new.isneginf(), 0)
        top.copy_(new)
        return shrink

    def log(self) -> Tensor:
        if self.top is None:
            return self.total.log_()
        return self.total.log_().add_(self.top.masked_fill(~self.top.isfinite(), 0))


def forward(operands: Operands, plan: Plan, *, columns: bool, bounded: bool) -> tuple[Tensor, Tensor | None]:
    """Log-sums of the rows ``[S, M]`` and, if asked for, of the columns ``[S, N]``."""
    board, scales = Board(operands, plan), len(operands.scale)
    row_sums = _Sums(operands.query, scales, len(operands.query), bounded)
    column_sums = row_sums
    if not plan.triangle:
        column_sums = _Sums(operands.query, scales, len(operands.key) if columns else 0, bounded)
    for strip in plan.strips:
        for tile, products in board.tiles(strip):
            across = plan.triangle and not tile.diagonal or columns
            for s in range(scales):
                x = board.exponents(s, strip, tile, products)
                if bounded:
                    plan.bar(x.exp_(), strip, tile, 0)
                    row_sums.total[s, strip.start : strip.stop] += x.sum(1)
                    if across:
                        column_sums.total[s, tile.start : tile.stop] += x.sum(0)
                    continue
                plan.bar(x, strip, tile, -torch.inf)
                if across:
                    column_sums.add(s, tile.start, tile.stop, board.view("copy", strip, tile).copy_(x), 0)
                row_sums.add(s, strip.start, strip.stop, x, 1)
    return row_sums.log(), column_sums.log() if columns else None


def expected_keys(operands: Operands, plan: Plan, *, bounded: bool) -> tuple[Tensor, Tensor]:
    """Log-sums ``[1, M]`` and the mean of the keys under the softmax of each row ``[M, D]``, in one pass."""
    board = Board(operands, plan)
    sums = _Sums(operands.query, 1, len(operands.query), bounded)
    mean = torch.zeros_like(operands.query)
    for strip in plan.strips:
        own = mean[strip.start : strip.stop]
        for tile, products in board.tiles(strip):
            x = board.exponents(0, strip, tile, products)
            if bounded:
                plan.bar(x.exp_(), strip, tile, 0)
                sums.total[0, strip.start : strip.stop] += x.sum(1)
            else:
                plan.bar(x, strip, tile, -torch.inf)
                own.mul_(sums.add(0, strip.start, strip.stop, x, 1)[:, None])
            own.addmm_(x, operands.key[tile.start : tile.stop])
    mean.div_(sums.total[0].masked_fill(sums.total[0] == 0, 1)[:, None])
    return sums.log(), mean
