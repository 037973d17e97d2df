"""OGB's own evaluator: what it says is what is reported, gaps and tasks without a score included."""

import numpy as np
import pytest
import torch
from ogb.graphproppred import Evaluator

from graphcl.evaluate import (
    evaluate_molecules,
    linear_scores,
    molecule_protocol,
    ogb_scorer,
    task_average_precision,
    task_rmse,
    task_roc_auc,
)

NAN = float("nan")


def test_the_mean_is_ogb_s(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y, said = rng.integers(0, 2, (50, 1)).astype(float), rng.normal(size=(50, 1))
    theirs = Evaluator("ogbg-molhiv").eval({"y_true": y, "y_pred": said})["rocauc"]
    assert ogb_scorer("ogbg-molhiv")(torch.tensor(y), torch.tensor(said)).mean == theirs
    assert theirs == pytest.approx(task_roc_auc(y, said).mean, abs=1e-12)
    target, guess = rng.normal(size=(9, 1)), rng.normal(size=(9, 1))
    theirs = Evaluator("ogbg-molesol").eval({"y_true": target, "y_pred": guess})["rmse"]
    assert ogb_scorer("ogbg-molesol")(target, guess).mean == theirs == pytest.approx(task_rmse(target, guess).mean)
    monkeypatch.setattr(Evaluator, "eval", lambda self, found: {"rocauc": 0.125})
    assert ogb_scorer("ogbg-molbace")(y, said).mean == 0.125


def test_gaps_and_skipped_tasks() -> None:
    y = np.zeros((8, 12))
    y[::2, :5] = 1
    y[1, 0] = NAN
    scores = ogb_scorer("ogbg-moltox21")(y, np.arange(96.0).reshape(8, 12))
    assert scores.skipped == 7 and scores.mean == pytest.approx(np.nanmean(scores.each))


def test_sets_of_average_precision_are_scored_and_named_so() -> None:
    rng = np.random.default_rng(1)
    y, said = rng.integers(0, 2, (60, 17)).astype(float), rng.normal(size=(60, 17))
    y[rng.random(y.shape) < 0.3] = NAN
    y[:, 4] = 0
    scorer = ogb_scorer("ogbg-molmuv")
    scores = scorer(y, said)
    assert scores.mean == Evaluator("ogbg-molmuv").eval({"y_true": y, "y_pred": said})["ap"]
    assert scorer.metric == "ap" and scores.skipped == 1 and scores.mean == pytest.approx(np.nanmean(scores.each))
    split = {"train": range(30), "valid": range(30, 45), "test": range(45, 60)}
    linear = molecule_protocol("moleculenet-linear")
    found = evaluate_molecules({"raw": [said]}, y, split, linear, [0], classification=True, score=scorer)
    assert list(found.tables) == ["ap"]
    own = linear_scores(said, y, split, classification=True, score=task_average_precision)
    assert found.scores["raw"] == pytest.approx(100 * own.test.mean)
    assert ogb_scorer("ogbg-molesol").metric == "rmse"


def test_refusals() -> None:
    with pytest.raises(ValueError, match="got ogbg-ppa, scored by acc"):
        ogb_scorer("ogbg-ppa")
    with pytest.raises(ValueError, match="expected a task that can be scored"):
        ogb_scorer("ogbg-molbace")([[1.0], [1.0]], [[0.0], [1.0]])
    with pytest.raises(ValueError, match="evaluator takes, got: Number of tasks for ogbg-molbace should be 1 but 2"):
        ogb_scorer("ogbg-molbace")([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
