"""The options of a run that can be out of range."""

from graphcl._arguments import check_choice, check_number, check_whole

__all__ = ["check_options", "check_positive"]


def check_positive(**positive: float) -> None:
    """Refuse what is not above 0, or no whole number where it counts something."""
    for name, value in positive.items():
        if not check_number(name, value) > 0:
            raise ValueError(f"expected {name} above 0, got {value}")
        if name not in {"lr", "clip"}:
            check_whole(name, value)


def check_options(
    *, optimizer: str, schedule: str, precision: str, warmup: int, clip: float | None, patience: int | None,
    weight_decay: float,
) -> None:  # fmt: skip
    """Refuse options of :func:`fit` that are out of range; who writes a folder before asks first.

    Raises:
        ValueError: One is.
        TypeError: ``patience`` is no whole number.

    Example:
        >>> usual = {"schedule": "constant", "precision": "fp32", "warmup": 0, "clip": None, "patience": None}
        >>> check_options(optimizer="sgd", weight_decay=0.0, **usual)
        Traceback (most recent call last):
        ...
        ValueError: expected optimizer to be 'adam' or 'adamw', got 'sgd'
    """
    known = {"optimizer": ("adam", "adamw"), "schedule": ("constant", "cosine"), "precision": ("fp32", "bf16")}
    given = {"optimizer": optimizer, "schedule": schedule, "precision": precision}
    for name, words in known.items():
        check_choice(name, given[name], words)
    if warmup < 0:
        raise ValueError(f"expected warmup of at least 0 epochs, got {warmup}")
    if not weight_decay >= 0:
        raise ValueError(f"expected weight_decay of at least 0, got {weight_decay}")
    check_positive(**{name: value for name, value in (("clip", clip), ("patience", patience)) if value is not None})
