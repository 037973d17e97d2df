"""What a graph encoder is tuned for, as the labels say: classes, several tasks of 0 and 1, or numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl.data import PackedDataset
from graphcl.evaluate.multitask import (
    Judge,
    TargetScaler,
    TaskScores,
    masked_bce,
    masked_mse,
    task_rmse,
    task_roc_auc,
)

__all__ = ["Objective", "labels_of", "labels_to_learn", "objective_of"]


def labels_of(packed: PackedDataset) -> Tensor:
    """The labels of all graphs, which they must have."""
    try:
        y: Tensor = packed.y
    except AttributeError as error:
        raise ValueError(
            "expected molecules with labels y [1, tasks], got none; load them with labels=[...]"
        ) from error
    return y


def labels_to_learn(packed: PackedDataset, classification: bool) -> Tensor:
    """``[N, tasks]`` numbers, or ``[N]`` classes, of one graph each."""
    y = labels_of(packed)
    if y.dim() == 1 and classification and not y.is_floating_point() and y.numel() and int(y.min()) >= 0:
        return y.long()
    if y.dim() == 1 and not classification and y.is_floating_point():  # one number a graph is one task
        y = y[:, None]
    if y.dim() != 2:
        raise ValueError(
            f"expected labels y [1, tasks] in every graph, for regression floats [1], or for classification classes "
            f"0, 1, ... as integers [1], got {list(y.shape)} of {y.dtype} in all"
        )
    return y if y.dtype == torch.float64 and not classification else y.float()


def _same(said: Tensor) -> Tensor:
    return said


@dataclass(frozen=True)
class _Probabilities:
    """Those of 1 in every task but those without labels to learn from, where the head says what chance has drawn."""

    untaught: Tensor

    def __call__(self, said: Tensor) -> Tensor:
        found = said.double().sigmoid()  # in float32 all above 17 would be one
        return found.masked_fill(self.untaught.to(said.device), float("nan"))


def _softmax(said: Tensor) -> Tensor:
    return said.softmax(1)


@dataclass(frozen=True)
class Objective:
    """What is learned: the width of the head, the loss of a batch, how a part is scored, and which score is better.

    ``back`` makes of what the head says what is scored, ``answer`` what is told.
    """

    width: int
    loss: Callable[[Tensor, Tensor], Tensor]
    judge: Judge
    larger: bool
    answer: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor] = _same


def objective_of(labels: Tensor, train: Tensor, classification: bool, score: Judge | None) -> Objective:
    """What these labels ask for; ``train`` are the positions that targets are scaled by."""
    if labels.dim() == 1:
        return Objective(
            int(labels.max()) + 1, lambda said, y: F.cross_entropy(said, y.long()), score or _accuracy, True, _softmax
        )
    tasks = labels.size(1)
    if classification:
        answer = _Probabilities(labels[train.to(labels.device)].isnan().all(0))
        return Objective(tasks, lambda said, y: masked_bce(said, y.float()), score or task_roc_auc, True, answer)
    scaler = TargetScaler.fit(labels[train.to(labels.device)].cpu())
    return Objective(
        tasks,
        lambda said, y: masked_mse(said, scaler(y.to(labels.dtype).view_as(said))),
        score or task_rmse,
        False,
        scaler.back,
        scaler.back,
    )


def _accuracy(target: Tensor, said: Tensor) -> TaskScores:
    if bad := int((~said.isfinite()).sum()):  # the largest of NaN would be some class, and count as an answer
        raise ValueError(f"expected finite predictions, got {bad} that are NaN or infinite; take a smaller lr")
    right = float((said.argmax(1) == target).double().mean())
    return TaskScores(right, np.array([right]), 0)
