"""The operands as the kernels take them: rows scaled so that a product of two is an exponent of two, and rounded."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._pairs import Pairs
from graphcl.similarity._tiles import Operands
from graphcl.similarity._tilings import FORMATS, Shape, cut

__all__ = ["LOG2_E", "Barred", "Prepared", "allowed", "barred_of", "prepare"]

LOG2_E = math.log2(math.e)
# Exponentials need no shift where none is beyond e^70 or below e^-70: a sum of 10^8 of them is still a float32.
BOUND = 70 * LOG2_E
# Below this bound, scaled rows would lose digits in float16: the scale is then applied to the products.
LEAST = 2.0**-6


def allowed(format: str) -> str:
    """The format, or a coarser one for float32 if ``torch.set_float32_matmul_precision`` allows it."""
    if format != "float32":
        return format
    return {"highest": "float32", "high": "tf32", "medium": "fp16"}[torch.get_float32_matmul_precision()]


class Prepared(NamedTuple):
    """The operands as the kernels take them."""

    query: Tensor  # [M, chunks * width]
    key: Tensor  # [N, chunks * width]; the query itself where the rows meet each other
    query_bias: Tensor | None  # [M] in base 2
    key_bias: Tensor | None  # [N]
    query_factor: Tensor  # [1] what the rows were multiplied by
    key_factor: Tensor  # [1]
    times: Tensor  # [1] what the products are still to be multiplied by; one where bounded
    bounded: Tensor  # [1] one where exponentials need no shift, else zero
    shape: Shape
    format: str

    def turned(self) -> "Prepared":
        """Keys as queries."""
        return self._replace(
            query=self.key,
            key=self.query,
            query_bias=self.key_bias,
            key_bias=self.query_bias,
            query_factor=self.key_factor,
            key_factor=self.query_factor,
        )


def prepare(operands: Operands, format: str) -> Prepared:
    """Scales and rounds the rows; everything that depends on their lengths stays on the device."""
    query, key, format = operands.query, operands.key, allowed(format)
    dtype = FORMATS[format][0]
    shape = cut(query.size(1), dtype.itemsize)
    own = query is key
    base = operands.scale * LOG2_E  # [1]
    longest = _longest(query)
    other = longest if own else _longest(key)
    bound = base.abs() * longest * other
    # Both sides share the scale, so that the greatest of either have one length and the products of rows among
    # themselves are symmetric to the last bit.
    shared = bound >= LEAST
    root = (base.abs() * other / longest).sqrt()
    query_factor = torch.where(shared, root, 1 / longest)
    key_factor = query_factor if own else torch.where(shared, (base.abs() * longest / other).sqrt(), 1 / other)
    times = torch.where(shared, base.sign(), base * longest * other)
    biases = [operands.query_bias, operands.key_bias]
    limit = bound
    for bias in biases:
        limit = limit if bias is None else limit + bias.abs().max() * LOG2_E
    biases = [None if bias is None else bias[0] * LOG2_E for bias in biases]
    if not own and (biases[0] is None) != (biases[1] is None):
        rows = query if biases[0] is None else key
        biases[0 if biases[0] is None else 1] = rows.new_zeros(len(rows))
    rounded = _rounded(query, query_factor, shape, dtype)
    return Prepared(
        rounded,
        rounded if own else _rounded(key, key_factor, shape, dtype),
        biases[0],
        biases[1],
        query_factor,
        key_factor,
        times,
        ((limit <= BOUND) & shared & (base > 0)).int(),  # zero for NaN
        shape,
        format,
    )


def _longest(rows: Tensor) -> Tensor:
    longest = torch.linalg.vector_norm(rows, dim=1).amax(0, keepdim=True)
    return torch.where(longest == 0, 1.0, longest)


def _rounded(rows: Tensor, factor: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
    wide = shape.width * shape.chunks
    make = torch.empty if wide == rows.size(1) else torch.zeros
    out = make(len(rows), wide, dtype=dtype, device=rows.device)
    torch.mul(rows, factor, out=out[:, : rows.size(1)])
    return out


class Barred(NamedTuple):
    """The groups as the kernels take them, and how many of the lists exclude (E) or restrict (ONLY)."""

    query: Tensor  # [E + ONLY, M]
    key: Tensor  # [E + ONLY, N]
    exclude: int
    only: int

    def extremes(self, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Least and greatest group of every strip and tile."""
        return *_extremes(self.query, rows), *_extremes(self.key, columns)

    def turned(self) -> "Barred":
        """Keys as queries."""
        return Barred(self.key, self.query, self.exclude, self.only)


def barred_of(pairs: Pairs) -> Barred:
    query = torch.cat([pairs.exclude_query, pairs.only_query])
    key = torch.cat([pairs.exclude_key, pairs.only_key])
    return Barred(query, key, len(pairs.exclude_query), len(pairs.only_query))


def _extremes(groups: Tensor, size: int) -> tuple[Tensor, Tensor]:
    if not len(groups):
        return groups, groups
    missing = -groups.size(1) % size
    if missing:
        groups = torch.cat([groups, groups[:, -1:].expand(-1, missing)], 1)
    low, high = groups.view(len(groups), -1, size).aminmax(dim=2)
    return low.contiguous(), high.contiguous()
