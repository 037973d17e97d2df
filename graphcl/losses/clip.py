"""CLIP: symmetric contrast of two modalities with a learnable temperature."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphcl.losses._across import AcrossRanks, check_across_ranks
from graphcl.losses._checks import check_start, check_temperature
from graphcl.losses._numerics import as_number
from graphcl.losses._objective import Objective
from graphcl.losses.info_nce import info_nce

__all__ = ["CLIP", "clip"]

_LARGEST_SCALE = 100.0


def clip(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.07,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    across_ranks: AcrossRanks = False,
) -> Float[Tensor, ""]:
    r"""Contrast of the same items in two modalities, such as a graph and its text, or a molecule in 2D and 3D.

    .. math:: L = -\frac1{2N} \sum_i \Big[ \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}
        + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \Big], \qquad s_{ij} = \cos(z^1_i, z^2_j)

    Negatives are of the other modality only. The value is that of :func:`info_nce` with ``symmetric=True``.

    Args:
        z1: ``[N, D]`` embeddings in the first modality; any length, they are normalised here.
        z2: ``[N, D]`` embeddings in the second modality, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: items that share a group in any of them are not each other's negatives.
            -1 is no group.
        across_ranks: Whether, and how, to contrast with the rows of all ranks, as in :func:`info_nce`.

    Returns:
        A scalar, the mean over the items and both directions.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.eye(2)
        >>> round(clip(z, z, temperature=1.0).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: Radford, Kim, Hallacy, Ramesh, Goh, Agarwal, Sastry, Askell, Mishkin, Clark, Krueger, Sutskever, "Learning
    Transferable Visual Models From Natural Language Supervision", ICML 2021, figure 3.
    """
    return info_nce(
        z1,
        z2,
        temperature=temperature,
        symmetric=True,
        positive_in_denominator=positive_in_denominator,
        exclude=exclude,
        across_ranks=across_ranks,
    )


class CLIP(Objective):
    """Cross-modal contrast with a learnable temperature; see :func:`clip`.

    The parameter ``log_scale`` is log(1 / tau); as in the paper, one that makes the scale larger than 100 is set back.

    Args:
        temperature: tau > 0 at the start.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        across_ranks: Whether, and how, to contrast with the rows of all ranks.

    Example:
        >>> loss = CLIP()
        >>> loss(torch.eye(3), torch.eye(3)).backward()
        >>> loss.log_scale.grad is not None
        True
    """

    def __init__(
        self, *, temperature: float = 0.07, positive_in_denominator: bool = True, across_ranks: AcrossRanks = False
    ) -> None:
        super().__init__()
        check_start("temperature", temperature, "log_scale", "clip")
        check_temperature(temperature)
        check_across_ranks(across_ranks)
        if temperature < 1 / _LARGEST_SCALE:
            raise ValueError(f"expected a temperature of at least {1 / _LARGEST_SCALE}, got {temperature!r}")
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator
        self.across_ranks = across_ranks
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        # As the authors do. Held by the formula alone, a scale beyond the bound would get no gradient and never return.
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_LARGEST_SCALE))
        temperature = torch.exp(-as_number(self.log_scale))
        return clip(
            z1,
            z2,
            temperature=temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            across_ranks=self.across_ranks,
        )
