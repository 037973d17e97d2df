"""Estimators for millions of rows and mild temperatures: sampled negatives, with exact moments as a control variate."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from graphcl._arguments import check_whole
from graphcl.losses._checks import as_temperature, check_temperature, check_views
from graphcl.losses._negatives import log_sum, mean_cost
from graphcl.losses._numerics import log_size, unit_views, widened
from graphcl.losses._objective import Objective
from graphcl.losses._sample import sample_items
from graphcl.similarity._fold import unit_rows
from graphcl.similarity._precision import product

__all__ = ["MomentInfoNCE", "MomentNTXent", "moment_info_nce", "moment_nt_xent"]

_LEAST_TEMPERATURE = 0.3


def moment_info_nce(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    samples: int = 1024,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    generator: Generator | None = None,
) -> Float[Tensor, ""]:
    r"""An estimate, not the exact value, of :func:`info_nce`: sampled negatives corrected by the moments of all.

    .. math:: \sum_{j \ne i} e^{x_{ij}} \approx \sum_{j \ne i} P(x_{ij})
        + \frac NK \sum_{j \in S,\, j \ne i} \big[ e^{x_{ij}} - P(x_{ij}) \big], \qquad P(x) = 1 + x + \tfrac{x^2}2

    with x = cosine / tau and a sample S of K items, shared by all rows. The first sum is exact and needs no pairs: it
    is a quadratic form in the sum and the second moments of the embeddings. What is left to sampling is what e^x has
    beyond its parabola, so the right side is unbiased and varies far less than :func:`sampled_info_nce` where tau is
    mild. Where tau is small the parabola says little: below 0.3 it is refused. O(NKD + ND^2), and exact for K >= N.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        samples: K, the number of items whose embeddings are met in full.
        temperature: tau >= 0.3; a tensor (not checked) gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        generator: Where the seed of the sample comes from; if None torch's default generator, in a method its step.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the temperature is below 0.3, or samples is not
            positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.eye(4)  # off the diagonal x = 0, where the parabola is exact
        >>> round(moment_info_nce(z, z, samples=1, temperature=1.0).item(), 4)  # log(e + 3) - 1
        0.7437

    Source: control variates are textbook Monte Carlo; what is estimated is equation 4 of van den Oord, Li, Vinyals,
    "Representation Learning with Contrastive Predictive Coding", 2018.
    Differs from the paper: the denominator is an estimate, kept at its least possible value (N - 1) exp(-1 / tau) where
    an unlucky sample puts it below that.
    """
    check_views(z1, z2)
    samples = check_whole("samples", samples, 1)
    _check_mild(temperature)
    temperature = as_temperature(temperature)
    z1, z2 = (unit_rows(z) for z in widened(z1, z2))
    n = z1.size(0)
    item = torch.arange(n, device=z1.device)
    drawn = sample_items(n, samples, generator, z1.device)
    positive = (z1 * z2).sum(1) / temperature
    negatives = _log_negatives(z1, z2, item, item, drawn, positive[:, None], temperature)
    return mean_cost(positive, negatives, positive_in_denominator=positive_in_denominator)


def moment_nt_xent(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    samples: int = 1024,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    generator: Generator | None = None,
) -> Float[Tensor, ""]:
    r"""An estimate, not the exact value, of :func:`nt_xent` (and :func:`grace`); see :func:`moment_info_nce`.

    Each row meets the moments of all 2N embeddings, and both views of K sampled items.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        samples: K, the number of items whose embeddings are met in full.
        temperature: tau >= 0.3; a tensor (not checked) gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        generator: Where the seed of the sample comes from; if None torch's default generator, in a method its step.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the temperature is below 0.3, or samples is not
            positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.eye(2)
        >>> round(moment_nt_xent(z, z, samples=1, temperature=1.0).item(), 4)  # log(e + 2) - 1
        0.5514

    Source: control variates are textbook Monte Carlo; what is estimated is equation 1 of Chen, Kornblith, Norouzi,
    Hinton, "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.
    Differs from the paper: the denominator is an estimate, kept at its least possible value (2N - 2) exp(-1 / tau)
    where an unlucky sample puts it below that.
    """
    check_views(z1, z2)
    samples = check_whole("samples", samples, 1)
    _check_mild(temperature)
    temperature = as_temperature(temperature)
    n = z1.size(0)
    z = unit_views(z1, z2)
    item = torch.arange(n, device=z.device)
    drawn = sample_items(n, samples, generator, z.device)
    positive = ((z[:n] * z[n:]).sum(1) / temperature).repeat(2)
    own = torch.stack([positive, z.square().sum(1) / temperature], 1)
    rows = torch.cat([drawn, drawn + n])
    negatives = _log_negatives(z, z, item.repeat(2), item.repeat(2), rows, own, temperature)
    return mean_cost(positive, negatives, positive_in_denominator=positive_in_denominator)


def _parabola(x: Tensor) -> Tensor:
    return 1 + x + x.square() / 2


def _parabola_sum(query: Tensor, key: Tensor, temperature: float | Tensor) -> Tensor:
    """Sum of P(<q, k> / tau) over all keys, for each query, in O((M + N) D^2)."""
    linear = product(query, key.sum(0)[:, None]).squeeze(1) / temperature
    quadratic = (product(query, product(key.T, key)) * query).sum(1) / (2 * temperature * temperature)
    return key.size(0) + linear + quadratic


def _log_negatives(
    query: Tensor,
    key: Tensor,
    query_item: Tensor,
    key_item: Tensor,
    rows: Tensor,
    own: Tensor,
    temperature: float | Tensor,
) -> Tensor:
    """Log of the estimated sum over keys of other items; ``own`` [M, .] holds x for the keys of a query's own item."""
    own_cost = _parabola(own).sum(1)
    everything = _parabola_sum(query, key, temperature) - own_cost
    # An item is sampled with all its keys or none, in the order of `rows`; so is a query's own.
    is_drawn = torch.zeros(key.size(0), dtype=torch.bool, device=key.device)
    is_drawn[key_item[rows]] = True
    sampled_parabola = _parabola_sum(query, key[rows], temperature) - own_cost * is_drawn[query_item]
    sampled = log_sum(query, key[rows], scale=1.0 / temperature, exclude=[(query_item, key_item[rows])]).exp()
    estimate = everything + key.size(0) / rows.numel() * (sampled - sampled_parabola)
    least = log_size(key.size(0) - own.size(1), key) - 1.0 / temperature + torch.zeros_like(estimate)
    return torch.log(torch.maximum(estimate, least.exp()))


