"""The loss of GRACE: a node against all other nodes of both views."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._across import AcrossRanks, check_across_ranks
from graphcl.losses._checks import check_temperature
from graphcl.losses._objective import Objective
from graphcl.losses.nt_xent import nt_xent

__all__ = ["GRACE", "grace"]


def grace(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " n"]] = (),
    across_ranks: AcrossRanks = False,
) -> Float[Tensor, ""]:
    r"""Node contrast with negatives from the other view and from the node's own view, averaged over both directions.

    .. math:: \ell(u_i, v_i) = -\log \frac{e^{\theta(u_i, v_i)/\tau}}
        {e^{\theta(u_i, v_i)/\tau} + \sum_{k \ne i} e^{\theta(u_i, v_k)/\tau}
        + \sum_{k \ne i} e^{\theta(u_i, u_k)/\tau}},
        \qquad L = \frac1{2N} \sum_i [\ell(u_i, v_i) + \ell(v_i, u_i)]

    with the cosine as theta (of projected embeddings: the projection head is the caller's). A node is never its own
    negative. The value is that of :func:`nt_xent`, under the name and in the notation of the graph literature.

    Args:
        z1: ``[N, D]`` projected node embeddings u of the first view.
        z2: ``[N, D]`` projected node embeddings v of the second view, row by row of the same nodes.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Group vectors ``[N]``: nodes that share a group in any of them are not each other's negatives.
            -1 is no group.
        across_ranks: Whether, and how, to contrast with the rows of all ranks, as in :func:`nt_xent`.

    Returns:
        A scalar, the mean over the nodes and both directions.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> z = torch.eye(2)
        >>> round(grace(z, z, temperature=1.0).item(), 4)  # log(e + 1 + 1) - 1
        0.5514

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020, section 3.2.1.
    """
    return nt_xent(
        z1,
        z2,
        temperature=temperature,
        positive_in_denominator=positive_in_denominator,
        exclude=exclude,
        across_ranks=across_ranks,
    )


class GRACE(Objective):
    """Node contrast across and within views; see :func:`grace`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        across_ranks: Whether, and how, to contrast with the rows of all ranks.

    Example:
        >>> GRACE(temperature=0.4)
        GRACE(temperature=0.4, positive_in_denominator=True, across_ranks=False)
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
        return grace(
            z1,
            z2,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
            across_ranks=self.across_ranks,
        )
