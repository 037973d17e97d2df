"""Protocols by name: the one asked for, or the nearest names, and the names of those with other numbers."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

__all__ = ["check_encoder_lr", "check_protocol", "named", "retuned"]

T = TypeVar("T")

SHORT = {
    "node-linear-random": "node-linear-random-10-10-80",
    "tu-semi-1": "semi-supervised-1",
    "tu-semi-10": "semi-supervised-10",
}  # what else protocols are called


def named(name: str, known: Mapping[str, T], what: str, *, usual: Iterable[str] | None = None) -> T:
    """``known[name]``, of a short name that of the long one, or a refusal with the nearest names.

    Args:
        name: What is asked for.
        known: All there are.
        what: What they are, in words.
        usual: The names to list where none is near; all when left out.

    Raises:
        ValueError: There is none of that name.

    Example:
        >>> named("tw", {"one": 1, "two": 2}, "a number")
        Traceback (most recent call last):
        ...
        ValueError: expected a number, got 'tw'; did you mean two?
    """
    name = SHORT.get(name, name)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known if usual is None else usual)
        raise ValueError(f"expected {what}, got {name!r}; did you mean {' or '.join(near)}?")
    return known[name]


def check_protocol(given: object, kind: type) -> None:
    """Refuse the name of a protocol, and one of another kind, in the place of a protocol."""
    if isinstance(given, kind):
        return
    name = getattr(given, "name", None)  # of a protocol of another kind, whose numbers say nothing
    got = f"the {type(given).__name__} {name}" if name else repr(given)
    mend = f"; write protocol({given!r})" if isinstance(given, str) else ""
    if kind.__name__ == "Protocol" and name in ("knn", "kmeans"):
        mend = f"; for graphs it is graph-{name}"
    raise TypeError(f"expected a {kind.__name__}, got {got}{mend}")


def check_encoder_lr(encoder_lr: float | None, head_only: bool) -> None:
    """Refuse a learning rate of the encoder that is not positive, or where the encoder is left as it is."""
    if encoder_lr is not None and not encoder_lr > 0:
        raise ValueError(f"expected encoder_lr > 0, got {encoder_lr}")
    if encoder_lr is not None and head_only:
        raise ValueError(f"expected no encoder_lr where the head alone is tuned, got {encoder_lr}; leave one out")


def retuned(base: Any, head_only: bool, **given: float | None) -> Any:
    """A protocol of tuning with other numbers, where some are given; its name says which.

    Example:
        >>> from graphcl.evaluate import semi_protocol
        >>> retuned(semi_protocol("tu-semi-1"), True, epochs=20, lr=None).name
        'semi-supervised-1-head-20-epochs'
    """
    changed = {key: value for key, value in given.items() if value is not None and value != getattr(base, key)}
    words = ["head"] if head_only and not base.head_only else []
    words += [f"{changed[key]:g}-{key}" if key in ("folds", "epochs") else f"{key}-{changed[key]:g}" for key in changed]
    name = "-".join([base.name, *(word.replace("_", "-") for word in words)])
    return replace(base, name=name, head_only=head_only or base.head_only, **changed)
