"""Alignment and uniformity: how close views are, and how evenly the embeddings fill the sphere; losses and metrics."""

import torch
from jaxtyping import Float
from torch import Tensor

from graphcl.losses._checks import check_positive, check_rows, check_views, check_within
from graphcl.losses._negatives import log_sum
from graphcl.losses._numerics import log_size
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["AlignmentUniformity", "alignment", "alignment_uniformity", "uniformity"]


def alignment_uniformity(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    alpha: float = 2.0,
    t: float = 2.0,
    weight: float = 1.0,
) -> Float[Tensor, ""]:
    r"""Alignment and uniformity at once, as a loss.

    .. math:: L = \mathrm{alignment}(Z^1, Z^2)
        + \lambda\, \tfrac12 \big[ \mathrm{uniformity}(Z^1) + \mathrm{uniformity}(Z^2) \big]

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        alpha: > 0, the exponent of :func:`alignment`.
        t: > 0, the sharpness of :func:`uniformity`.
        weight: lambda >= 0.

    Returns:
        A scalar.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, alpha or t is not positive, or lambda is negative.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.tensor([[1.0], [-1.0]])
        >>> alignment_uniformity(z, z)  # 0, and log(e^(-2 x 4))
        tensor(-8.)

    Source: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, section 4.1.
    """
    check_views(z1, z2)
    _check_settings(alpha, t, weight)
    z1, z2 = unit_rows(z1), unit_rows(z2)
    return _apart(z1, z2, alpha) + weight * (_potential(z1, t) + _potential(z2, t)) / 2


def alignment(z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], *, alpha: float = 2.0) -> Float[Tensor, ""]:
    r"""The mean distance of positive pairs on the unit sphere, to a power.

    .. math:: \frac1N \sum_i \Big\lVert \frac{z^1_i}{\lVert z^1_i \rVert}
        - \frac{z^2_i}{\lVert z^2_i \rVert} \Big\rVert^\alpha

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        alpha: > 0.

    Returns:
        A scalar; 0 where the views of each item agree.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or alpha is not positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.eye(2)
        >>> alignment(z, z.flip(0)), alignment(z, 3 * z)
        (tensor(2.), tensor(0.))

    Source: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, section 4.1.1.
    """
    check_views(z1, z2)
    check_positive("alpha", alpha)
    return _apart(unit_rows(z1), unit_rows(z2), alpha)


def _apart(z1: Tensor, z2: Tensor, alpha: float) -> Tensor:
    squared = (z1 - z2).square().sum(1)
    if alpha == 2:
        return squared.mean()
    # Where the views agree the slope of a root is infinite: there the gradient is taken as zero.
    together = squared == 0  # NaN is neither
    return torch.where(together, 1.0, squared).pow(alpha / 2).masked_fill(together, 0).mean()


def uniformity(z: Float[Tensor, "n d"], *, t: float = 2.0) -> Float[Tensor, ""]:
    r"""How far the embeddings are from filling the unit sphere evenly; lower is more even, 0 is one point.

    .. math:: \log \frac1{N(N - 1)} \sum_{i \ne j} e^{-t \lVert z_i - z_j \rVert^2}

    with rows at length one (a row of zeros counts as at right angles to all). All pairs count, in the memory of the
    similarity engine.

    Args:
        z: ``[N, D]`` embeddings; any length, they are normalised here.
        t: > 0, the sharpness of the potential.

    Returns:
        A scalar in [-4t, 0].

    Raises:
        ValueError: ``z`` is no ``[N, D]`` with at least two rows, or t is not positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> uniformity(torch.tensor([[1.0], [-1.0]]))
        tensor(-8.)

    Source: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, section 4.1.2.
    """
    check_rows("z", z, least=2)
    check_positive("t", t)
    return _potential(unit_rows(z), t)


def _potential(z: Tensor, t: float) -> Tensor:
    item = torch.arange(z.size(0), device=z.device)
    # |z_i - z_j|^2 = 2 - 2 <z_i, z_j> between unit rows.
    rows = log_sum(z, z, scale=2.0 * t, exclude=[(item, item)]) - 2 * t
    return torch.logsumexp(rows, 0) - log_size(z.size(0), z) - log_size(z.size(0) - 1, z)


def _check_settings(alpha: float, t: float, weight: float) -> None:
    check_positive("alpha", alpha)
    check_positive("t", t)
    check_within("weight", weight, 0)


class AlignmentUniformity(Objective):
    """Alignment and uniformity as a loss; see :func:`alignment_uniformity`.

    Args:
        alpha: > 0, the exponent of the distances.
        t: > 0, the sharpness of the potential.
        weight: lambda >= 0, the weight of uniformity.

    Example:
        >>> AlignmentUniformity(weight=0.5)
        AlignmentUniformity(alpha=2.0, t=2.0, weight=0.5)
    """

    def __init__(self, *, alpha: float = 2.0, t: float = 2.0, weight: float = 1.0) -> None:
        super().__init__()
        _check_settings(alpha, t, weight)
        self.alpha = alpha
        self.t = t
        self.weight = weight

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return alignment_uniformity(z1, z2, alpha=self.alpha, t=self.t, weight=self.weight)