def _check_mild(temperature: float | Tensor) -> None:
    check_temperature(temperature)
    if not isinstance(temperature, Tensor) and temperature < _LEAST_TEMPERATURE:
        raise ValueError(
            f"expected a temperature of at least {_LEAST_TEMPERATURE}, got {temperature!r}: below it the moments say "
            "little about the denominator. Use the exact loss, or the sampled one"
        )


class MomentInfoNCE(Objective):
    """An estimator of InfoNCE for many rows and mild temperatures; see :func:`moment_info_nce`.

    Args:
        samples: The number of items whose embeddings are met in full.
        temperature: tau >= 0.3.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> MomentInfoNCE(samples=256)
        MomentInfoNCE(samples=256, temperature=0.5, positive_in_denominator=True)
    """

    def __init__(self, *, samples: int = 1024, temperature: float = 0.5, positive_in_denominator: bool = True) -> None:
        super().__init__()
        _check_mild(temperature)
        self.samples = check_whole("samples", samples, 1)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z1: Tensor, z2: Tensor, *, generator: Generator | None = None) -> Tensor:
        return moment_info_nce(
            z1,
            z2,
            samples=self.samples,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            generator=generator,
        )


class MomentNTXent(Objective):
    """An estimator of NT-Xent for many rows and mild temperatures; see :func:`moment_nt_xent`.

    Args:
        samples: The number of items whose embeddings are met in full.
        temperature: tau >= 0.3.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> MomentNTXent(samples=256)
        MomentNTXent(samples=256, temperature=0.5, positive_in_denominator=True)
    """

    def __init__(self, *, samples: int = 1024, temperature: float = 0.5, positive_in_denominator: bool = True) -> None:
        super().__init__()
        _check_mild(temperature)
        self.samples = check_whole("samples", samples, 1)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z1: Tensor, z2: Tensor, *, generator: Generator | None = None) -> Tensor:
        return moment_nt_xent(
            z1,
            z2,
            samples=self.samples,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            generator=generator,
        )
