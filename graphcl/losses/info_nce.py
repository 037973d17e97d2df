"""InfoNCE: tell the other view of an item from the other views of all other items."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.distributed import world
from graphcl.losses._across import AcrossRanks, all_ranks, check_across_ranks
from graphcl.losses._checks import as_temperature, check_temperature, check_views
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import barred_groups
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["InfoNCE", "info_nce"]


def info_nce(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    symmetric: bool = False,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    across_ranks: AcrossRanks = False,
) -> Float[Tensor, ""]:
    r"""Cross-view contrast of N items, each against the N - 1 others in the other view.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{s_{ii}/\tau}}{[e^{s_{ii}/\tau}] + \sum_{j \ne i} e^{s_{ij}/\tau}},
        \qquad s_{ij} = \cos(z^1_i, z^2_j)

    The bracketed term is there with ``positive_in_denominator``, as in most papers. Without it the loss is the one of
    GraphCL (of the paper and the authors' code) and can be negative. Computed in float32 or better.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        temperature: tau > 0; a tensor gets a gradient.
        symmetric: Average with the same loss from the second view to the first.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: items that share a group in any of them (a label, a scaffold, the hash of a
            duplicate graph) are not each other's negatives. -1 is no group. An item without a negative costs 0.
        across_ranks: Whether, and how, to contrast with the rows of all ranks; see below.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> z = torch.eye(2)
        >>> round(info_nce(z, z, temperature=1.0).item(), 4)  # log(1 + 1/e)
        0.3133

    Across ranks: with ``across_ranks=True`` every rank of a ``torch.distributed`` process group calls this with its own
    rows, and the negatives are the rows of all. Ranks may have unequal rows, also one or none. Groups are compared
    across ranks. A rank's value is its part W / n times the sum of its rows' costs, for W ranks with n rows in all: the
    mean over the ranks of the values is the loss of one process with all the rows, and the gradient that
    ``DistributedDataParallel`` averages is exactly that of this process, also for the temperature. The rows of all
    ranks are gathered (``"gather"``, the same as True) or passed round a ring that never holds them all (``"ring"``).
    No second derivatives then. In a single process nothing changes. :mod:`graphcl.distributed` has an example.

    Source: van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018, equation 4;
    You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020, the loss of the
    paper and of the authors' code.
    """
    check_across_ranks(across_ranks)
    check_views(z1, z2, least=0 if across_ranks and world() > 1 else 2)
    temperature = as_temperature(temperature)
    batch = all_ranks(z1, across_ranks)
    barred = barred_groups(z1, exclude, batch=batch)
    return mean_contrast(
        unit_rows(z1),
        unit_rows(z2),
        barred,
        scale=1.0 / temperature,
        positive_in_denominator=positive_in_denominator,
        symmetric=symmetric,
        batch=batch,
    )


class InfoNCE(Objective):
    """Cross-view contrast; see :func:`info_nce`.

    Args:
        temperature: tau > 0.
        symmetric: Average both directions.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        across_ranks: Whether, and how, to contrast with the rows of all ranks.

    Example:
        >>> import torch
        >>> loss = InfoNCE(temperature=0.2, positive_in_denominator=False)  # the form of GraphCL
        >>> loss(torch.eye(3), torch.eye(3)).item() < 0
        True
    """

    def __init__(
        self,
        *,
        temperature: float = 0.5,
        symmetric: bool = False,
        positive_in_denominator: bool = True,
        across_ranks: AcrossRanks = False,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        check_across_ranks(across_ranks)
        self.temperature = temperature
        self.symmetric = symmetric
        self.positive_in_denominator = positive_in_denominator
        self.across_ranks = across_ranks

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return info_nce(
            z1,
            z2,
            temperature=self.temperature,
            symmetric=self.symmetric,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            across_ranks=self.across_ranks,
        )
