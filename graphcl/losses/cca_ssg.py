"""CCA-SSG: standardised views alike, and each view's dimensions decorrelated."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from graphcl.losses._checks import check_views, check_within
from graphcl.losses._columns import gram, unit_columns
from graphcl.losses._objective import Objective

__all__ = ["CCASSG", "cca_ssg"]


def cca_ssg(z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], *, decorrelation: float = 1e-3) -> Float[Tensor, ""]:
    r"""Canonical correlation of two views as a loss, without negatives.

    .. math:: L = \lVert \tilde Z_A - \tilde Z_B \rVert_F^2
        + \lambda \big( \lVert \tilde Z_A^\top \tilde Z_A - I \rVert_F^2
        + \lVert \tilde Z_B^\top \tilde Z_B - I \rVert_F^2 \big)

    where every column of Z~ is centred over the batch and has length one (mean 0 and deviation 1 over root N). A column
    that is constant over the batch becomes zero and costs its 1 in I. O(N D^2).

    Args:
        z1: ``[N, D]`` embeddings of the first view.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        decorrelation: lambda >= 0.

    Returns:
        A scalar.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or lambda is negative.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> cca_ssg(z, z), cca_ssg(z, -z)  # the columns have length one: 2^2 for each
        (tensor(0.), tensor(8.))

    Source: Zhang, Wu, Yan, Wipf, Yu, "From Canonical Correlation Analysis to Self-supervised Graph Neural Networks",
    NeurIPS 2021.
    Differs from the authors' code: that has minus the sum of the correlations for the first term, which is half of it
    less D; and its columns have the unbiased deviation 1, so that their squared length is (N - 1) / N.
    """
    check_views(z1, z2)
    check_within("decorrelation", decorrelation, 0)
    z1, z2 = unit_columns(z1), unit_columns(z2)
    cost = F.mse_loss(z1, z2, reduction="sum")
    for z in (z1, z2):
        correlation = gram(z)
        identity = torch.eye(z.size(1), dtype=z.dtype, device=z.device)
        cost = cost + decorrelation * (correlation - identity).square().sum()
    return cost


class CCASSG(Objective):
    """Canonical correlation of two views; see :func:`cca_ssg`.

    Args:
        decorrelation: lambda >= 0, the weight of the correlations between different dimensions.

    Example:
        >>> CCASSG()
        CCASSG(decorrelation=0.001)
    """

    def __init__(self, *, decorrelation: float = 1e-3) -> None:
        super().__init__()
        check_within("decorrelation", decorrelation, 0)
        self.decorrelation = decorrelation

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return cca_ssg(z1, z2, decorrelation=self.decorrelation)
