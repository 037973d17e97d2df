"""Barlow Twins: the cross-correlation of both views' dimensions is the identity."""

from jaxtyping import Float
from torch import Tensor

from graphcl.losses._checks import check_views, check_within
from graphcl.losses._columns import unit_columns
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective
from graphcl.similarity._precision import product

__all__ = ["BarlowTwins", "barlow_twins"]


def barlow_twins(z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], *, redundancy: float = 0.005) -> Float[Tensor, ""]:
    r"""Invariance and redundancy reduction, without negatives.

    .. math:: L = \sum_i (1 - C_{ii})^2 + \lambda \sum_{i \ne j} C_{ij}^2, \qquad
        C_{ij} = \frac{\sum_b z^1_{bi} z^2_{bj}}{\sqrt{\sum_b (z^1_{bi})^2} \sqrt{\sum_b (z^2_{bj})^2}}

    with every dimension centred over the batch first. A dimension that is constant over the batch correlates with
    nothing. O(N D^2).

    Args:
        z1: ``[N, D]`` embeddings of the first view.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        redundancy: lambda >= 0; the paper's 0.005, on graphs often 1 / D.

    Returns:
        A scalar.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or lambda is negative.
        TypeError: The embeddings are not floating point.

    Example:
        >>> import torch
        >>> z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> barlow_twins(z, z), barlow_twins(z, -z)  # C = I, and C = -I
        (tensor(0.), tensor(8.))

    Source: Zbontar, Jing, Misra, LeCun, Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML
    2021, equations 1 and 2; Bielak, Kajdanowicz, Chawla, "Graph Barlow Twins: A Self-Supervised Representation Learning
    Framework for Graphs", Knowledge-Based Systems 2022, for graphs.
    Differs from the authors' code: no small number is added to the variances. That for graphs divides by N, but takes
    the unbiased deviation, so that its C is (N - 1) / N of this one.
    """
    check_views(z1, z2)
    check_within("redundancy", redundancy, 0)
    z1, z2 = (unit_columns(z) for z in widened(z1, z2))
    correlation = product(z1.T, z2)
    agreement = correlation.diagonal()
    # Before the sum, not after it: the squares off the diagonal may be far smaller than those on it.
    off_diagonal = correlation - agreement.diag_embed()
    return (1 - agreement).square().sum() + redundancy * off_diagonal.square().sum()


class BarlowTwins(Objective):
    """Invariance and redundancy reduction; see :func:`barlow_twins`.

    Args:
        redundancy: lambda >= 0, the weight of the correlations between different dimensions.

    Example:
        >>> BarlowTwins(redundancy=1 / 256)
        BarlowTwins(redundancy=0.00390625)
    """

    def __init__(self, *, redundancy: float = 0.005) -> None:
        super().__init__()
        check_within("redundancy", redundancy, 0)
        self.redundancy = redundancy

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return barlow_twins(z1, z2, redundancy=self.redundancy)
