"""The lift of a trained encoder over the same encoder untrained, with an interval that knows that folds overlap."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Lift", "holm", "paired_lift"]


class Lift(NamedTuple):
    """Mean difference, its 95 % interval and the two-sided p value against no difference."""

    mean: float
    low: float
    high: float
    p: float


def paired_lift(trained: Any, untrained: Any, *, n_test: float, n_train: float, confidence: float = 0.95) -> Lift:
    """Returns the mean paired difference with the corrected resampled t interval.

    With J differences d of variance s^2 (divisor J - 1): ``mean(d) +- t(J - 1) sqrt((1 / J + n_test / n_train) s^2)``.
    The plain t interval, ``s^2 / J``, takes the differences for independent although the training sets overlap, and
    finds far too many improvements.

    Args:
        trained: scores [seeds, folds].
        untrained: scores [seeds, folds], from the same seeds and the same folds.
        n_test: size of a test fold; 0 where nothing was resampled, as the seeds of one fixed split: the interval is
            then the plain paired t interval.
        n_train: size of the training part beside it.
        confidence: of the interval.

    Returns:
        A ``Lift`` in the unit of the scores.

    Raises:
        ValueError: shapes that differ, a single difference, values that are not finite.

    Example:
        >>> lift = paired_lift([[80.0, 82.0]], [[78.0, 79.0]], n_test=10, n_train=90)
        >>> round(lift.mean, 2), round(lift.low, 2), round(lift.high, 2)
        (2.5, -4.52, 9.52)

    Reference:
        Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003; Bouckaert and Frank,
        Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms, PAKDD 2004.
    """
    from scipy.stats import t as student

    a, b = np.asarray(trained, dtype=np.float64), np.asarray(untrained, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"expected two arrays [seeds, folds] of one shape, got {list(a.shape)} and {list(b.shape)}")
    if a.size < 2:
        raise ValueError(f"expected at least 2 paired scores, got {a.size}; use more seeds or folds")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("expected finite scores, got NaN or infinite values")
    if n_test < 0 or n_train <= 0:
        raise ValueError(f"expected n_test of at least 0 and positive n_train, got {n_test} and {n_train}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    difference = (a - b).ravel()
    mean, count = float(difference.mean()), difference.size
    spread = math.sqrt((1 / count + n_test / n_train) * float(difference.var(ddof=1)))
    if spread == 0:  # the same difference everywhere
        return Lift(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(student.ppf(0.5 + confidence / 2, count - 1)) * spread
    return Lift(mean, mean - half, mean + half, float(2 * student.sf(abs(mean) / spread, count - 1)))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Returns p values corrected for testing several times, by Holm's step-down procedure.

    Sorted ascending, the i-th of m (from 0) becomes ``min(1, max_{j <= i} (m - j) p_j)``.

    Args:
        p_values: p value of each test, for example of each data set.

    Returns:
        Corrected p values under the same keys, in the same order.

    Raises:
        ValueError: a value outside [0, 1].

    Example:
        >>> holm({"MUTAG": 0.01, "NCI1": 0.04, "PROTEINS": 0.03})
        {'MUTAG': 0.03, 'NCI1': 0.06, 'PROTEINS': 0.06}

    Reference:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979.
    """
    for key, p in p_values.items():
        if not 0 <= p <= 1:
            raise ValueError(f"expected p values in [0, 1], got {p} for {key}")
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[key]))
        corrected[key] = largest
    return {key: corrected[key] for key in p_values}
