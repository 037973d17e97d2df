"""Logistic regression in torch: scikit-learn's objective on the device where the embeddings lie."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["LogisticFit", "fit_logistic"]


class LogisticFit(NamedTuple):
    """Coefficients ``[K, D]`` and intercepts ``[K]`` (one row for two classes), as scikit-learn has them."""

    coef: Tensor
    intercept: Tensor
    iterations: int
    converged: bool

    def decision(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores ``[n, K]`` whose largest is the prediction; for two classes, 0 and the logit of the second one."""
        scores = x.to(self.coef.dtype) @ self.coef.T + self.intercept
        return torch.cat([torch.zeros_like(scores), scores], dim=1) if scores.size(1) == 1 else scores


def fit_logistic(
    x: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    *,
    penalty: float = 1.0,
    max_iter: int = 1000,
    tolerance: float = 1e-4,
) -> LogisticFit:
    """Fit multinomial logistic regression by L-BFGS; the sums over the rows run on the device of ``x``.

    Minimises ``sum_i loss(x_i, y_i) + ||W||^2 / (2 C)``, divided by ``C n`` or not, with an intercept that is not
    penalised: the objective of ``LogisticRegression(C=penalty)``. The loss is the cross-entropy of a softmax over the
    classes, and for two classes that of a sigmoid with one weight vector, as there.

    Args:
        x: Rows; float64 is computed in as it is, anything else in float32.
        y: Classes 0 to K - 1, all of which occur.
        penalty: ``C``, the inverse strength of the penalty.
        max_iter: Limit of iterations.
        tolerance: The largest gradient entry, per row, at which to stop.

    Raises:
        ValueError: Fewer than two classes, a class that does not occur, a penalty that is not positive, rows that are
            not finite.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0], [4.0]], dtype=torch.float64)
        >>> fit_logistic(x, torch.tensor([0, 0, 1, 1])).decision(x).argmax(1).tolist()
        [0, 0, 1, 1]

    Source: Liu and Nocedal, On the Limited Memory BFGS Method for Large Scale Optimization, 1989 (SciPy's L-BFGS-B).
    """
    from scipy.optimize import minimize

    if not penalty > 0:
        raise ValueError(f"expected a penalty C above 0, got {penalty}")
    x = x.detach() if x.dtype == torch.float64 else x.detach().float()
    if bad := int((~torch.isfinite(x)).any(dim=1).sum()):
        raise ValueError(f"expected finite rows, got NaN or infinite values in {bad} of {len(x)}")
    classes = int(y.max()) + 1 if y.numel() else 0
    if classes < 2 or int(y.min()) < 0 or bool((torch.bincount(y, minlength=classes) == 0).any()):
        raise ValueError("expected classes 0 to K - 1 with K >= 2, all of which occur in y")
    rows = 1 if classes == 2 else classes
    width = x.size(1)
    target = y.to(x.dtype).unsqueeze(1) if rows == 1 else y

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = torch.from_numpy(flat).to(x).view(rows, width + 1)
        coef, intercept = weight[:, :width], weight[:, width]
        logits = torch.addmm(intercept, x, coef.T)
        loss, slope = _binary(logits, target) if rows == 1 else _softmax(logits, target)
        shrink = 1 / (penalty * len(x))
        gradient = torch.cat([slope.T @ x + shrink * coef, slope.sum(0).unsqueeze(1)], dim=1)
        value = loss + 0.5 * shrink * coef.square().sum()
        return float(value), gradient.double().cpu().numpy().ravel()

    options = {"maxiter": max_iter, "gtol": tolerance, "ftol": 64 * np.finfo(np.float64).eps, "maxls": 50}
    found = minimize(objective, np.zeros(rows * (width + 1)), jac=True, method="L-BFGS-B", options=options)
    best = torch.from_numpy(found.x).to(x).view(rows, width + 1)
    return LogisticFit(best[:, :width], best[:, width], int(found.nit), int(found.nit) < max_iter)


def _softmax(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and its slope per logit."""
    log_p = torch.log_softmax(logits, dim=1)
    index = target.unsqueeze(1)
    loss = -log_p.gather(1, index).mean()
    slope = log_p.exp_()
    slope.scatter_add_(1, index, torch.full_like(index, -1, dtype=slope.dtype))
    return loss, slope.div_(len(logits))


def _binary(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    return loss, (torch.sigmoid(logits) - target).div_(len(logits))
