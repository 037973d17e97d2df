"""Linear models on frozen embeddings, or fingerprints, of molecules: the protocol ``moleculenet-linear``."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphcl.evaluate._checks import FloatArray, check_embeddings, to_numpy
from graphcl.evaluate._classifiers import standardise
from graphcl.evaluate._labels import scorable
from graphcl.evaluate._positions import check_split
from graphcl.evaluate._threads import quiet
from graphcl.evaluate.multitask import Judge, TaskScores, judge_of

__all__ = ["LinearScores", "linear_scores"]

GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)


class LinearScores(NamedTuple):
    """The scores of the linear models of all tasks.

    Args:
        test: On the test part, at the chosen penalty.
        valid: On the validation part, likewise.
        penalty: The chosen inverse penalty C.
        unfinished: How many of the chosen fits reached the limit of iterations.
    """

    test: TaskScores
    valid: TaskScores
    penalty: float
    unfinished: int


def linear_scores(
    embeddings: Any,
    y: Any,
    split: Mapping[str, Any],
    *,
    classification: bool,
    grid: Sequence[float] = GRID,
    max_iter: int = 1000,
    score: Judge | None = None,
) -> LinearScores:
    """One linear model per task on its measured labels: logistic regression (ROC-AUC), or ridge regression (RMSE).

    Columns are standardised by the training part. The penalty, one for all tasks, is the first with the best mean score
    on the validation part; the models are not fitted anew on both parts, and the test part is scored once.

    Args:
        embeddings: ``[N, D]``, frozen.
        y: ``[N, T]``, NaN for what was not measured.
        split: Positions under ``train``, ``valid`` and ``test``.
        classification: Whether labels are classes 0 and 1.
        grid: Inverse penalties C to choose from.
        max_iter: Limit of a fit's iterations.
        score: How a part is scored, from labels and predictions ``[N, T]``; ROC-AUC or RMSE by default.

    Raises:
        ValueError: Shapes differ, the grid is empty or not positive, parts of the split are masks, overlap or point
            outside, the training part has no label, or a part cannot be scored
            (:func:`graphcl.evaluate.task_roc_auc`).

    Example:
        >>> x = np.concatenate([np.eye(4).repeat(5, 0), np.arange(20)[:, None] % 3], 1)
        >>> y = np.repeat([[0.0], [1.0], [0.0], [1.0]], 5, 0)
        >>> split = {"train": range(0, 20, 2), "valid": range(1, 20, 4), "test": range(3, 20, 4)}
        >>> linear_scores(x, y, split, classification=True).test.mean
        1.0
    """
    x, labels = check_embeddings(embeddings), to_numpy(y).astype(np.float64)
    if labels.ndim != 2 or len(labels) != len(x):
        raise ValueError(f"expected labels of shape [{len(x)}, tasks], got {list(labels.shape)}")
    if len(grid) == 0 or min(grid) <= 0:
        raise ValueError(f"expected a grid of positive values of C, got {tuple(grid)}")
    parts = check_split(split, len(x))
    labels = scorable(labels, parts, classification=classification)
    train, valid, test = parts.values()
    x = standardise(x[train], x)[1]  # where the training part is constant but for rounding, the unit stays
    score = judge_of(score, classification=classification)
    chosen: tuple[float, TaskScores, FloatArray, int] | None = None
    for penalty in grid:
        said, unfinished = _predictions(x, labels, train, classification, penalty, max_iter)
        found = score(labels[valid], said[valid])
        if chosen is None or (found.mean > chosen[1].mean if classification else found.mean < chosen[1].mean):
            chosen = penalty, found, said, unfinished
    assert chosen is not None
    penalty, best, said, unfinished = chosen
    return LinearScores(score(labels[test], said[test]), best, penalty, unfinished)


def _predictions(
    x: FloatArray, labels: FloatArray, train: Any, classification: bool, penalty: float, max_iter: int
) -> tuple[FloatArray, int]:
    from sklearn.linear_model import LogisticRegression, Ridge

    said, unfinished = np.zeros(labels.shape), 0
    for task, column in enumerate(labels.T):
        known = train[~np.isnan(column[train])]
        values = np.unique(column[known])
        if len(values) < 2:  # nothing to tell apart: the same for all
            said[:, task] = values[0] if len(values) else 0.0
        elif classification:
            model = LogisticRegression(C=penalty, max_iter=max_iter)
            with quiet():
                model.fit(x[known], column[known])
            unfinished += int(model.n_iter_[0] >= max_iter)
            said[:, task] = model.decision_function(x)
        else:
            said[:, task] = Ridge(alpha=1 / penalty).fit(x[known], column[known]).predict(x)
    return said, unfinished
