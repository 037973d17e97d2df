"""Several tasks with gaps: losses and scores over what was measured, and how many tasks could not be scored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from graphcl.evaluate._checks import FloatArray, to_numpy

__all__ = [
    "TargetScaler",
    "TaskScores",
    "masked_bce",
    "masked_mse",
    "task_average_precision",
    "task_rmse",
    "task_roc_auc",
]


def masked_bce(logits: Tensor, target: Tensor) -> Tensor:
    r"""Binary cross-entropy over the labels that were measured.

    .. math:: -\frac{1}{|M|} \sum_{(i, t) \in M} y_{it} \log \sigma(s_{it}) + (1 - y_{it}) \log(1 - \sigma(s_{it}))

    Args:
        logits: ``[N, T]``, s.
        target: ``[N, T]``, y: 0, 1, or NaN for what was not measured.

    Returns:
        A scalar, float64 where either is, else float32; 0, with zero gradient, where nothing was measured.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> float(masked_bce(torch.zeros(2, 2), torch.tensor([[1.0, float("nan")], [float("nan"), 0.0]])))
        0.6931471824645996

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, section 4.
    """
    known, filled = _known(logits, target)
    losses = F.binary_cross_entropy_with_logits(logits.to(filled.dtype), filled, reduction="none")
    return _mean(losses, known)


def masked_mse(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean squared error over the targets that were measured, a scalar; 0 where none was.

    It is float64 where either is, else float32.

    Args:
        prediction: ``[N, T]``.
        target: ``[N, T]``, NaN for what was not measured.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> float(masked_mse(torch.zeros(2, 1), torch.tensor([[2.0], [float("nan")]])))
        4.0
    """
    known, filled = _known(prediction, target)
    return _mean((prediction.to(filled.dtype) - filled).square(), known)


def _known(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if prediction.shape != target.shape or target.dim() != 2:
        raise ValueError(
            f"expected predictions and targets of one shape [N, tasks], got {list(prediction.shape)} and "
            f"{list(target.shape)}; a single task is [N, 1]"
        )
    known = ~target.isnan()
    kind = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
    return known, target.to(kind).masked_fill(~known, 0.0)


def _mean(losses: Tensor, known: Tensor) -> Tensor:
    # Nothing waits for a device here: the count stays a tensor.
    return losses.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)


class TaskScores(NamedTuple):
    """Scores of several tasks.

    Args:
        mean: Over the tasks that could be scored.
        each: ``[T]`` float64, NaN for those that could not.
        skipped: How many those are.
    """

    mean: float
    each: FloatArray
    skipped: int


Judge = Callable[[Any, Any], TaskScores]
"""Signature: (target [N, T], prediction [N, T]) -> TaskScores."""


def judge_of(score: Judge | None, *, classification: bool) -> Judge:
    """What scores a part: what is asked for, else ROC-AUC or RMSE."""
    return score or (task_roc_auc if classification else task_rmse)


def task_roc_auc(target: Any, score: Any) -> TaskScores:
    """The area under the ROC curve of each task over its measured labels, and the mean of those that have one.

    A task of which these molecules have one class only, or no label at all, has no such area. It is skipped and
    counted, as in the papers, whose means are over what is left: quote the count beside the mean.

    Args:
        target: ``[N, T]``, 0, 1, or NaN for what was not measured.
        score: ``[N, T]``, larger for 1; logits will do.

    Raises:
        ValueError: The shapes differ, a label is neither 0, 1 nor NaN, a score is not finite, or no task can be scored:
            the split leaves a class out of every one of them.

    Example:
        >>> nan = float("nan")
        >>> scores = task_roc_auc([[0, 1, 1], [1, nan, 1], [1, 0, nan]], [[0.1, 3.0, 0], [0.7, 0, 0], [0.4, 1.0, 0]])
        >>> scores.mean, scores.skipped
        (1.0, 1)

    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
    Radiology 143, 1982; per task as in Wu et al., "MoleculeNet", Chemical Science 9, 2018.
    """
    return _each_task(target, score, _auc)


def task_average_precision(target: Any, score: Any) -> TaskScores:
    r"""The average precision of each task over its measured labels, and the mean of those that have both classes.

    .. math:: \sum_n (R_n - R_{n-1}) P_n

    with precision P and recall R at each threshold, without interpolation. Tasks of one class are skipped and counted,
    as by :func:`task_roc_auc` and by OGB, which scores its most unbalanced sets in this way.

    Args:
        target: ``[N, T]``, 0, 1, or NaN for what was not measured.
        score: ``[N, T]``, larger for 1; logits will do.

    Raises:
        ValueError: As :func:`task_roc_auc`.

    Example:
        >>> task_average_precision([[1.0], [0.0], [1.0]], [[0.9], [0.8], [0.1]]).mean
        0.8333333333333333

    Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020, section 5.1.
    """
    from sklearn.metrics import average_precision_score

    return _each_task(target, score, average_precision_score)


