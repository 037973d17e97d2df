"""The backward pass: every tile is made again, weighted by what the loss asks of its rows and columns, and used."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._plan import Plan, Strip, Tile
from graphcl.similarity._tiles import LEAST, Board, Operands

__all__ = ["Gradients", "Wants", "backward"]


class Gradients(NamedTuple):
    """What the loss changes by with each operand, None where nobody asked."""

    query: Tensor | None
    key: Tensor | None
    scale: Tensor
    query_bias: Tensor | None
    key_bias: Tensor | None


class Wants(NamedTuple):
    """Whose gradients are wanted; those of the biases always are, if there are any."""

    query: bool
    key: bool
    scale: bool


def backward(
    operands: Operands,
    plan: Plan,
    row_grad: Tensor,
    row_sums: Tensor,
    column_grad: Tensor | None,
    column_sums: Tensor | None,
    *,
    bounded: bool,
    wants: Wants,
) -> Gradients:
    """Gradients of ``sum(row_grad * row_sums) + sum(column_grad * column_sums)``.

    Args:
        operands: As in the forward pass.
        plan: As in the forward pass.
        row_grad: ``[S, M]``.
        row_sums: ``[S, M]``, the log-sums.
        column_grad: ``[S, N]``, None where only rows were summed.
        column_sums: ``[S, N]``.
        bounded: As in the forward pass.
        wants: What to compute.
    """
    sides = [(row_grad, row_sums)]
    if column_grad is not None and column_sums is not None:
        sides.append((column_grad, column_sums))
    # A row without a key has no gradient, whatever is asked of it.
    sides = [(grad.masked_fill(sums.isneginf(), 0), sums) for grad, sums in sides]
    # Gradients are divided by the greatest of them, so that no product with an exponential is too small to be kept.
    unit = torch.stack([grad.abs().max() if grad.numel() else grad.new_zeros(()) for grad, _ in sides]).max()
    unit = unit.masked_fill(unit == 0, 1)
    weights = [_weights(grad / unit, sums, bounded) for grad, sums in sides]
    rows, columns = weights[0], weights[-1] if plan.triangle or len(weights) == 2 else None
    board, sum_up = Board(operands, plan), _Accumulators(operands, plan, wants)
    for strip in plan.strips:
        for tile, products in board.tiles(strip):
            for s in range(len(operands.scale)):
                exponents = board.exponents(s, strip, tile, products)
                pull = _pull(board, strip, tile, exponents, s, rows, columns)
                sum_up.biases(s, strip, tile, pull)
                if not board.single:
                    pull = sum_up.scales(board, s, strip, tile, pull, products)
            sum_up.rows(strip, tile, pull)
    return sum_up.finish(unit)


class _Weights(NamedTuple):
    """How much a row pulls at its pairs: ``factor * exp(exponent - offset)``."""

    factor: Tensor  # [S, M]
    offset: Tensor | None  # [S, M], where exponentials must be taken relative to the row's log-sum


def _weights(grad: Tensor, sums: Tensor, bounded: bool) -> _Weights:
    sums = sums.masked_fill(sums.isneginf(), 0)
    if bounded:
        return _Weights(grad * sums.neg_().exp_(), None)
    return _Weights(grad, sums)


def _pull(
    board: Board, strip: Strip, tile: Tile, x: Tensor, s: int, rows: _Weights, columns: _Weights | None
) -> Tensor:
    """The gradient of the exponents of a tile, written over them; pairs that do not count get none."""
    own = rows.factor[s, strip.start : strip.stop, None]
    other = None if columns is None else columns.factor[s, tile.start : tile.stop]
    if rows.offset is None:
        x.exp_()
        x.mul_(own if other is None else torch.add(own, other, out=board.view("weights", strip, tile)))
        board.plan.bar(x, strip, tile, 0)
        return x
    # Of pairs that count, none is above its sum by more than rounding.
    back = None
    if columns is not None and columns.offset is not None and other is not None:
        back = torch.sub(x, columns.offset[s, tile.start : tile.stop], out=board.view("weights", strip, tile))
        back.clamp_(LEAST, 1).exp_().mul_(other)
    x.sub_(rows.offset[s, strip.start : strip.stop, None]).clamp_(LEAST, 1).exp_().mul_(own)
    if back is not None:
        x.add_(back)
    board.plan.bar(x, strip, tile, 0)
    return x


class _Accumulators:
    """The gradients, summed up tile by tile.

    Where queries are keys, both roles of a row are summed in one place. The tiles on the diagonal of a triangle hold
    every pair from both of its sides, and count in one role only.
    """

    def __init__(self, operands: Operands, plan: Plan, wants: Wants) -> None:
        query, key, scale, query_bias, key_bias = operands
        self.operands, self.plan, self.wants = operands, plan, wants
        self.same, self.single = query is key, len(scale) == 1
        # The gradient of a single scale is read off that of the query.
        needed = wants.query or self.same or (wants.scale and self.single)
        self.query = torch.zeros_like(query) if needed else None
        self.key = self.query if self.same else torch.zeros_like(key) if wants.key else None
        self.scale = torch.zeros_like(scale)
        self.query_bias = None if query_bias is None else torch.zeros_like(query_bias)
        self.key_bias = self.query_bias if self.same else None if key_bias is None else torch.zeros_like(key_bias)

    def _once(self, tile: Tile) -> bool:
        return self.plan.triangle and tile.diagonal

    def biases(self, s: int, strip: Strip, tile: Tile, pull: Tensor) -> None:
        if self.query_bias is not None:
            self.query_bias[s, strip.start : strip.stop] += pull.sum(1)
        if self.key_bias is not None and not self._once(tile):
            self.key_bias[s, tile.start : tile.stop] += pull.sum(0)

    def scales(self, board: Board, s: int, strip: Strip, tile: Tile, pull: Tensor, products: Tensor) -> Tensor:
        """One of several scales: its own gradient, and the pull of all so far on the products."""
        if self.wants.scale:
            share = torch.mul(pull, products, out=board.view("spare", strip, tile)).sum()
            self.scale[s] += share / 2 if self._once(tile) else share
        total, scale = board.view("mixed", strip, tile), self.operands.scale[s]
        return torch.mul(pull, scale, out=total) if s == 0 else total.addcmul_(pull, scale)

    def rows(self, strip: Strip, tile: Tile, pull: Tensor) -> None:
        if self.query is not None:
            self.query[strip.start : strip.stop].addmm_(pull, self.operands.key[tile.start : tile.stop])
        if self.key is not None and not self._once(tile):
            self.key[tile.start : tile.stop].addmm_(pull.T, self.operands.query[strip.start : strip.stop])

    def finish(self, unit: Tensor) -> Gradients:
        factor = unit
        if self.single:
            factor = unit * self.operands.scale[0]
            if self.wants.scale and self.query is not None:
                # The sum of pull * product over all pairs; where queries are keys, both members of a pair have it.
                blocks = _blocks(len(self.query))
                along = sum((self.operands.query[rows] * self.query[rows]).sum() for rows in blocks)
                self.scale[0] = along / 2 if self.same else along
        gradients = [(self.query, factor), (self.scale, unit), (self.query_bias, unit)]
        gradients += [] if self.same else [(self.key, factor), (self.key_bias, unit)]
        for gradient, times in gradients:
            if gradient is not None:
                gradient.mul_(times)
        query = self.query if self.wants.query else None
        return Gradients(query, None if self.same else self.key, self.scale, self.query_bias, self.key_bias)


def _blocks(count: int, size: int = 4096) -> Iterator[slice]:
    return (slice(i, i + size) for i in range(0, count, size))
