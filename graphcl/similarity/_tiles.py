"""The loops over tiles: sums forward, the tiles again backward. Plain tensors, no autograd, buffers used again."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._plan import Plan, Strip, Tile

__all__ = ["Gradients", "Operands", "backward", "expected_keys", "forward", "is_bounded"]

# Beyond this the exponentials of float32 are taken relative to a running maximum. Within it a sum over a billion keys
# is below 1e36, and one over it, times a gradient a hundred times less than the greatest, is still a normal number.
BOUND = 60.0


class Operands(NamedTuple):
    """What the exponents are made of; see :class:`graphcl.similarity._fold.Folded`. ``key`` may be ``query`` itself."""

    query: Tensor  # [M, D]
    key: Tensor  # [N, D]
    scale: Tensor  # [S]
    query_bias: Tensor | None  # [S, M]
    key_bias: Tensor | None  # [S, N]


class Gradients(NamedTuple):
    """What the loss changes by with each operand, None where nobody asked."""

    query: Tensor | None
    key: Tensor | None
    scale: Tensor
    query_bias: Tensor | None
    key_bias: Tensor | None


def is_bounded(operands: Operands) -> bool:
    """Whether exponentials need no shift: by the lengths of the rows, none is beyond e^60 or below e^-60."""
    if not operands.query.numel() or not operands.key.numel():
        return True
    bound = operands.scale.abs().max()
    for rows in {id(operands.query): operands.query, id(operands.key): operands.key}.values():
        longest = torch.linalg.vector_norm(rows, dim=1).max()
        bound = bound * (longest.square() if operands.query is operands.key else longest)
    for bias in (operands.query_bias, operands.key_bias):
        if bias is not None:
            bound = bound + bias.abs().max()
    return bool(bound <= BOUND)  # false for NaN


class _Board:
    """The buffers of one call, and the tiles of exponents written into them."""

    def __init__(self, operands: Operands, plan: Plan) -> None:
        self.operands, self.plan = operands, plan
        height = max((strip.stop - strip.start for strip in plan.strips), default=0)
        sizes = [(s.stop - s.start) * (t.stop - t.start) for s in plan.strips for t in s.tiles]
        self.size = max(sizes, default=0)
        self.buffers: dict[str, Tensor] = {}
        self.left = operands.query.new_empty(height, operands.query.size(1))
        self.single = len(operands.scale) == 1

    def view(self, name: str, strip: Strip, tile: Tile) -> Tensor:
        if name not in self.buffers:
            self.buffers[name] = self.operands.query.new_empty(self.size)
        height, width = strip.stop - strip.start, tile.stop - tile.start
        return self.buffers[name][: height * width].view(height, width)

    def tiles(self, strip: Strip) -> Iterator[tuple[Tile, Tensor]]:
        """Each tile of a strip with its products, times the scale if there is one only."""
        query, key = self.operands.query[strip.start : strip.stop], self.operands.key
        left = self.left[: len(query)]
        if self.single:
            torch.mul(query, self.operands.scale, out=left)
        else:
            left.copy_(query)
        for tile in strip.tiles:
            yield tile, torch.mm(left, key[tile.start : tile.stop].T, out=self.view("products", strip, tile))

    def exponents(self, s: int, strip: Strip, tile: Tile, products: Tensor) -> Tensor:
        """Scale s and the biases; overwrites the products of a single scale."""
        if not self.single:
            products = torch.mul(products, self.operands.scale[s], out=self.view("exponents", strip, tile))
        if self.operands.query_bias is not None:
            products.add_(self.operands.query_bias[s, strip.start : strip.stop, None])
        if self.operands.key_bias is not None:
            products.add_(self.operands.key_bias[s, tile.start : tile.stop])
        return products


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
        exponents.sub_(reference.unsqueeze(dim)).exp_()
        shrink = (top - reference).exp_()
        total.mul_(shrink).add_(exponents.sum(dim))
        top.copy_(new)
        return shrink

    def log(self) -> Tensor:
        if self.top is None:
            return self.total.log_()
        return self.total.log_().add_(self.top.masked_fill(~self.top.isfinite(), 0))


def forward(operands: Operands, plan: Plan, *, columns: bool, bounded: bool) -> tuple[Tensor, Tensor | None]:
    """Log-sums of the rows ``[S, M]`` and, if asked for, of the columns ``[S, N]``."""
    board, scales = _Board(operands, plan), len(operands.scale)
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
    board = _Board(operands, plan)
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


class _Weights(NamedTuple):
    """``exp(exponent) * factor - offset`` in the exponent: how a row's upstream gradient enters the tiles."""

    factor: Tensor  # [S, M]
    offset: Tensor | None  # [S, M], where exponentials must be taken relative to the row's log-sum


