"""Supervised contrast: several positives per row, from labels or from a list of pairs."""

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_ids, check_index, check_rows, check_temperature
from graphcl.losses._contrast import in_one_matrix
from graphcl.losses._numerics import softplus
from graphcl.losses._objective import Objective
from graphcl.losses._positives import mean_cost_of_matrix
from graphcl.similarity._fold import unit_rows
from graphcl.similarity.engine import log_sums

__all__ = ["SupCon", "SupConPairs", "sup_con", "sup_con_pairs"]

# Tiles take no longer for more pairs, but one matrix keeps more digits of several positives than sums apart can.
PAIRS = 1 << 16


def sup_con(
    z: Float[Tensor, "n d"],
    labels: Integer[Tensor, " n"],
    *,
    temperature: float | Tensor = 0.1,
    positive_in_denominator: bool = True,
) -> Float[Tensor, ""]:
    r"""Supervised contrast: the rows of one label are each other's positives.

    .. math:: L = \frac1{|A|} \sum_{i \in A} \frac{-1}{|P(i)|} \sum_{p \in P(i)}
        \log \frac{e^{s_{ip}/\tau}}{\sum_{a \ne i} e^{s_{ia}/\tau}}, \qquad s_{ij} = \cos(z_i, z_j)

    P(i) holds the other rows with the label of i, A the rows where it is not empty; this is L_out of the paper, the
    mean outside the logarithm. For two views concatenate them: ``sup_con(torch.cat([z1, z2]), labels.repeat(2))``.
    The sum over positives is a product with the sum of their class, so the cost beyond the denominators is linear.

    Args:
        z: ``[N, D]`` embeddings of any length; they are normalised here.
        labels: ``[N]`` integers; -1 is unlabelled: a negative for all others, and left out of the mean.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: False leaves the positives of a row out of its denominator; a row without a negative
            then costs 0.

    Returns:
        A scalar, the mean over the rows that have a positive; 0 if none has.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the labels are not integers.

    Example:
        >>> z = torch.eye(2).repeat(2, 1)
        >>> round(sup_con(z, torch.tensor([0, 1, 0, 1]), temperature=1.0).item(), 4)  # log(e + 2) - 1
        0.5514

    Source: Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, "Supervised Contrastive Learning",
    NeurIPS 2020, equation 2.
    Differs from the authors' code (in PyTorch): no factor of temperature / base temperature, and rows without a
    positive are left out of the mean instead of counting as 0 (in its older versions: as NaN).
    """
    check_rows("z", z, least=2)
    check_ids("labels", labels, z.size(0), z.device)
    temperature = as_temperature(temperature)
    z, labels = unit_rows(z), labels.long()  # among bytes, -1 would be 255
    labelled = labels != -1
    if in_one_matrix(len(z) ** 2, PAIRS):
        item = torch.arange(z.size(0), device=z.device)
        alike = (labels[:, None] == labels) & labelled & (item[:, None] != item)
        return mean_cost_of_matrix(z, alike.to(z.dtype), 1.0 / temperature, positive_in_denominator)
    group = _numbered(labels)
    one = z.new_ones(z.size(0))
    sums = torch.zeros_like(z).index_add(0, group, z)
    others = torch.zeros_like(one).index_add(0, group, one)[group] - 1
    agreement = (z * (sums[group] - z)).sum(1)
    others = others.masked_fill(~labelled, 0)
    apart = labelled & ((others == 1) | (not positive_in_denominator))
    log_sum = _log_sum(z, temperature, [(group.masked_fill(~apart, -1), group)])
    return _mean_cost(agreement, others, log_sum, temperature, positive_in_denominator)


