"""InfoNCE: tell the other view of an item from the other views of all other items."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import Objective, check_temperature, check_views, unit_rows
from graphcl.losses._negatives import barred_groups, log_sum, log_sum_both, mean_cost

__all__ = ["InfoNCE", "info_nce"]


def info_nce(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    symmetric: bool = False,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Cross-view contrast of N items, each against the N - 1 others in the other view.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{s_{ii}/\tau}}{[e^{s_{ii}/\tau}] + \sum_{j \ne i} e^{s_{ij}/\tau}},
        \qquad s_{ij} = \cos(z^1_i, z^2_j)

    The bracketed term is there with ``positive_in_denominator``, as in most papers. Without it the loss is the one of
    GraphCL (equation 3 of the paper and the authors' code) and can be negative. Computed in float32 or better.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        symmetric: Average with the same loss from the second view to the first.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: items that share a group in any of them (a label, a scaffold, the hash of a
            duplicate graph) are not each other's negatives. -1 is no group. An item without a negative costs 0.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups no integers.

    Example:
        >>> import torch
        >>> z = torch.eye(2)
        >>> round(info_nce(z, z, temperature=1.0).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018, equation 4;
    You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, equation 3.
    """
    check_views(z1, z2)
    check_temperature(temperature)
    barred = barred_groups(z1, exclude)
    z1, z2 = unit_rows(z1), unit_rows(z2)
    positive = (z1 * z2).sum(1) / temperature

    # The positive stays out of the sum over pairs, where a nearly solved pair would cancel; it is added openly.
    scale = 1.0 / temperature
    sums = (
        log_sum_both(z1, z2, scale=scale, exclude=barred)
        if symmetric
        else (log_sum(z1, z2, scale=scale, exclude=barred),)
    )
    costs = [mean_cost(positive, negatives, positive_in_denominator=positive_in_denominator) for negatives in sums]
    return sum(costs[1:], costs[0]) / len(costs)


class InfoNCE(Objective):
    """Cross-view contrast; see :func:`info_nce`.

    Args:
        temperature: tau > 0.
        symmetric: Average both directions.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> import torch
        >>> loss = InfoNCE(temperature=0.2, positive_in_denominator=False)  # the form of GraphCL
        >>> loss(torch.eye(3), torch.eye(3)).item() < 0
        True
    """

    def __init__(
        self, *, temperature: float = 0.5, symmetric: bool = False, positive_in_denominator: bool = True
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.symmetric = symmetric
        self.positive_in_denominator = positive_in_denominator

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return info_nce(
            z1,
            z2,
            temperature=self.temperature,
            symmetric=self.symmetric,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
        )
