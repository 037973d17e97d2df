"""Which entries of a diffusion matrix become edges."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from graphcl.augment._matrices import Array, Matrices

__all__ = ["Normalisation", "Rule", "rank", "renormalise"]

Normalisation = Literal["sym", "rw"]


@dataclass(frozen=True)
class Rule:
    """How a graph becomes a transition matrix, and which entries of its diffusion are kept."""

    top_k: int | None
    threshold: float | None
    normalisation: Normalisation
    self_loops: bool
    directed: bool


def rank(value: Array) -> Array:
    """int64: larger for larger values, equal where they agree to nine decimals, and 0 for what counts as zero.

    Equal in mathematics is seldom equal in floating point: without rounding, noise would choose between two neighbours
    that stand alike.
    """
    return np.rint(np.clip(value, 0.0, 2.0**11) * 2.0**30).astype(np.int64)


def renormalise(s: Matrices, how: Normalisation | Literal["max"]) -> Matrices:
    """The transition matrix of a sparsified diffusion: columns that sum to 1, or the symmetric form.

    Or, for ``"max"``, the diffusion with each row divided by its largest entry.
    """
    row, col = s.row + s.first, s.col + s.first
    if how == "max":
        largest = np.zeros(int(s.sizes.sum()))
        np.maximum.at(largest, row, s.value)
        return Matrices(s.sizes, s.counts, s.row, s.col, s.value / largest[row])
    mass = np.bincount(col, s.value, minlength=int(s.sizes.sum()))
    mass[mass == 0] = 1.0
    if how == "sym":
        value = s.value / (np.sqrt(mass)[row] * np.sqrt(mass)[col])
    else:
        value = s.value / mass[col]
    return Matrices(s.sizes, s.counts, s.row, s.col, value)