def sup_con_pairs(
    z: Float[Tensor, "n d"],
    positives: Int[Tensor, "2 p"],
    *,
    temperature: float | Tensor = 0.1,
    positive_in_denominator: bool = True,
) -> Float[Tensor, ""]:
    r"""Contrast with a list of positive pairs: neighbours, similar fingerprints, several views.

    The formula of :func:`sup_con`, where P(i) holds the rows p with (i, p) in the list.

    Args:
        z: ``[N, D]`` embeddings of any length; they are normalised here.
        positives: ``[2, P]`` row numbers (i, p), like an ``edge_index``: p counts as a positive of i only; list both
            orders if both are meant. A pair twice counts twice; a row with itself is ignored.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: False leaves the positives of a row out of its denominator; a row without a negative
            then costs 0.

    Returns:
        A scalar, the mean over the rows that have a positive; 0 if none has.

    Raises:
        ValueError: The shapes do not fit, a row number is out of range, there are fewer than two rows, or the
            temperature is not positive.
        TypeError: The embeddings are not floating point, or the row numbers are not integers.

    Example:
        >>> z = torch.eye(2).repeat(2, 1)
        >>> pairs = torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1]])
        >>> round(sup_con_pairs(z, pairs, temperature=1.0).item(), 4)
        0.5514

    Source: Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, "Supervised Contrastive Learning",
    NeurIPS 2020, equation 2.
    """
    check_rows("z", z, least=2)
    if not isinstance(positives, Tensor) or positives.dim() != 2 or positives.size(0) != 2:
        got = list(positives.shape) if isinstance(positives, Tensor) else type(positives).__name__
        raise ValueError(f"expected positives of shape [2, P], got {got}")
    check_ids("positives", positives[0], positives.size(1), z.device)
    check_index("positives", positives, z.size(0))
    temperature = as_temperature(temperature)
    z = unit_rows(z)
    anchor, partner = positives.long()
    real = (anchor != partner).to(z.dtype)
    if in_one_matrix(len(z) ** 2, PAIRS):
        times = z.new_zeros(z.size(0), z.size(0)).index_put((anchor, partner), real, accumulate=True)
        return mean_cost_of_matrix(z, times, 1.0 / temperature, positive_in_denominator)
    cosine = (z[anchor] * z[partner]).sum(1) * real
    nothing = z.new_zeros(z.size(0))
    agreement, count = (nothing.index_add(0, anchor, part) for part in (cosine, real))
    apart = (count[anchor] == 1) | (not positive_in_denominator)
    skip = torch.stack([anchor, torch.where(apart, partner, anchor)])
    return _mean_cost(agreement, count, _log_sum(z, temperature, [], skip), temperature, positive_in_denominator)


def _numbered(labels: Tensor) -> Tensor:
    """The labels as numbers from 0; by sorting, which has no output of unknown size that a GPU would wait for."""
    order = labels.argsort()
    change = labels[order].diff(prepend=labels[order[:1]]) != 0
    return torch.empty_like(order).scatter(0, order, change.long().cumsum(0))


def _log_sum(
    z: Tensor, temperature: float | Tensor, barred: list[tuple[Tensor, Tensor]], skip: Tensor | None = None
) -> Tensor:
    """``[N]`` log of the sum over the other rows, without those of shared groups and single pairs."""
    item = torch.arange(z.size(0), device=z.device)
    exclude = [(item, item), *barred]
    return log_sums(z, None, 1.0 / temperature, exclude, skip=skip)[0]


def _mean_cost(
    agreement: Tensor, positives: Tensor, log_sum: Tensor, temperature: float | Tensor, inside: bool
) -> Tensor:
    """Mean of log R_i - (sum of the positives' cosines) / (tau x their number) over rows with a positive.

    ``log_sum`` is log R_i or, of a row with one positive, the same without it: a nearly solved pair would cancel.
    """
    gap = log_sum - agreement / positives.clamp(min=1) / temperature
    cost = torch.where(positives == 1, softplus(gap), gap) if inside else gap
    has = positives > 0
    # A row whose every other row is a positive has nothing below the line when these are left out.
    return cost.masked_fill(~has | cost.isneginf(), 0).sum() / has.sum().clamp(min=1)


class SupCon(Objective):
    """Supervised contrast by labels; see :func:`sup_con`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positives of a row count in its denominator.

    Example:
        >>> SupCon()
        SupCon(temperature=0.1, positive_in_denominator=True)
    """

    def __init__(self, *, temperature: float = 0.1, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return sup_con(z, labels, temperature=self.temperature, positive_in_denominator=self.positive_in_denominator)


class SupConPairs(Objective):
    """Contrast with a list of positive pairs; see :func:`sup_con_pairs`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positives of a row count in its denominator.

    Example:
        >>> SupConPairs(temperature=0.2)
        SupConPairs(temperature=0.2, positive_in_denominator=True)
    """

    def __init__(self, *, temperature: float = 0.1, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z: Tensor, positives: Tensor) -> Tensor:
        return sup_con_pairs(
            z, positives, temperature=self.temperature, positive_in_denominator=self.positive_in_denominator
        )
