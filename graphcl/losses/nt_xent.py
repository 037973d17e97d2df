"""NT-Xent: every embedding against all others of both views."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.distributed import world
from graphcl.losses._across import AcrossRanks, all_ranks, check_across_ranks
from graphcl.losses._checks import as_temperature, check_temperature, check_views
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import barred_groups
from graphcl.losses._numerics import unit_views
from graphcl.losses._objective import Objective

__all__ = ["NTXent", "nt_xent"]


def nt_xent(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    across_ranks: AcrossRanks = False,
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
        positive_in_denominator: Whether the positive pair counts in the denominator; without it the value is that of
            :func:`dcl`.
        exclude: Group vectors ``[N]``: items that share a group in any of them (a label, a scaffold, the hash of a
            duplicate graph) are not each other's negatives. -1 is no group. An item without a negative costs 0.
        across_ranks: Whether, and how, to contrast with the rows of all ranks; see below.

    Returns:
        A scalar, the mean over the 2N embeddings.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> z = torch.ones(4, 3)
        >>> round(nt_xent(z, z).item(), 4)  # all equal: log(2N - 1)
        1.9459

    Across ranks: with ``across_ranks=True`` every rank of a ``torch.distributed`` process group calls this with its own
    rows, and the negatives are the rows of all. Ranks may have unequal rows, also one or none. Groups are compared
    across ranks. A rank's value is its part W / n times the sum of its rows' costs, for W ranks with n rows in all: the
    mean over the ranks of the values is the loss of one process with all the rows, and the gradient that
    ``DistributedDataParallel`` averages is exactly that of this process, also for the temperature. The rows of all
    ranks are gathered (``"gather"``, the same as True) or passed round a ring that never holds them all (``"ring"``).
    No second derivatives then. In a single process nothing changes. :mod:`graphcl.distributed` has an example.

    Source: Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, equation 1.
    """
    check_across_ranks(across_ranks)
    check_views(z1, z2, least=0 if across_ranks and world() > 1 else 2)
    temperature = as_temperature(temperature)
    batch = all_ranks(z1, across_ranks, copies=2)
    # A row is barred from itself and from its positive, which is added apart.
    barred = barred_groups(z1, exclude, copies=2, batch=batch)
    z = unit_views(z1, z2)
    return mean_contrast(
        z,
        z,
        barred,
        scale=1.0 / temperature,
        positive_in_denominator=positive_in_denominator,
        copies=2,
        batch=batch,
    )


class NTXent(Objective):
    """Contrast over both views; see :func:`nt_xent`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        across_ranks: Whether, and how, to contrast with the rows of all ranks.

    Example:
        >>> NTXent(temperature=0.1)
        NTXent(temperature=0.1, positive_in_denominator=True, across_ranks=False)
    """

    def __init__(
        self, *, temperature: float = 0.5, positive_in_denominator: bool = True, across_ranks: AcrossRanks = False
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        check_across_ranks(across_ranks)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator
        self.across_ranks = across_ranks

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return nt_xent(
            z1,
            z2,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            across_ranks=self.across_ranks,
        )
