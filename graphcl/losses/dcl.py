"""Decoupled contrast: the positive pair leaves the denominator, and may be weighted."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_positive, check_temperature, check_views
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import barred_groups, log_sum, mean_cost
from graphcl.losses._numerics import unit_views
from graphcl.losses._objective import Objective

__all__ = ["DCL", "dcl"]


def dcl(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.1,
    sigma: float | None = None,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Contrast over both views without the coupling of positive and negatives that stalls small batches.

    .. math:: L = \frac1{2N} \sum_{i=1}^{2N} \Big[ -w_i \frac{s_{ip(i)}}{\tau}
        + \log \sum_{j \notin \{i, p(i)\}} e^{s_{ij}/\tau} \Big], \qquad s_{ij} = \cos(z_i, z_j)

    where p(i) is the other view of i. The weight is 1, or with ``sigma``
    :math:`w_i = 2 - e^{s_{ip(i)}/\sigma} / \mathrm{mean}_k\, e^{s_{kp(k)}/\sigma}` (DCLW), which lets pairs that agree
    already count less. The loss can be negative.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        sigma: The width of the weights (the paper's is 0.5); None for no weights.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group. An item without a negative costs 0.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or temperature or sigma is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.eye(2)
        >>> round(dcl(z, z, temperature=1.0).item(), 4)  # log(1 + 1) - 1
        -0.3069

    Source: Yeh, Hong, Hsu, Liu, Chen, LeCun, "Decoupled Contrastive Learning", ECCV 2022: DCL and its weighted form,
    DCLW.
    """
    check_views(z1, z2)
    temperature = as_temperature(temperature)
    if sigma is not None:
        check_positive("sigma", sigma)
    barred = barred_groups(z1, exclude, copies=2)
    n = z1.size(0)
    z = unit_views(z1, z2)
    if sigma is None:
        return mean_contrast(z, z, barred, scale=1.0 / temperature, positive_in_denominator=False, copies=2)
    cosine = (z[:n] * z[n:]).sum(1)
    weighted = cosine * (2 - n * torch.softmax(cosine / sigma, 0))
    negatives = log_sum(z, z, scale=1.0 / temperature, exclude=barred)
    return mean_cost((weighted / temperature).repeat(2), negatives, positive_in_denominator=False)


class DCL(Objective):
    """Decoupled contrast; see :func:`dcl`.

    Args:
        temperature: tau > 0.
        sigma: The width of the weights of the positive pairs; None for no weights.

    Example:
        >>> DCL(sigma=0.5)
        DCL(temperature=0.1, sigma=0.5)
    """

    def __init__(self, *, temperature: float = 0.1, sigma: float | None = None) -> None:
        super().__init__()
        check_temperature(temperature)
        if sigma is not None:
            check_positive("sigma", sigma)
        self.temperature = temperature
        self.sigma = sigma

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return dcl(z1, z2, temperature=self.temperature, sigma=self.sigma, exclude=exclude)
