"""Debiased contrast: corrects the negatives for the share of them that are of the anchor's own class."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_temperature, check_views
from graphcl.losses._debias import check_class_prior, debiased_cost
from graphcl.losses._negatives import barred_groups, log_count, log_sum
from graphcl.losses._numerics import log_size, unit_views
from graphcl.losses._objective import Objective

__all__ = ["Debiased", "debiased"]


def debiased(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    class_prior: float = 0.1,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Contrast over both views with a correction for false negatives.

    .. math:: L = -\frac1{2N} \sum_i \log \frac{e^{s_{ip(i)}/\tau}}{e^{s_{ip(i)}/\tau} + N_g}, \qquad
        N_g = \max\Big\{ \frac{\sum_{j \notin \{i, p(i)\}} e^{s_{ij}/\tau} - n \tau^+ e^{s_{ip(i)}/\tau}}{1 - \tau^+},
        \; n e^{-1/\tau} \Big\}

    with the cosine s, the other view p(i) of i, n = 2N - 2 negatives (fewer with ``exclude``), and the chance tau+ that
    a negative is of the anchor's class, which the positive pair stands for. At tau+ = 0 it is :func:`nt_xent`.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        class_prior: tau+ in [0, 1); about one over the number of classes.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group. An item without a negative costs 0.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the temperature is not positive, or the class
            prior is outside [0, 1).
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> z = torch.ones(4, 3)
        >>> round(debiased(z, z).item(), 4)  # all equal: log(1 + n), whatever tau+
        1.9459

    Source: Chuang, Robinson, Lin, Torralba, Jegelka, "Debiased Contrastive Learning", NeurIPS 2020, the estimator with
    one positive sample, as in the authors' code.
    """
    check_views(z1, z2)
    temperature = as_temperature(temperature)
    check_class_prior(class_prior)
    barred = barred_groups(z1, exclude, copies=2)
    n = z1.size(0)
    z = unit_views(z1, z2)
    positive = ((z[:n] * z[n:]).sum(1) / temperature).repeat(2)
    negatives = log_sum(z, z, scale=1.0 / temperature, exclude=barred)
    log_n = log_count(z, z, barred) if len(exclude) > 0 else log_size(2 * n - 2, z)
    return debiased_cost(positive, negatives, log_n, class_prior, temperature)


class Debiased(Objective):
    """Debiased contrast; see :func:`debiased`.

    Args:
        temperature: tau > 0.
        class_prior: tau+ in [0, 1), the chance that a negative is of the anchor's class.

    Example:
        >>> Debiased(class_prior=0.05)
        Debiased(temperature=0.5, class_prior=0.05)
    """

    def __init__(self, *, temperature: float = 0.5, class_prior: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature)
        check_class_prior(class_prior)
        self.temperature = temperature
        self.class_prior = class_prior

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return debiased(z1, z2, temperature=self.temperature, class_prior=self.class_prior, exclude=exclude)
