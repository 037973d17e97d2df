"""The learning rate over time."""

import math
from typing import Literal

__all__ = ["rate_at"]


def rate_at(
    epoch: float, epochs: int, *, schedule: Literal["constant", "cosine"] = "constant", warmup: int = 0
) -> float:
    """The share of the learning rate at a point in time: a linear rise, then constant or half a cosine.

    Args:
        epoch: The point, in epochs since the start; 0.5 is the middle of the first one.
        epochs: When the run ends.
        schedule: ``"constant"``, or ``"cosine"`` down to 0.
        warmup: Epochs of the rise.

    Example:
        >>> [round(rate_at(t, 10, schedule="cosine", warmup=2), 2) for t in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5,
    without restarts.
    """
    if epoch < warmup:
        return epoch / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - warmup) / max(epochs - warmup, 1))))
