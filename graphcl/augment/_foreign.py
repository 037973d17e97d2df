"""Transforms that are not of this package as views: they are held to leaving their input alone."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor

__all__ = ["foreign_view"]


def foreign_view(transform: Callable[[Any], Any], data: Any) -> Any:
    """What a transform makes of a shallow copy of the data.

    Raises:
        ValueError: It changed one of their tensors in place, which the other view, and every later step, would see.
    """
    before = _versions(data)
    found = transform(copy.copy(data))
    changed = sorted({place[1] for place, version in _versions(data).items() if version != before.get(place, version)})
    if changed:
        raise ValueError(
            f"expected a view to leave its input alone, got {', '.join(changed)} changed in place by {transform!r}; "
            "let it begin with data = data.clone(), or make a new tensor, data.x = data.x * 2 instead of data.x *= 2"
        )
    return found


def _versions(data: Any) -> dict[tuple[int, str], int]:
    """How often each tensor has been written to; of those made in inference mode torch does not count it."""
    return {
        (i, name): value._version
        for i, store in enumerate(data.stores)
        for name, value in store.items()
        if isinstance(value, Tensor) and not value.is_inference()
    }