def _weights(grad: Tensor, sums: Tensor, unit: Tensor, bounded: bool) -> _Weights:
    empty = sums.isneginf()
    grad = (grad / unit).masked_fill(empty, 0)
    sums = sums.masked_fill(empty, 0)
    if bounded:
        return _Weights(grad.mul_(sums.neg_().exp_()), None)
    return _Weights(grad, sums)


def backward(
    operands: Operands,
    plan: Plan,
    row_grad: Tensor,
    row_sums: Tensor,
    column_grad: Tensor | None,
    column_sums: Tensor | None,
    *,
    bounded: bool,
    wants: tuple[bool, bool, bool],
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
        wants: Whether the gradient of query, key and scale is wanted; those of the biases always are, if any.
    """
    query, key, scale = operands.query, operands.key, operands.scale
    same = query is key
    # Gradients are divided by the greatest of them, so that no product with an exponential is too small to be kept.
    unit = row_grad.abs().max() if row_grad.numel() else row_grad.new_ones(())
    if column_grad is not None and column_grad.numel():
        unit = torch.maximum(unit, column_grad.abs().max())
    unit = unit.masked_fill(unit == 0, 1)
    rows = _weights(row_grad, row_sums, unit, bounded)
    columns = rows if plan.triangle else None
    if column_grad is not None and column_sums is not None:
        columns = _weights(column_grad, column_sums, unit, bounded)
    board = _Board(operands, plan)
    per_scale = len(scale) > 1
    want_query = wants[0] or same or (wants[2] and not per_scale)
    grad_query = torch.zeros_like(query) if want_query else None
    grad_key = grad_query if same else torch.zeros_like(key) if wants[1] else None
    grad_scale = torch.zeros_like(scale)
    biases = [None if b is None else torch.zeros_like(b) for b in (operands.query_bias, operands.key_bias)]
    if same and biases[0] is not None:
        biases[1] = biases[0]
    for strip in plan.strips:
        mine = slice(strip.start, strip.stop)
        for tile, products in board.tiles(strip):
            theirs = slice(tile.start, tile.stop)
            mixed = products
            for s in range(len(scale)):
                x = board.exponents(s, strip, tile, products)
                p = _pull(board, strip, tile, x, s, rows, columns)
                if biases[0] is not None:
                    biases[0][s, mine] += p.sum(1)
                if biases[1] is not None and not (plan.triangle and tile.diagonal):
                    biases[1][s, theirs] += p.sum(0)
                if per_scale:
                    if wants[2]:
                        share = torch.mul(p, products, out=board.view("spare", strip, tile)).sum()
                        grad_scale[s] += share / 2 if plan.triangle and tile.diagonal else share
                    total = board.view("mixed", strip, tile)
                    mixed = torch.mul(p, scale[s], out=total) if s == 0 else total.addcmul_(p, scale[s])
                else:
                    mixed = p
            if grad_query is not None:
                grad_query[mine].addmm_(mixed, key[theirs])
            if grad_key is not None and not (plan.triangle and tile.diagonal):
                grad_key[theirs].addmm_(mixed.T, query[mine])
    if not per_scale:
        if wants[2] and grad_query is not None:
            # Every pair is in the rows of both of its members where queries are keys.
            along = sum((query[i] * grad_query[i]).sum() for i in _blocks(len(query)))
            grad_scale[0] = along / 2 if same else along
        unit_scale = unit * scale[0]
    else:
        unit_scale = unit
    for grad in {id(g): g for g in (grad_query, grad_key) if g is not None}.values():
        grad.mul_(unit_scale)
    for bias in {id(b): b for b in biases if b is not None}.values():
        bias.mul_(unit)
    return Gradients(
        grad_query if wants[0] else None, grad_key if wants[1] and not same else None, grad_scale.mul_(unit), *biases
    )


def _blocks(count: int, size: int = 4096) -> Iterator[slice]:
    return (slice(i, i + size) for i in range(0, count, size))


def _pull(
    board: _Board, strip: Strip, tile: Tile, x: Tensor, s: int, rows: _Weights, columns: _Weights | None
) -> Tensor:
    """The gradient of the exponents of a tile, over theirs; pairs that do not count get none."""
    own = rows.factor[s, strip.start : strip.stop, None]
    other = None if columns is None else columns.factor[s, tile.start : tile.stop]
    if rows.offset is None:
        x.exp_()
        x.mul_(own if other is None else torch.add(own, other, out=board.view("weights", strip, tile)))
        board.plan.bar(x, strip, tile, 0)
        return x
    board.plan.bar(x, strip, tile, -torch.inf)
    if columns is None or other is None or columns.offset is None:
        return x.sub_(rows.offset[s, strip.start : strip.stop, None]).exp_().mul_(own)
    back = torch.sub(x, columns.offset[s, tile.start : tile.stop], out=board.view("weights", strip, tile))
    x.sub_(rows.offset[s, strip.start : strip.stop, None]).exp_().mul_(own)
    return x.add_(back.exp_().mul_(other))
