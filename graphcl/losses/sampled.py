"""InfoNCE and NT-Xent with the negatives of a random few items, for many rows and little time."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from graphcl._arguments import check_whole
from graphcl.losses._checks import as_temperature, check_temperature, check_views
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import barred_groups
from graphcl.losses._numerics import log_size, unit_views
from graphcl.losses._objective import Objective
from graphcl.losses._sample import sample_items
from graphcl.similarity._fold import unit_rows

__all__ = ["SampledInfoNCE", "SampledNTXent", "sampled_info_nce", "sampled_nt_xent"]


def sampled_info_nce(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    samples: int = 1024,
    temperature: float | Tensor = 0.5,
    symmetric: bool = False,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    generator: Generator | None = None,
) -> Float[Tensor, ""]:
    r"""An estimate of :func:`info_nce` from the negatives of K random items.

    .. math:: \sum_{j \ne i} e^{s_{ij}/\tau} \approx \frac NK \sum_{j \in S,\, j \ne i} e^{s_{ij}/\tau}

    S holds K of the N items, drawn without replacement and shared by all rows. The sum on the right is unbiased: each
    item is in S with chance K/N. (The loss, its logarithm, is biased low by about half the estimate's relative
    variance.) With K >= N it is exact. O(NKD) instead of O(N^2 D).

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        samples: K, the number of items whose embeddings serve as negatives.
        temperature: tau > 0; a tensor gets a gradient.
        symmetric: Average with the same loss from the second view to the first, on the same sample.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group.
        generator: Where the seed of the sample comes from; if None torch's default generator, in a method its step.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or temperature or samples is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.eye(4)
        >>> round(sampled_info_nce(z, z, samples=4, temperature=1.0).item(), 4)  # all of them: log(e + 3) - 1
        0.7437

    Source: the importance factor is textbook Monte Carlo; van den Oord, Li, Vinyals, "Representation Learning with
    Contrastive Predictive Coding", 2018, equation 4, is what it estimates.
    """
    check_views(z1, z2)
    temperature = as_temperature(temperature)
    samples = check_whole("samples", samples, 1)
    barred = barred_groups(z1, exclude)
    z1, z2 = unit_rows(z1), unit_rows(z2)
    drawn = sample_items(z1.size(0), samples, generator, z1.device)
    # Only what the sum is more than the positive counts: N / K of the one is K / N of the other.
    positive = (z1 * z2).sum(1) / temperature + log_size(drawn.numel(), z1) - log_size(z1.size(0), z1)
    few = [(groups, groups_too[drawn]) for groups, groups_too in barred]

    def one_way(query: Tensor, key: Tensor) -> Tensor:
        return mean_contrast(
            query,
            key[drawn],
            few,
            scale=1.0 / temperature,
            positive=positive,
            positive_in_denominator=positive_in_denominator,
        )

    return (one_way(z1, z2) + one_way(z2, z1)) / 2 if symmetric else one_way(z1, z2)


def sampled_nt_xent(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    samples: int = 1024,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    generator: Generator | None = None,
) -> Float[Tensor, ""]:
    r"""An estimate of :func:`nt_xent` (and :func:`grace`) from the negatives of K random items, in both views.

    As :func:`sampled_info_nce`: each row meets both views of the K items, and their sum is multiplied by N/K.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        samples: K, the number of items whose embeddings serve as negatives.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group.
        generator: Where the seed of the sample comes from; if None torch's default generator, in a method its step.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or temperature or samples is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.ones(5, 3)
        >>> round(sampled_nt_xent(z, z, samples=5).item(), 4)  # all equal, all drawn: log(2N - 1)
        2.1972

    Source: the importance factor is textbook Monte Carlo; Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for
    Contrastive Learning of Visual Representations", ICML 2020, equation 1, is what it estimates.
    """
    check_views(z1, z2)
    temperature = as_temperature(temperature)
    samples = check_whole("samples", samples, 1)
    barred = barred_groups(z1, exclude, copies=2)
    n = z1.size(0)
    z = unit_views(z1, z2)
    drawn = sample_items(n, samples, generator, z.device)
    rows = torch.cat([drawn, drawn + n])
    positive = ((z[:n] * z[n:]).sum(1) / temperature + log_size(drawn.numel(), z) - log_size(n, z)).repeat(2)
    return mean_contrast(
        z,
        z[rows],
        [(groups, groups_too[rows]) for groups, groups_too in barred],
        scale=1.0 / temperature,
        positive=positive,
        positive_in_denominator=positive_in_denominator,
    )


class SampledInfoNCE(Objective):
    """Cross-view contrast with a few items' negatives; see :func:`sampled_info_nce`.

    Args:
        samples: The number of items whose embeddings serve as negatives.
        temperature: tau > 0.
        symmetric: Average both directions.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> SampledInfoNCE(samples=256)
        SampledInfoNCE(samples=256, temperature=0.5, symmetric=False, positive_in_denominator=True)
    """

    def __init__(
        self,
        *,
        samples: int = 1024,
        temperature: float = 0.5,
        symmetric: bool = False,
        positive_in_denominator: bool = True,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.samples = check_whole("samples", samples, 1)
        self.temperature = temperature
        self.symmetric = symmetric
        self.positive_in_denominator = positive_in_denominator

    def forward(
        self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = (), generator: Generator | None = None
    ) -> Tensor:
        return sampled_info_nce(
            z1,
            z2,
            samples=self.samples,
            temperature=self.temperature,
            symmetric=self.symmetric,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            generator=generator,
        )


class SampledNTXent(Objective):
    """Contrast over both views with a few items' negatives; see :func:`sampled_nt_xent`.

    Args:
        samples: The number of items whose embeddings serve as negatives.
        temperature: tau > 0.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> SampledNTXent(samples=256)
        SampledNTXent(samples=256, temperature=0.5, positive_in_denominator=True)
    """

    def __init__(self, *, samples: int = 1024, temperature: float = 0.5, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.samples = check_whole("samples", samples, 1)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(
        self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = (), generator: Generator | None = None
    ) -> Tensor:
        return sampled_nt_xent(
            z1,
            z2,
            samples=self.samples,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            generator=generator,
        )
