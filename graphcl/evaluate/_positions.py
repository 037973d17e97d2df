"""Checks of a split by positions: what it names must be there, and in one part only."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphcl.evaluate._checks import IntArray, to_numpy

__all__ = ["check_split", "split_of"]

PARTS = ("train", "valid", "test")


def split_of(dataset: Any, split: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The split that is given, else the data set's own, which it must have."""
    found: Mapping[str, Any] | None = split if split is not None else getattr(dataset, "split", None)
    if found is None:
        raise ValueError("expected a split, got none; pass positions under 'train', 'valid' and 'test'")
    return found


def check_split(split: Mapping[str, Any], count: int) -> dict[str, IntArray]:
    """The positions of the three parts of ``count`` items, or an error that says what is wrong."""
    missing = [part for part in PARTS if part not in split]
    if missing:
        raise ValueError(f"expected a split with positions under {', '.join(PARTS)}, got none under {missing[0]!r}")
    parts = {part: _positions(part, split[part], count) for part in PARTS}
    for first, second in (("train", "valid"), ("train", "test"), ("valid", "test")):
        both = np.intersect1d(parts[first], parts[second])
        if both.size:
            raise ValueError(
                f"expected parts that do not overlap, got {both.size} items in both {first} and {second}, the first of "
                f"them {both[0]}; each belongs to one part"
            )
    return parts


def _positions(part: str, given: Any, count: int) -> IntArray:
    found = to_numpy(given)
    if found.dtype == np.bool_:
        raise ValueError(f"expected positions under {part!r}, got a mask; write mask.nonzero().flatten()")
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu":
        raise ValueError(f"expected positions under {part!r}, whole numbers [n], got {found.dtype} {list(found.shape)}")
    if found.min() < 0 or found.max() >= count:
        raise ValueError(
            f"expected positions from 0 to {count - 1} under {part!r}, got some from {found.min()} to {found.max()}"
        )
    return found.astype(np.int64)
