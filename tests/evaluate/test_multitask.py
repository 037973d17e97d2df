"""Losses and scores over gaps: against scikit-learn, against OGB's evaluator, and by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from graphcl.evaluate import TargetScaler, masked_bce, masked_mse, task_average_precision, task_rmse, task_roc_auc

NAN = float("nan")


def with_gaps(seed: int, n: int = 60, tasks: int = 5, classes: bool = True) -> tuple[Any, Any]:
    rng = np.random.Generator(np.random.PCG64(seed))
    y = rng.integers(0, 2, (n, tasks)).astype(float) if classes else rng.normal(size=(n, tasks))
    y[rng.random((n, tasks)) < 0.4] = np.nan
    return y, np.round(rng.normal(size=(n, tasks)), 1)  # with ties


@pytest.mark.parametrize("seed", range(3))
def test_roc_auc_is_that_of_scikit_learn_and_of_ogb(seed: int) -> None:
    from ogb.graphproppred import Evaluator
    from sklearn.metrics import roc_auc_score

    y, s = with_gaps(seed)
    y[:, 3] = 1.0
    scores = task_roc_auc(y, s)
    for task in (0, 1, 2, 4):
        known = ~np.isnan(y[:, task])
        assert scores.each[task] == pytest.approx(roc_auc_score(y[known, task], s[known, task]), abs=1e-12)
    assert np.isnan(scores.each[3]) and scores.skipped == 1
    theirs = Evaluator("ogbg-moltox21")
    theirs.num_tasks = 5
    assert scores.mean == pytest.approx(theirs.eval({"y_true": y, "y_pred": s})["rocauc"], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_the_sum_over_thresholds(seed: int) -> None:
    y, s = with_gaps(seed)
    y[:, 3] = NAN
    scores = task_average_precision(y, s)
    for task in (0, 1, 2, 4):
        known = ~np.isnan(y[:, task])
        labels, said, total, before = y[known, task], s[known, task], 0.0, 0.0
        for threshold in sorted(set(said), reverse=True):
            above = labels[said >= threshold]
            recall = above.sum() / labels.sum()
            total, before = total + (recall - before) * above.mean(), recall
        assert scores.each[task] == pytest.approx(total)
    assert scores.skipped == 1 and scores.mean == pytest.approx(np.nanmean(scores.each))


@pytest.mark.parametrize("seed", range(3))
def test_rmse_is_that_of_ogb(seed: int) -> None:
    from ogb.graphproppred import Evaluator

    y, p = with_gaps(seed, tasks=1, classes=False)
    expected = Evaluator("ogbg-molesol").eval({"y_true": y, "y_pred": p})["rmse"]
    assert task_rmse(torch.from_numpy(y), torch.from_numpy(p)).mean == pytest.approx(expected, rel=1e-12)


def test_rmse_over_tasks() -> None:
    scores = task_rmse([[0, NAN, NAN], [0, 1, NAN]], [[3, 0, 0], [4, 2, 0]])
    assert scores.each[:2].tolist() == [np.sqrt(12.5), 1.0] and scores.skipped == 1
    assert scores.mean == pytest.approx((np.sqrt(12.5) + 1) / 2)


@pytest.mark.parametrize(
    ("y", "s", "said"),
    [
        ([[1.0], [1.0]], [[0.0], [1.0]], "every task has molecules of one class only, or none"),
        ([[NAN], [NAN]], [[0.0], [1.0]], "expected a task that can be scored, got none"),
        ([[2.0], [1.0]], [[0.0], [1.0]], "expected labels 0, 1 or NaN"),
        ([1.0, 0.0], [0.0, 1.0], r"of one shape \[N, tasks\], got \[2\] and \[2\]"),
        ([[1.0], [0.0]], [[0.0, 1.0]], "of one shape"),
        ([[1.0], [0.0]], [[NAN], [1.0]], "expected finite predictions, got 1"),
    ],
)
def test_refusals(y: Any, s: Any, said: str) -> None:
    for score in (task_roc_auc, task_average_precision):
        with pytest.raises(ValueError, match=said):
            score(y, s)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", [masked_bce, masked_mse])
def test_losses_are_means_over_what_was_measured(loss: Any, dtype: torch.dtype, generator: torch.Generator) -> None:
    y = torch.from_numpy(with_gaps(0)[0]).to(dtype)
    out = torch.randn(y.shape, generator=generator, dtype=dtype, requires_grad=True)
    known = ~y.isnan()
    plain = {
        masked_bce: torch.nn.functional.binary_cross_entropy_with_logits,
        masked_mse: torch.nn.functional.mse_loss,
    }[loss](out[known], y[known])
    ours = loss(out, y)
    torch.testing.assert_close(ours, plain)
    grad, other = (torch.autograd.grad(value, out)[0] for value in (ours, plain))
    torch.testing.assert_close(grad, other)
    assert bool((grad[~known] == 0).all()) and bool(torch.isfinite(grad).all())


@pytest.mark.parametrize("loss", [masked_bce, masked_mse])
def test_losses_are_in_half_precision_for_neither_side_and_take_whole_numbers(loss: Any) -> None:
    assert loss(torch.ones(2, 1, dtype=torch.bfloat16), torch.ones(2, 1, dtype=torch.int64)).dtype == torch.float32


@pytest.mark.parametrize("loss", [masked_bce, masked_mse])
def test_an_all_missing_batch_costs_nothing(loss: Any) -> None:
    out = torch.ones(3, 2, requires_grad=True)
    value = loss(out, torch.full((3, 2), NAN))
    value.backward()
    assert value.item() == 0 and out.grad is not None and out.grad.abs().sum() == 0
    with pytest.raises(ValueError, match=r"expected predictions and targets of one shape"):
        loss(out, torch.zeros(3))


def test_targets_are_scaled_by_the_training_part_and_back() -> None:
    y = torch.tensor([[1.0, 7.0], [3.0, 7.0], [NAN, 7.0], [5.0, NAN]])
    scaler = TargetScaler.fit(y)
    scaled = scaler(y)
    assert scaler.mean.tolist() == [3.0, 7.0] and scaler.std[1] == 1.0
    torch.testing.assert_close(scaled[:, 0].nanmean(), torch.tensor(0.0))
    torch.testing.assert_close(scaled[:, 0][~scaled[:, 0].isnan()].square().mean(), torch.tensor(1.0))
    torch.testing.assert_close(scaler.back(scaled), y, equal_nan=True)
    with pytest.raises(ValueError, match="each task measured at least once"):
        TargetScaler.fit(torch.tensor([[NAN], [NAN]]))
