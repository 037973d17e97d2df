"""How the work of the kernels is cut for the chip: formats of numbers, tiles of pairs, chunks of rows."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FORMATS", "RESULT", "SMALL_TILINGS", "TILINGS", "Shape", "Tiling", "cut", "tilings", "tilings_for"]

# What rows and weights are rounded to, and how tensor cores multiply them.
FORMATS = {
    "fp16": (torch.float16, "ieee"),
    "tf32": (torch.float32, "tf32"),
    "float32": (torch.float32, "tf32x3"),  # three products for one, about as exact as float32
}


@dataclass(frozen=True)
class Tiling:
    """Rows and columns of a tile, stages of the load pipeline, warps."""

    rows: int
    columns: int
    stages: int
    warps: int


# By bytes of a number and greatest width of a row, forward and backward; 0 is for rows in chunks. What fits into 227 KB
# of shared memory and the registers of sm_90: a test compiles them all.
TILINGS = {
    (2, 128): (Tiling(128, 64, 3, 4), Tiling(128, 64, 3, 8)),
    (2, 256): (Tiling(128, 128, 2, 8), Tiling(64, 64, 3, 8)),
    (2, 512): (Tiling(128, 32, 2, 8), Tiling(64, 32, 3, 8)),
    (2, 0): (Tiling(128, 128, 4, 8), Tiling(64, 64, 3, 8)),
    (4, 128): (Tiling(64, 64, 2, 4), Tiling(64, 16, 1, 8)),
    (4, 0): (Tiling(64, 64, 2, 8), Tiling(64, 32, 2, 8)),
}
ROOMY = ((9, 0), (10, 0), (10, 3))  # compute capabilities with that much
# For devices with less shared memory (99 KB is the least from sm_80 on).
SMALL_TILINGS = {
    (2, 128): (Tiling(64, 64, 2, 4), Tiling(64, 64, 2, 4)),
    (2, 256): (Tiling(64, 32, 2, 4), Tiling(64, 32, 2, 8)),
    (2, 512): (Tiling(32, 16, 2, 4), Tiling(32, 16, 2, 8)),
    (2, 0): (Tiling(64, 64, 2, 4), Tiling(64, 32, 2, 8)),
    (4, 128): (Tiling(32, 32, 2, 4), Tiling(32, 16, 2, 8)),
    (4, 0): (Tiling(32, 32, 2, 4), Tiling(32, 32, 2, 4)),
}
# Columns of the gradient that one program makes where rows are in chunks, by bytes of a number: it makes all exponents.
RESULT = {2: 256, 4: 128}


class Shape(NamedTuple):
    """How rows are cut: ``chunks`` of ``width``, zeros at the end."""

    width: int
    chunks: int


def cut(width: int, size: int) -> Shape:
    """Chunks of rows of some width, of numbers of ``size`` bytes; tensor cores take powers of two from 16 on.

    One chunk, unless it is too wide for the chip or the zeros at its end would cost more than a third.
    """
    whole = max(16, 1 << (width - 1).bit_length())
    if whole <= (512 if size == 2 else 128) and (whole <= 128 or 3 * whole <= 4 * width):
        return Shape(whole, 1)
    chunk = 128 // size
    return Shape(chunk, -(-width // chunk))


def tilings(shape: Shape, size: int, table: dict[tuple[int, int], tuple[Tiling, Tiling]]) -> tuple[Tiling, Tiling]:
    """Forward and backward, of one of the tables above."""
    if shape.chunks > 1:
        return table[size, 0]
    return next(pair for (bytes_, width), pair in table.items() if bytes_ == size and width >= shape.width)


def tilings_for(rows: Tensor, shape: Shape) -> tuple[Tiling, Tiling]:
    """Those of the device on which the rows lie."""
    large = rows.device.type != "cuda" or torch.cuda.get_device_capability(rows.device) in ROOMY
    return tilings(shape, rows.element_size(), TILINGS if large else SMALL_TILINGS)
