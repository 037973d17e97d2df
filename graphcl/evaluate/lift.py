"""The lift of a trained encoder over the same encoder untrained, with an interval that knows that folds overlap."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Lift", "holm", "lift_of_one", "mean_lift", "paired_lift"]


class Lift(NamedTuple):
    """Mean difference, its 95 % interval and the two-sided p value against no difference."""

    mean: float
    low: float
    high: float
    p: float


def paired_lift(trained: Any, untrained: Any, *, n_test: float, n_train: float, confidence: float = 0.95) -> Lift:
    """The mean paired difference with the corrected resampled t interval.

    With J differences d of variance s^2 (divisor J - 1): ``mean(d) +- t(J - 1) sqrt((1 / J + n_test / n_train) s^2)``.
    The plain t interval, ``s^2 / J``, takes the differences for independent although the training sets overlap, and
    finds far too many improvements.

    Args:
        trained: Scores [seeds, folds].
        untrained: Scores [seeds, folds], from the same seeds and the same folds.
        n_test: Size of a test fold; 0 where nothing was resampled, as the seeds of one fixed split: the interval is
            then the plain paired t interval.
        n_train: Size of the training part beside it.
        confidence: Of the interval.

    Returns:
        A ``Lift`` in the unit of the scores.

    Raises:
        ValueError: Shapes that differ, a single difference, values that are not finite.

    Example:
        >>> lift = paired_lift([[80.0, 82.0]], [[78.0, 79.0]], n_test=10, n_train=90)
        >>> round(lift.mean, 2), round(lift.low, 2), round(lift.high, 2)
        (2.5, -4.52, 9.52)

    Source: Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003; Bouckaert and Frank,
    Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms, PAKDD 2004.
    """
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
    return _lift(mean, spread, count - 1, confidence)


def _lift(mean: float, spread: float, freedom: float, confidence: float) -> Lift:
    """The t interval about a mean with a standard error, and the p value against 0."""
    from scipy.stats import t as student

    if spread == 0:  # the same difference everywhere
        return Lift(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(student.ppf(0.5 + confidence / 2, freedom)) * spread
    return Lift(mean, mean - half, mean + half, float(2 * student.sf(abs(mean) / spread, freedom)))


def lift_of_one(trained: Any, untrained: Any, *, n_test: float, n_train: float, confidence: float = 0.95) -> Lift:
    """The lift of one encoder over several untrained ones, with an interval for weights that are one draw.

    The differences of ``paired_lift`` vary with the folds and with the untrained weights; that the encoder is the same
    in all of them they cannot show. One more untrained network would differ from the mean of the S others with the
    variance ``(1 + 1 / S) s_w^2``, s_w^2 that of their means over the folds (divisor S - 1). It is added to that of the
    mean difference; the t distribution has the degrees of freedom of Welch and Satterthwaite. With a single seed there
    is no s_w to be had, and the interval is that of ``paired_lift``.

    Args:
        trained: Scores [seeds, folds] of one encoder on the folds of all seeds.
        untrained: Scores [seeds, folds], of another network for each seed.
        n_test: As for ``paired_lift``.
        n_train: Likewise.
        confidence: Of the interval.

    Returns:
        A ``Lift`` in the unit of the scores.

    Raises:
        ValueError: As ``paired_lift``.

    Example:
        >>> one, others = [[80.0, 82.0], [79.0, 83.0]], [[78.0, 79.0], [84.0, 81.0]]
        >>> [round(value, 2) for value in lift_of_one(one, others, n_test=10, n_train=90)]
        [0.5, -18.28, 19.28, 0.91]

    Source: Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003; Welch, The
    Generalization of "Student's" Problem when Several Different Population Variances are Involved, Biometrika 34, 1947.
    """
    from scipy.stats import t as student

    over_folds = paired_lift(trained, untrained, n_test=n_test, n_train=n_train, confidence=confidence)
    means = np.asarray(untrained, dtype=np.float64).mean(axis=1)
    between = (1 + 1 / len(means)) * float(means.var(ddof=1)) if len(means) > 1 else 0.0
    if between == 0:
        return over_folds
    mean, freedom = over_folds.mean, np.asarray(trained).size - 1
    half = (over_folds.high - over_folds.low) / 2
    within = float(half / student.ppf(0.5 + confidence / 2, freedom)) ** 2
    spread = math.sqrt(within + between)
    together = (within + between) ** 2 / (within**2 / freedom + between**2 / (len(means) - 1))
    return _lift(mean, spread, together, confidence)


def mean_lift(lifts: Sequence[Lift], counts: Sequence[int], *, confidence: float = 0.95) -> Lift:
    """The mean lift over data sets, each of which weighs the same, with its interval.

    What the data sets say is independent: with K of them and standard errors s_k, the mean's is
    ``sqrt(sum_k s_k^2) / K``, and its t distribution has the degrees of freedom of Welch and Satterthwaite.

    Args:
        lifts: Of each data set, as :func:`paired_lift` gives them with its usual confidence.
        counts: On how many paired scores each rests, seeds times folds.
        confidence: Of the interval.

    Returns:
        A ``Lift`` in the unit of the scores. It is about these data sets; what others would show it cannot say.

    Raises:
        ValueError: No lifts, not one count for each, a count below 2, a confidence outside (0, 1).

    Example:
        >>> lifts = [Lift(2.0, 0.0, 4.0, 0.05), Lift(1.0, -1.0, 3.0, 0.32)]
        >>> [round(value, 2) for value in mean_lift(lifts, [50, 50])]
        [1.5, 0.1, 2.9, 0.04]

    Source: Welch, The Generalization of "Student's" Problem when Several Different Population Variances are Involved,
    Biometrika 34, 1947.
    """
    from scipy.stats import t as student

    if not lifts or len(lifts) != len(counts):
        raise ValueError(f"expected one count for each of at least one lift, got {len(lifts)} and {len(counts)}")
    if min(counts) < 2:
        raise ValueError(f"expected counts of at least 2 paired scores, got {min(counts)}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    freedom = np.asarray(counts, dtype=np.float64) - 1
    halves = np.array([(lift.high - lift.low) / 2 for lift in lifts])
    variances = (halves / student.ppf(0.975, freedom)) ** 2
    mean = float(np.mean([lift.mean for lift in lifts]))
    spread = math.sqrt(float(variances.sum())) / len(lifts)
    together = float(variances.sum() ** 2 / (variances**2 / freedom).sum()) if spread else math.inf
    return _lift(mean, spread, together, confidence)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values corrected for testing several times, by Holm's step-down procedure.

    Sorted ascending, the i-th of m (from 0) becomes ``min(1, max_{j <= i} (m - j) p_j)``.

    Args:
        p_values: P value of each test, for example of each data set.

    Returns:
        Corrected p values under the same keys, in the same order.

    Raises:
        ValueError: A value outside [0, 1].

    Example:
        >>> holm({"MUTAG": 0.01, "NCI1": 0.04, "PROTEINS": 0.03})
        {'MUTAG': 0.03, 'NCI1': 0.06, 'PROTEINS': 0.06}

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979.
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
