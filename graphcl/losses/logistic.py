"""Pairwise logistic contrast (SigLIP): is this pair of the same item, yes or no."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphcl.losses._blocks import by_blocks
from graphcl.losses._checks import (
    check_one_number,
    check_one_positive,
    check_positive,
    check_start,
    check_views,
    check_within,
)
from graphcl.losses._negatives import barred_groups, shares_group, stack_groups
from graphcl.losses._numerics import as_number, number_beside, softplus, widened
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows
from graphcl.similarity._precision import product

__all__ = ["Logistic", "logistic"]


def logistic(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    *,
    scale: float | Tensor = 10.0,
    bias: float | Tensor = -10.0,
    exclude: Sequence[Int[Tensor, " n"]] = (),
) -> Float[Tensor, ""]:
    r"""Binary cross entropy over all N^2 pairs of views, N of which are of one item.

    .. math:: L = -\frac1N \sum_i \Big[ \log \sigma(t s_{ii} + b) + \sum_{j \ne i} \log \sigma(-t s_{ij} - b) \Big],
        \qquad s_{ij} = \cos(z^1_i, z^2_j)

    The pairs are independent, so no row is normalised by its sum. All count, in memory linear in N.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        scale: t > 0, the inverse temperature; a tensor gets a gradient.
        bias: b, about minus the log of the number of negatives; a tensor gets a gradient.
        exclude: Group vectors ``[N]``: items that share a group in any of them form no negative pair. -1 is no group.

    Returns:
        A scalar, the sum over the pairs divided by N.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, the scale is not positive, or the bias not
            finite.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> z = torch.eye(2)
        >>> round(logistic(z, z, scale=1.0, bias=0.0).item(), 4)  # log(1 + 1/e) + log(2)
        1.0064

    Source: Zhai, Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, section 3.2.
    """
    check_views(z1, z2)
    if isinstance(scale, Tensor):
        check_one_positive("scale", scale)
    else:
        check_positive("scale", scale)
    if isinstance(bias, Tensor):
        check_one_number("bias", bias)
    else:
        check_within("bias", bias, -math.inf)
    own, theirs = stack_groups(barred_groups(z1, exclude))
    z1, z2 = (unit_rows(z) for z in widened(z1, z2))
    slope, offset = (number_beside(z1, value) for value in (scale, bias))

    def negatives(query: Tensor, own: Tensor, key: Tensor, theirs: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
        scores = product(slope * query, key.T) + offset
        return softplus(scores).masked_fill(shares_group(own, theirs), 0).sum(1)

    positive = softplus(-slope * (z1 * z2).sum(1) - offset)
    others = [z2, theirs, slope, offset]
    return (positive + by_blocks(negatives, [z1, own], others, columns=z2.size(0))).mean()


class Logistic(Objective):
    """Pairwise logistic contrast with a learnable scale and bias; see :func:`logistic`.

    Args:
        scale: t > 0 at the start; its logarithm is the parameter ``log_scale``.
        bias: b at the start; the parameter ``bias_term``.

    Example:
        >>> loss = Logistic()
        >>> sorted(name for name, _ in loss.named_parameters())
        ['bias_term', 'log_scale']
    """

    def __init__(self, *, scale: float = 10.0, bias: float = -10.0) -> None:
        super().__init__()
        check_start("scale", scale, "log_scale", "logistic")
        check_start("bias", bias, "bias_term", "logistic")
        check_positive("scale", scale)
        check_within("bias", bias, -math.inf)
        self.scale = scale
        self.bias = bias
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias_term = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, z1: Tensor, z2: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return logistic(z1, z2, scale=as_number(self.log_scale).exp(), bias=self.bias_term, exclude=exclude)
