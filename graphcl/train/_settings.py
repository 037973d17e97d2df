"""The settings of a run: all are checked before anything is done, and a checkpoint keeps those that decide its end."""

from dataclasses import dataclass
from math import inf
from typing import Any, Literal, cast

from graphcl._arguments import check_choice, check_number, check_whole, plain
from graphcl.distributed import world
from graphcl.train.schedule import rate_at

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Arguments of :func:`graphcl.train.fit`, as plain numbers and in their range; who writes a folder first asks too.

    Raises:
        ValueError: One is out of range.
        TypeError: One is of another kind.

    Example:
        >>> usual = {"epochs": 1, "batch_size": 128, "lr": 0.01, "weight_decay": 0.0, "schedule": "constant"}
        >>> usual |= {"optimizer": "adam", "clip": None, "precision": "fp32", "patience": None, "accumulate": 1}
        >>> Settings(warmup=-1, seed=0, **usual)
        Traceback (most recent call last):
        ...
        ValueError: expected warmup of at least 0 epochs, got -1
    """

    seed: int
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    schedule: str
    warmup: int
    clip: float | None
    precision: str
    patience: int | None
    accumulate: int
    checkpoint_seconds: float = inf

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, plain(value))
        for name in ("epochs", "batch_size", "lr", "accumulate"):
            _check_positive(name, getattr(self, name))
        check_choice("optimizer", self.optimizer, ("adam", "adamw"))
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_choice("precision", self.precision, ("fp32", "bf16"))
        if self.warmup < 0:
            raise ValueError(f"expected warmup of at least 0 epochs, got {self.warmup}")
        if not self.weight_decay >= 0:
            raise ValueError(f"expected weight_decay of at least 0, got {self.weight_decay}")
        for name in ("clip", "patience"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        if not isinstance(self.seed, int) or not -(2**63) <= self.seed < 2**64:
            raise TypeError(f"expected seed to be a whole number of 64 bits, got {self.seed!r}")
        if not isinstance(self.checkpoint_seconds, int | float):
            got = repr(self.checkpoint_seconds)
            raise TypeError(f"expected checkpoint_seconds to be a number, got {got}; math.inf is never")

    def lr_at(self, epoch: float) -> float:
        """The learning rate at a point in time, in epochs since the start."""
        schedule = cast(Literal["constant", "cosine"], self.schedule)
        return self.lr * rate_at(epoch, self.epochs, schedule=schedule, warmup=self.warmup)

    def kept(self, size: int) -> dict[str, Any]:
        """What a checkpoint keeps: a run on data of this size is gone on with by the same.

        A run at a constant rate may be made longer; any other would have had other rates from the start.
        """
        kept = {**vars(self), "size": size, "ranks": world()}
        kept["length"] = None if self.schedule == "constant" else self.epochs
        return {name: value for name, value in kept.items() if name not in ("epochs", "checkpoint_seconds")}


def _check_positive(name: str, value: Any) -> None:
    """Refuse what is not above 0, or no whole number where it counts something."""
    if not check_number(name, value) > 0:
        raise ValueError(f"expected {name} above 0, got {value}")
    if name not in ("lr", "clip"):
        check_whole(name, value)
