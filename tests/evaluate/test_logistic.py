import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from graphcl.evaluate import fit_logistic

RNG = np.random.default_rng(0)


def problem(classes, rows=300, width=8):
    centres = RNG.normal(size=(classes, width))
    y = np.arange(rows) % classes
    return centres[y] + RNG.normal(size=(rows, width)), y


def objective(x, y, coef, intercept, penalty):
    """The sum that is minimised, written out row by row."""
    total = (coef**2).sum() / (2 * penalty)
    for row, label in zip(x, y):
        scores = coef @ row + intercept
        if len(coef) == 1:
            scores = np.array([0.0, scores[0]])
        total += np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[label]
    return total


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_equals_scikit_learn(classes, penalty):
    x, y = problem(classes)
    fit = fit_logistic(torch.from_numpy(x), torch.from_numpy(y), penalty=penalty, tolerance=1e-8, max_iter=10_000)
    theirs = LogisticRegression(C=penalty, tol=1e-8, max_iter=10_000).fit(x, y)
    assert fit.converged and fit.coef.shape == theirs.coef_.shape
    np.testing.assert_allclose(fit.coef.numpy(), theirs.coef_, atol=1e-4)
    # The intercepts of a softmax are determined up to a constant.
    np.testing.assert_allclose(np.diff(fit.intercept.numpy()), np.diff(theirs.intercept_), atol=1e-3)
    ours = objective(x, y, fit.coef.numpy(), fit.intercept.numpy(), penalty)
    assert ours == pytest.approx(objective(x, y, theirs.coef_, theirs.intercept_, penalty), rel=1e-8)
    assert (fit.decision(torch.from_numpy(x)).argmax(1).numpy() == theirs.predict(x)).all()


@pytest.mark.parametrize("classes", [2, 5])
def test_at_the_usual_tolerance_it_predicts_the_same(classes):
    x, y = problem(classes, rows=2000)
    test, _ = problem(classes, rows=2000)
    fit = fit_logistic(torch.from_numpy(x), torch.from_numpy(y))
    theirs = LogisticRegression(max_iter=1000).fit(x, y)
    ours = fit.decision(torch.from_numpy(test)).argmax(1).numpy()
    assert (ours == theirs.predict(test)).mean() > 0.998
    np.testing.assert_allclose(fit.coef.numpy(), theirs.coef_, atol=5e-3)


def test_float32_is_near():
    x, y = problem(4)
    double, single = (
        fit_logistic(torch.from_numpy(x).to(kind), torch.from_numpy(y)) for kind in (torch.float64, torch.float32)
    )
    assert single.coef.dtype == torch.float32
    np.testing.assert_allclose(double.coef.numpy(), single.coef.numpy(), atol=1e-2)
    half = fit_logistic(torch.from_numpy(x).bfloat16(), torch.from_numpy(y))
    assert torch.isfinite(half.coef).all()


def test_rows_with_gradients_do_and_rows_of_nan_do_not():
    x, y = (torch.from_numpy(part) for part in problem(4))
    found, wanted = fit_logistic(x.clone().requires_grad_(), y), fit_logistic(x, y)
    assert torch.equal(found.coef, wanted.coef) and not found.coef.requires_grad
    x[0, 0] = torch.nan
    with pytest.raises(ValueError, match="expected finite rows, got NaN or infinite values in 1 of"):
        fit_logistic(x, y)  # whose weights were 0, and called converged


def test_the_limit_of_iterations_is_told():
    x, y = problem(5)
    fit = fit_logistic(torch.from_numpy(x), torch.from_numpy(y), penalty=1e6, max_iter=2)
    assert (fit.iterations, fit.converged) == (2, False)


@pytest.mark.parametrize(
    ("y", "penalty", "message"),
    [
        ([0, 0, 0], 1.0, "K >= 2"),
        ([0, 2, 2], 1.0, "all of which occur"),
        ([0, 1, -1], 1.0, "classes 0"),
        ([0, 1, 1], 0.0, "above 0"),
    ],
)
def test_refusals(y, penalty, message):
    with pytest.raises(ValueError, match=message):
        fit_logistic(torch.eye(3), torch.tensor(y), penalty=penalty)


@pytest.mark.gpu
def test_on_a_gpu_it_is_the_same():
    x, y = problem(5)
    here, there = (fit_logistic(torch.from_numpy(x).to(d), torch.from_numpy(y).to(d)) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(here.coef.numpy(), there.coef.cpu().numpy(), atol=1e-3)
