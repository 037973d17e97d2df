"""Triplets: the other view of an item closer than the views of other items, by a margin."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._blocks import by_blocks
from graphcl.losses._checks import check_positive, check_views
from graphcl.losses._negatives import barred_groups, shares_group, stack_groups
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows
from graphcl.similarity._precision import product

__all__ = ["Triplet", "triplet"]

Mining = Literal["all", "hard", "semi-hard"]
_MININGS = get_args(Mining)  # here, as compilers do not follow it everywhere


def triplet(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    margin: float = 0.2,
    mining: Mining = "semi-hard",
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""The triplet loss, with a row of the first view as the anchor and its other view as the positive.

    .. math:: L = \mathrm{mean}_{(i, j)} \max\big(0,\; d_{ii}^2 - d_{ij}^2 + m\big), \qquad
        d_{ij}^2 = \lVert z^1_i - z^2_j \rVert^2 = 2 - 2 \cos(z^1_i, z^2_j)

    The pairs (i, j) are, by ``mining``: ``"all"`` with j other than i; ``"hard"``: for each i the nearest j;
    ``"semi-hard"``: for each i the nearest j that is farther than the positive, or where all are nearer the farthest.
    Choosing takes no gradient. The memory is linear in N.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        margin: m > 0, in squared distance on the unit sphere (which is 4 at most).
        mining: Which negatives count.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group. An item without a negative forms no triplet.

    Returns:
        A scalar, the mean over the triplets; 0 if there are none.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the margin is not positive, or ``mining`` unknown.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.eye(3)
        >>> triplet(z, z, margin=2.5, mining="hard")  # 0 - 2 + 2.5
        tensor(0.5000)

    Source: Schroff, Kalenichenko, Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    CVPR 2015, sections 3.1 and 3.2.
    Differs from the paper: the mean over triplets instead of their sum; and it does not say what to do where no
    negative is semi-hard.
    """
    check_views(z1, z2)
    _check_settings(margin, mining)
    own, theirs = stack_groups(barred_groups(z1, exclude))
    z1, z2 = (unit_rows(z) for z in widened(z1, z2))
    positive = (z1 * z2).sum(1)

    def all_costs(query: Tensor, positive: Tensor, own: Tensor, key: Tensor, theirs: Tensor) -> Tensor:
        allowed = ~shares_group(own, theirs)
        cost = (2 * (product(query, key.T) - positive[:, None]) + margin).clamp(min=0)
        return torch.stack([cost.masked_fill(~allowed, 0).sum(1), allowed.sum(1).to(cost.dtype)], 1)

    def chosen(query: Tensor, own: Tensor, key: Tensor, theirs: Tensor) -> Tensor:
        allowed, similarity = ~shares_group(own, theirs), query @ key.T
        # From the same product, so that a duplicate of the positive is as near as it is to the last bit, not farther.
        positive = similarity.gather(1, own[:, :1])
        nearest = similarity.masked_fill(~allowed, -torch.inf).max(1)
        best = nearest.indices
        if mining == "semi-hard":
            # Nearest, hence most similar, of those less similar than the positive.
            farther = similarity.masked_fill(~(allowed & (similarity < positive)), -torch.inf).max(1)
            farthest = similarity.masked_fill(~allowed, torch.inf).argmin(1)
            best = torch.where(farther.values > -torch.inf, farther.indices, farthest)
        return torch.where(nearest.values == -torch.inf, -1, best)  # NaN is no reason to leave a row out

    others = [z2, theirs]
    if mining == "all":
        cost, number = by_blocks(all_costs, [z1, positive, own], others, columns=z2.size(0)).sum(0)
        return cost / number.clamp(min=1)
    with torch.no_grad():
        best = by_blocks(chosen, [z1, own], others, columns=z2.size(0))
    negative = (z1 * z2.index_select(0, best.clamp(min=0))).sum(1)
    cost = (2 * (negative - positive) + margin).clamp(min=0)
    return cost.masked_fill(best < 0, 0).sum() / (best >= 0).sum().clamp(min=1)


def _check_settings(margin: float, mining: str) -> None:
    check_positive("margin", margin)
    if mining not in _MININGS:
        raise ValueError(f"expected mining to be one of {', '.join(_MININGS)}, got {mining!r}")


class Triplet(Objective):
    """The triplet loss; see :func:`triplet`.

    Args:
        margin: m > 0, in squared distance on the unit sphere.
        mining: Which negatives count: ``"all"``, ``"hard"`` or ``"semi-hard"``.

    Example:
        >>> Triplet(mining="hard")
        Triplet(margin=0.2, mining='hard')
    """

    def __init__(self, *, margin: float = 0.2, mining: Mining = "semi-hard") -> None:
        super().__init__()
        _check_settings(margin, mining)
        self.margin = margin
        self.mining = mining

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return triplet(z1, z2, margin=self.margin, mining=self.mining, exclude=exclude)
