"""OGB's own rule for its sets of molecules: whatever is reported comes out of ``ogb.Evaluator``."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcl.data.ogb import import_ogb
from graphcl.evaluate._checks import to_numpy
from graphcl.evaluate.multitask import TaskScores, task_average_precision, task_rmse, task_roc_auc

__all__ = ["OgbScorer", "ogb_scorer"]

# OGB's name of a metric, the package's, and the package's own way to it.
METRICS = {"rocauc": ("auc", task_roc_auc), "ap": ("ap", task_average_precision), "rmse": ("rmse", task_rmse)}


@dataclass(frozen=True)
class OgbScorer:
    """What scores a part of an OGB set: from labels and predictions ``[N, T]`` to scores, the mean by OGB's evaluator.

    Attributes:
        judge: OGB's evaluator.
    """

    judge: Any

    @property
    def metric(self) -> str:
        """What the tables call the score, ``auc``, ``ap`` or ``rmse``."""
        return METRICS[self.judge.eval_metric][0]

    def __call__(self, target: Any, prediction: Any) -> TaskScores:
        """Score predictions ``[N, T]``."""
        ours = METRICS[self.judge.eval_metric][1](target, prediction)  # refuses what OGB would stumble over
        y, said = (np.asarray(to_numpy(value), dtype=np.float64) for value in (target, prediction))
        try:
            found = self.judge.eval({"y_true": y, "y_pred": said})
        except RuntimeError as error:  # such as another number of tasks
            raise ValueError(f"expected labels and predictions that OGB's evaluator takes, got: {error}") from error
        return ours._replace(mean=float(found[self.judge.eval_metric]))


def ogb_scorer(name: str) -> OgbScorer:
    """OGB's evaluator of a set, as :func:`graphcl.evaluate.evaluate_molecules` takes it for its ``score``.

    The scores of single tasks and the number of those skipped, which OGB does not tell, are the package's own.

    Args:
        name: The set, one of ``ogbg-mol*``: scored by ROC-AUC, average precision (molpcba, molmuv) or RMSE.

    Raises:
        ValueError: The set is not a set of molecules, or has another metric; at the call, what OGB's evaluator cannot
            score.

    Example:
        >>> score = ogb_scorer("ogbg-molbace")
        >>> scores = score([[0.0], [1.0], [1.0]], [[0.1], [0.9], [0.0]])
        >>> score.metric, scores.mean, scores.skipped
        ('auc', 0.5, 0)

    Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020.
    """
    judge = import_ogb("graphproppred").Evaluator(name)
    if judge.eval_metric not in METRICS:
        raise ValueError(f"expected a set scored by {', '.join(METRICS)}, got {name}, scored by {judge.eval_metric}")
    return OgbScorer(judge)
