"""Hard negatives: the closer a negative, the more it weighs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_temperature, check_views, check_within
from graphcl.losses._debias import check_class_prior, debiased_cost
from graphcl.losses._negatives import barred_groups, log_count, log_sum
from graphcl.losses._numerics import log_size, unit_views
from graphcl.losses._objective import Objective

__all__ = ["HardNegative", "hard_negative"]


def hard_negative(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    concentration: float = 1.0,
    class_prior: float = 0.1,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Debiased contrast with negatives weighted by their similarity.

    .. math:: L = -\frac1{2N} \sum_i \log \frac{e^{x_{ip(i)}}}{e^{x_{ip(i)}} + N_g}, \qquad
        N_g = \max\Big\{ \frac{n}{1 - \tau^+} \Big[ \frac{\sum_j e^{(1 + \beta) x_{ij}}}{\sum_j e^{\beta x_{ij}}}
        - \tau^+ e^{x_{ip(i)}} \Big], \; n e^{-1/\tau} \Big\}, \qquad x_{ij} = \cos(z_i, z_j)/\tau

    where p(i) is the other view of i and j runs over the n = 2N - 2 others (fewer with ``exclude``). The ratio is the
    mean of e^x over negatives drawn in proportion to e^(beta x): two log-sum-exps at two scales. At beta = 0 it is
    :func:`debiased`, and with tau+ = 0 as well :func:`nt_xent`.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        concentration: beta >= 0; larger looks at harder negatives.
        class_prior: tau+ in [0, 1); about one over the number of classes.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group. An item without a negative costs 0.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the temperature is not positive, the concentration
            is negative, or the class prior is outside [0, 1).
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.ones(4, 3)
        >>> round(hard_negative(z, z).item(), 4)  # all equal: log(1 + n), whatever the settings
        1.9459

    Source: Robinson, Chuang, Sra, Jegelka, "Contrastive Learning with Hard Negative Samples", ICLR 2021, with
    importance weights proportional to exp(beta x), as in the authors' code.
    """
    check_views(z1, z2)
    temperature = as_temperature(temperature)
    check_within("concentration", concentration, 0)
    check_class_prior(class_prior)
    barred = barred_groups(z1, exclude, copies=2)
    n = z1.size(0)
    z = unit_views(z1, z2)
    positive = ((z[:n] * z[n:]).sum(1) / temperature).repeat(2)
    log_n = log_count(z, z, barred) if len(exclude) > 0 else log_size(2 * n - 2, z)
    if concentration == 0:
        negatives = log_sum(z, z, scale=1.0 / temperature, exclude=barred)
    else:
        scales = [(1.0 + concentration) / temperature, concentration / temperature]
        negatives, weights = log_sum(z, z, scale=scales, exclude=barred)
        # A row without a negative has both at -inf, where their difference is NaN: there it stays -inf.
        negatives = negatives - weights.masked_fill(weights == -torch.inf, 0) + log_n
    return debiased_cost(positive, negatives, log_n, class_prior, temperature)


class HardNegative(Objective):
    """Contrast with weighted negatives; see :func:`hard_negative`.

    Args:
        temperature: tau > 0.
        concentration: beta >= 0; larger looks at harder negatives.
        class_prior: tau+ in [0, 1), the chance that a negative is of the anchor's class.

    Example:
        >>> HardNegative(concentration=0.5)
        HardNegative(temperature=0.5, concentration=0.5, class_prior=0.1)
    """

    def __init__(self, *, temperature: float = 0.5, concentration: float = 1.0, class_prior: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature)
        check_within("concentration", concentration, 0)
        check_class_prior(class_prior)
        self.temperature = temperature
        self.concentration = concentration
        self.class_prior = class_prior

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return hard_negative(
            z1,
            z2,
            temperature=self.temperature,
            concentration=self.concentration,
            class_prior=self.class_prior,
            exclude=exclude,
        )
