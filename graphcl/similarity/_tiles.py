"""The exponents of one tile after another, in buffers that are used again. Plain tensors, no autograd."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._plan import Plan, Strip, Tile

__all__ = ["LEAST", "Board", "Operands", "is_bounded"]

# Beyond this, exponentials are taken relative to a running maximum. Within it neither a sum over a billion keys nor the
# weight of a pair, e^x over its sum, leaves the normal numbers of float32 in all but contrived cases.
BOUND = 40.0
# An exponential relative to the greatest of its row is not taken below e^-70, 4e-31: no sum can tell, and a CPU reckons
# with smaller numbers, which are not normal ones, a hundred times as slowly.
LEAST = -70.0


class Operands(NamedTuple):
    """What the exponents are made of; see :class:`graphcl.similarity._fold.Folded`. ``key`` may be ``query`` itself."""

    query: Tensor  # [M, D]
    key: Tensor  # [N, D]
    scale: Tensor  # [S]
    query_bias: Tensor | None  # [S, M]
    key_bias: Tensor | None  # [S, N]


def is_bounded(operands: Operands) -> bool:
    """Whether exponentials need no shift: by the lengths of the rows, none is beyond e^40 or below e^-40."""
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


class Board:
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