def _each_task(target: Any, score: Any, judge: Callable[[FloatArray, FloatArray], float]) -> TaskScores:
    """Scores over the measured labels of each task that has both classes."""
    y, s = _checked(target, score)
    if not np.isin(y[~np.isnan(y)], (0, 1)).all():
        raise ValueError("expected labels 0, 1 or NaN, got others; write the classes as 0 and 1")
    each = np.full(y.shape[1], np.nan)
    for task, (labels, scores) in enumerate(zip(y.T, s.T, strict=True)):
        known = ~np.isnan(labels)
        if np.unique(labels[known]).size == 2:
            each[task] = judge(labels[known], scores[known])
    return _scores(
        each, "every task has molecules of one class only, or none, so that it has no score: take another split"
    )


def _auc(y: FloatArray, s: FloatArray) -> float:
    """The share of pairs of a positive and a negative in the right order, ties counting half."""
    positive, negative = int((y == 1).sum()), int((y == 0).sum())
    _, place, counts = np.unique(s, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # ties share the mean of their ranks
    return float((rank[y == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def task_rmse(target: Any, prediction: Any) -> TaskScores:
    """The root of the mean squared error of each task over its measured targets, and the mean over tasks.

    Args:
        target: ``[N, T]``, NaN for what was not measured, in the target's own unit.
        prediction: ``[N, T]``, in the same unit.

    Raises:
        ValueError: The shapes differ, a prediction is not finite, or nothing was measured.

    Example:
        >>> task_rmse([[1.0], [2.0]], [[1.0], [4.0]]).mean
        1.4142135623730951
    """
    y, p = _checked(target, prediction)
    count = (~np.isnan(y)).sum(0)
    total = np.nansum((y - p) ** 2, 0)
    each = np.sqrt(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))
    return _scores(each, "not one target was measured")


def _checked(target: Any, prediction: Any) -> tuple[FloatArray, FloatArray]:
    y, p = (to_numpy(value).astype(np.float64) for value in (target, prediction))
    if y.shape != p.shape or y.ndim != 2 or 0 in y.shape:
        raise ValueError(
            f"expected targets and predictions of one shape [N, tasks], got {list(y.shape)} and {list(p.shape)}; a "
            f"single task is [N, 1]"
        )
    if not np.isfinite(p).all():
        raise ValueError(f"expected finite predictions, got {int((~np.isfinite(p)).sum())} that are NaN or infinite")
    return y, p


def _scores(each: NDArray[np.float64], why_none: str) -> TaskScores:
    skipped = int(np.isnan(each).sum())
    if skipped == len(each):
        raise ValueError(f"expected a task that can be scored, got none: {why_none}")
    return TaskScores(float(np.nanmean(each)), each, skipped)


@dataclass(frozen=True)
class TargetScaler:
    """Targets with mean 0 and standard deviation 1 per task over the training part, and back.

    Attributes:
        mean: ``[T]`` float32, or float64 as the targets are.
        std: ``[T]`` of that type, 1 for a task without spread.

    Example:
        >>> scaler = TargetScaler.fit(torch.tensor([[1.0], [3.0], [float("nan")]]))
        >>> scaler(torch.tensor([[3.0]])), scaler.back(torch.tensor([[1.0]]))
        (tensor([[1.]]), tensor([[3.]]))
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, target: Tensor) -> "TargetScaler":
        """The scaler of these targets ``[N, T]``, which must be those of the training part alone.

        Raises:
            ValueError: A task has no measured target.
        """
        y = target.double()
        count = (~y.isnan()).sum(0)
        if target.dim() != 2:
            raise ValueError(f"expected targets [N, tasks], got {list(target.shape)}; a single task is [N, 1]")
        if bool((count == 0).any()):
            raise ValueError(
                f"expected each task measured at least once in the training part, got nothing for task "
                f"{int((count == 0).nonzero()[0])}; leave it out"
            )
        mean = y.nansum(0) / count
        std = ((y - mean).square().nansum(0) / count).sqrt()
        std = torch.where(std > 1e-12 * mean.abs(), std, 1.0)
        kind = torch.promote_types(torch.float32, target.dtype)
        return cls(mean.to(kind), std.to(kind))

    def __call__(self, target: Tensor) -> Tensor:
        """The targets, scaled."""
        return (target - self.mean.to(target.device)) / self.std.to(target.device)

    def back(self, prediction: Tensor) -> Tensor:
        """Predictions of scaled targets in the targets' own unit."""
        return prediction * self.std.to(prediction.device) + self.mean.to(prediction.device)
