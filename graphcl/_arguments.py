"""Checks of single arguments: a word out of a few, and a whole number."""

from collections.abc import Iterable
from typing import Any

__all__ = ["check_choice", "check_whole"]


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a value that is none of the choices.

    Example:
        >>> check_choice("norm", "bach", ("batch", "layer", "none"))
        Traceback (most recent call last):
        ...
        ValueError: expected norm to be 'batch', 'layer' or 'none', got 'bach'
    """
    words = list(choices)
    if value not in words:
        *others, last = map(repr, words)
        raise ValueError(f"expected {name} to be {', '.join(others)} or {last}, got {value!r}")


def check_whole(name: str, value: Any, least: int = 0) -> int:
    """``value``, or an error if it is no whole number of at least ``least``.

    Example:
        >>> check_whole("hops", 2.0)
        Traceback (most recent call last):
        ...
        TypeError: expected hops as a whole number, got 2.0
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected {name} as a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"expected {name} of at least {least}, got {value}")
    return value
