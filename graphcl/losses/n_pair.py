"""The N-pair loss: InfoNCE with plain dot products, held in check by the embeddings' length."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import check_views, check_within
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import barred_groups
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective

__all__ = ["NPair", "n_pair"]


def n_pair(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    l2: float = 0.002,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Multi-class N-pair loss: each anchor's positive against the positives of all other anchors.

    .. math:: L = \frac1N \sum_i \log \Big( 1 + \sum_{j \ne i} e^{z^1_i \cdot z^2_j - z^1_i \cdot z^2_i} \Big)
        + \frac{\lambda}{2N} \sum_i \big( \lVert z^1_i \rVert^2 + \lVert z^2_i \rVert^2 \big)

    Args:
        z1: ``[N, D]`` embeddings of the anchors; not normalised.
        z2: ``[N, D]`` embeddings of the positives, row by row of the same items.
        l2: lambda >= 0, the weight of the squared lengths (the default is ours).
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group. An item without a negative costs only its length.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or ``l2`` is negative.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> z = torch.eye(2)
        >>> round(n_pair(z, z, l2=0.0).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", NeurIPS 2016.
    """
    check_views(z1, z2)
    check_within("l2", l2, 0)
    barred = barred_groups(z1, exclude)
    z1, z2 = widened(z1, z2)
    cost = mean_contrast(z1, z2, barred, scale=1.0)
    return cost + l2 * (z1.square().sum(1) + z2.square().sum(1)).mean() / 2


class NPair(Objective):
    """Multi-class N-pair loss; see :func:`n_pair`.

    Args:
        l2: lambda >= 0, the weight of the squared lengths.

    Example:
        >>> NPair()
        NPair(l2=0.002)
    """

    def __init__(self, *, l2: float = 0.002) -> None:
        super().__init__()
        check_within("l2", l2, 0)
        self.l2 = l2

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return n_pair(z1, z2, l2=self.l2, exclude=exclude)
