"""Checks of single arguments: a word out of a few, a number, a whole number."""

import math
from collections.abc import Iterable
from typing import Any

__all__ = ["NotWholeError", "check_choice", "check_number", "check_seed", "check_whole", "plain"]


class NotWholeError(TypeError, ValueError):
    """Something else where a whole number is expected: 2.0 is of the wrong type, 2.5 of the wrong value as well."""


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


def plain(value: Any) -> Any:
    """The Python number that an array or tensor of one number holds; anything else, or what learns, as it is.

    Example:
        >>> import numpy as np
        >>> [plain(value) for value in (np.float64(0.5), np.int64(3), None)]
        [0.5, 3, None]
    """
    single = hasattr(value, "item") and math.prod(getattr(value, "shape", ())) == 1
    return value.item() if single and not getattr(value, "requires_grad", False) else value


def check_seed(seed: Any) -> int:
    """``seed`` as a Python number, or an error if it is not a whole number.

    Example:
        >>> check_seed(None)
        Traceback (most recent call last):
        ...
        graphcl._arguments.NotWholeError: expected seed as a whole number, got None
    """
    return check_whole("seed", seed, least=-(2**63))


def check_number(name: str, value: Any, kind: str = "a number") -> float:
    """``value`` as a Python number, or ``TypeError`` if it is not a real number; ``kind`` says what is expected.

    Example:
        >>> check_number("std", "1")
        Traceback (most recent call last):
        ...
        TypeError: expected std as a number, got '1'
    """
    number = plain(value)
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise TypeError(f"expected {name} as {kind}, got {value!r}")
    return number


def check_whole(name: str, value: Any, least: int = 0) -> int:
    """``value`` as a Python number, or an error if it is not a whole number of at least ``least``.

    Example:
        >>> check_whole("hops", 2.0)
        Traceback (most recent call last):
        ...
        graphcl._arguments.NotWholeError: expected hops as a whole number, got 2.0
    """
    number = plain(value)
    if not isinstance(number, int) or isinstance(number, bool):
        raise NotWholeError(f"expected {name} as a whole number, got {value!r}")
    if number < least:
        raise ValueError(f"expected {name} of at least {least}, got {number}")
    return number
