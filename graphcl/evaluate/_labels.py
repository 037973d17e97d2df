"""Checks of the labels of several tasks: what cannot be learned from or scored is refused before it costs anything."""

from collections.abc import Mapping

import numpy as np

from graphcl.evaluate._checks import FloatArray, IntArray

__all__ = ["scorable"]


def scorable(y: FloatArray, split: Mapping[str, IntArray], *, classification: bool) -> FloatArray:
    """The labels ``[N, tasks]`` without those of tasks of which the training part has none: NaN, as not measured.

    Numbers of such a task are refused, as are labels of another kind, none to learn from, and a held-out part that
    cannot be scored. Of the labels of held-out parts nothing else is looked at.
    """
    known = ~np.isnan(y)
    if classification and not np.isin(y[known], (0, 1)).all():
        raise ValueError("expected labels 0, 1 or NaN, got others; write the classes as 0 and 1")
    if np.isinf(y[known]).any():
        raise ValueError(f"expected finite targets, or NaN for what was not measured, got {np.isinf(y).sum()} infinite")
    if not known[split["train"]].any():
        raise ValueError("expected labels to learn from, got none in the training part; take another split")
    taught = known[split["train"]].any(0)
    if not classification and not taught.all():
        raise ValueError(
            f"expected each task measured at least once in the training part, got nothing for task "
            f"{int(np.argmin(taught))}; leave it out"
        )
    y = np.where(taught, y, np.nan)
    for part in ("valid", "test"):
        own = y[split[part]]
        there = (own == 0).any(0) & (own == 1).any(0) if classification else ~np.isnan(own).all(0)
        if not there.any():
            why = "every task has molecules of one class only, or none" if classification else "nothing was measured"
            raise ValueError(
                f"expected a task that can be scored, got none in the {part} part: {why} there; take another split"
            )
    return y
