"""VICReg: views alike, every dimension spread out, no two dimensions alike."""

from jaxtyping import Float
from torch import Tensor

from graphcl.losses._checks import check_positive, check_views, check_within
from graphcl.losses._columns import gram
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective

__all__ = ["VICReg", "vicreg"]


def vicreg(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    target: float = 1.0,
    eps: float = 1e-4,
) -> Float[Tensor, ""]:
    r"""Variance, invariance and covariance of two batches of embeddings, without negatives.

    .. math:: L = \lambda\, s(Z, Z') + \mu\, [v(Z) + v(Z')] + \nu\, [c(Z) + c(Z')]

    .. math:: s = \frac1N \sum_i \lVert z_i - z'_i \rVert^2, \qquad
        v(Z) = \frac1D \sum_j \max\big(0, \gamma - \sqrt{\mathrm{Var}(Z_j) + \epsilon}\big), \qquad
        c(Z) = \frac1D \sum_{i \ne j} \mathrm{Cov}(Z)_{ij}^2

    Variances and covariances are unbiased (divided by N - 1). O(N D^2).

    Args:
        z1: ``[N, D]`` embeddings of the first view; not normalised.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        invariance: lambda >= 0.
        variance: mu >= 0.
        covariance: nu >= 0.
        target: gamma > 0, the standard deviation below which a dimension costs.
        eps: epsilon > 0, which keeps the root's gradient finite.

    Returns:
        A scalar.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, a weight is negative, or target or eps is not
            positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> import torch
        >>> z = 2 * torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> vicreg(z, z)  # alike, spread out and uncorrelated
        tensor(0.)

    Source: Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    ICLR 2022, section 4.1.
    Differs from the authors' code: that divides s by D and v by 2, which ``invariance=25 / D, variance=12.5`` does too.
    """
    check_views(z1, z2)
    _check_settings(invariance, variance, covariance, target, eps)
    z1, z2 = widened(z1, z2)
    cost = invariance * (z1 - z2).square().sum(1).mean()
    width = max(1, z1.size(1))
    for z in (z1, z2):
        centred = z - z.mean(0)
        cov = gram(centred) / (z.size(0) - 1)
        spread = cov.diagonal()
        cost = cost + variance * (target - (spread + eps).sqrt()).clamp(min=0).sum() / width
        cost = cost + covariance * (cov - spread.diag_embed()).square().sum() / width
    return cost


def _check_settings(invariance: float, variance: float, covariance: float, target: float, eps: float) -> None:
    for name, weight in (("invariance", invariance), ("variance", variance), ("covariance", covariance)):
        check_within(name, weight, 0)
    check_positive("target", target)
    check_positive("eps", eps)


class VICReg(Objective):
    """Variance, invariance and covariance; see :func:`vicreg`.

    Args:
        invariance: Weight of the distance between views.
        variance: Weight of the spread of each dimension.
        covariance: Weight of the covariance between dimensions.
        target: The standard deviation below which a dimension costs.
        eps: Added to the variances under the root.

    Example:
        >>> VICReg(invariance=0.1)
        VICReg(invariance=0.1, variance=25.0, covariance=1.0, target=1.0, eps=0.0001)
    """

    def __init__(
        self,
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        target: float = 1.0,
        eps: float = 1e-4,
    ) -> None:
        super().__init__()
        _check_settings(invariance, variance, covariance, target, eps)
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        self.target = target
        self.eps = eps

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return vicreg(
            z1,
            z2,
            invariance=self.invariance,
            variance=self.variance,
            covariance=self.covariance,
            target=self.target,
            eps=self.eps,
        )
