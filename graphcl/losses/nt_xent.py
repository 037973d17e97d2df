"""NT-Xent: every embedding against all others of both views."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphcl.losses._checks import check_temperature, check_views, unit_rows
from graphcl.similarity import logsumexp

__all__ = ["NTXent", "nt_xent"]


def nt_xent(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
) -> Float[Tensor, ""]:
    r"""Normalised temperature-scaled cross entropy over the 2N embeddings of both views.

    .. math:: L = -\frac1{2N} \sum_{i=1}^{2N} \log
        \frac{e^{s_{ip(i)}/\tau}}{\sum_{j \ne i} e^{s_{ij}/\tau}}, \qquad s_{ij} = \cos(z_i, z_j)

    where p(i) is the other view of i. An item's negatives are the other items in *both* views; :func:`info_nce` takes
    them from the other view alone. Computed in float32 or better.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: False leaves the positive pair out of the denominator (the form of GraphCL's code).

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.ones(4, 3)
        >>> round(nt_xent(z, z).item(), 4)  # all equal: log(2N - 1)
        1.9459

    Source: Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, equation 1.
    """
    check_views(z1, z2)
    check_temperature(temperature)
    z = unit_rows(torch.cat([z1, z2]))
    n = z1.size(0)
    positive = ((z[:n] * z[n:]).sum(1) / temperature).repeat(2)
    item = torch.arange(n, device=z.device).repeat(2)  # excludes both the pair of a row with itself and its positive
    negatives = logsumexp(z, z, scale=1.0 / temperature, exclude=[(item, item)])
    denominator = torch.logaddexp(positive, negatives) if positive_in_denominator else negatives
    return (denominator - positive).mean()


class NTXent(nn.Module):
    """Contrast over both views; see :func:`nt_xent`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> NTXent(temperature=0.1)
        NTXent(temperature=0.1, positive_in_denominator=True)
    """

    def __init__(self, *, temperature: float = 0.5, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return nt_xent(z1, z2, temperature=self.temperature, positive_in_denominator=self.positive_in_denominator)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, positive_in_denominator={self.positive_in_denominator}"
