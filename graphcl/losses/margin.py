"""Margin contrast: views of one item close together, different items at least a margin apart."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._blocks import by_blocks
from graphcl.losses._checks import check_positive, check_views
from graphcl.losses._negatives import barred_groups, shares_group, stack_groups
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective

__all__ = ["MarginContrastive", "margin_contrastive"]

_NOTHING = 1e-200  # its root and one over it are numbers


def margin_contrastive(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    margin: float = 1.0,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""The contrastive loss of siamese networks, with every pair of different items as a dissimilar one.

    .. math:: L = \frac1N \sum_i \frac12 d_{ii}^2
        + \frac1{N(N - 1)} \sum_{i \ne j} \frac12 \max(0, m - d_{ij})^2, \qquad d_{ij} = \lVert z^1_i - z^2_j \rVert

    Distances are Euclidean, of the embeddings as they come. All pairs count, in memory linear in N.

    Args:
        z1: ``[N, D]`` embeddings of the first view; not normalised.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        margin: m > 0, in units of the embeddings.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not a dissimilar pair. -1 is no
            group.

    Returns:
        A scalar, the mean over similar pairs plus the mean over dissimilar ones (0 if there are none).

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the margin is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.zeros(3, 2)
        >>> margin_contrastive(z, z, margin=2.0)  # nothing apart: m^2 / 2
        tensor(2.)

    Source: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, section 2.1.
    Differs from the paper: means over both kinds of pairs instead of one sum, so that N(N - 1) dissimilar pairs do not
    drown N similar ones.
    """
    check_views(z1, z2)
    check_positive("margin", margin)
    own, theirs = stack_groups(barred_groups(z1, exclude))
    z1, z2 = widened(z1, z2)

    def apart(query: Tensor, own: Tensor, key: Tensor, theirs: Tensor) -> Tensor:
        distance = _distances(query, key)
        counts = ~shares_group(own, theirs)
        cost = (margin - distance).clamp(min=0).square() / 2
        return torch.stack([cost.masked_fill(~counts, 0).sum(1), counts.sum(1).to(cost.dtype)], 1)

    cost, number = by_blocks(apart, [z1, own], [z2, theirs], columns=z2.size(0)).sum(0)
    return (z1 - z2).square().sum(1).mean() / 2 + cost / number.clamp(min=1)


def _distances(query: Tensor, key: Tensor) -> Tensor:
    """``[M, N]`` Euclidean distances, of which small ones keep their digits: |a|^2 - 2ab + |b|^2 alone loses them."""
    if query.dtype == torch.float64 or query.device.type != "cpu":
        return torch.cdist(query, key, compute_mode="donot_use_mm_for_euclid_dist")  # differences
    # In double precision it does not, and a CPU multiplies there far sooner than it takes differences in single. Less
    # cancels about the middle; the move is the same for all rows, and has no share in the gradient.
    middle = key.detach().double().mean(0)
    query, key = query.double() - middle, key.double() - middle
    lengths = query.square().sum(1, keepdim=True) + key.square().sum(1)
    squared = torch.addmm(lengths, query, key.T, alpha=-2)
    # Rows that are one have no direction, and get no gradient.
    return squared.clamp(min=_NOTHING).sqrt().float()


class MarginContrastive(Objective):
    """The contrastive loss of siamese networks; see :func:`margin_contrastive`.

    Args:
        margin: m > 0, in units of the embeddings.

    Example:
        >>> MarginContrastive(margin=0.5)
        MarginContrastive(margin=0.5)
    """

    def __init__(self, *, margin: float = 1.0) -> None:
        super().__init__()
        check_positive("margin", margin)
        self.margin = margin

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return margin_contrastive(z1, z2, margin=self.margin, exclude=exclude)
