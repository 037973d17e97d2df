"""OGB's own rule for its sets of molecules: whatever is reported comes out of ``ogb.Evaluator``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from graphcl.data.ogb import import_ogb
from graphcl.evaluate._checks import to_numpy
from graphcl.evaluate.multitask import TaskScores, task_rmse, task_roc_auc

__all__ = ["ogb_scorer"]


def ogb_scorer(name: str) -> Callable[[Any, Any], TaskScores]:
    """What scores a part of an OGB set: from labels and predictions ``[N, T]`` to scores, the mean by OGB's evaluator.

    The scores of single tasks and the number of those skipped, which OGB does not tell, are the package's own.

    Args:
        name: The set, one of ``ogbg-mol*`` with ROC-AUC or RMSE.

    Raises:
        ValueError: The set has another metric; at the call, what OGB's evaluator cannot score.

    Example:
        >>> scores = ogb_scorer("ogbg-molbace")([[0.0], [1.0], [1.0]], [[0.1], [0.9], [0.0]])
        >>> scores.mean, scores.skipped
        (0.5, 0)

    Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020.
    """
    judge = import_ogb("graphproppred").Evaluator(name)
    if judge.eval_metric not in ("rocauc", "rmse"):
        raise ValueError(f"expected a set scored by rocauc or rmse, got {name}, scored by {judge.eval_metric}")
    own = task_roc_auc if judge.eval_metric == "rocauc" else task_rmse

    def score(target: Any, prediction: Any) -> TaskScores:
        ours = own(target, prediction)  # refuses, with a reason, what OGB would stumble over
        y, said = (np.asarray(to_numpy(value), dtype=np.float64) for value in (target, prediction))
        return ours._replace(mean=float(judge.eval({"y_true": y, "y_pred": said})[judge.eval_metric]))

    return score
