"""Group discrimination: is this node of the true graph or of the corrupted one?"""

from jaxtyping import Float
from torch import Tensor

from graphcl.losses._checks import check_alike, check_rows
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective
from graphcl.losses.dgi_bce import dgi_bce

__all__ = ["GroupDiscrimination", "group_discrimination"]


def group_discrimination(real: Float[Tensor, "n d"], corrupted: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    r"""Binary cross entropy over both groups of nodes, each scored by the sum of its embedding.

    .. math:: L = -\frac1{N + M} \Big[ \sum_i \log \sigma\big(\textstyle\sum_d h_{id}\big)
        + \sum_j \log \big(1 - \sigma\big(\textstyle\sum_d \hat h_{jd}\big)\big) \Big]

    Linear in everything: no node is compared with another.

    Args:
        real: ``[N, D]`` projected embeddings h of the true graph's nodes.
        corrupted: ``[M, D]`` projected embeddings of the corrupted graph's nodes (features shuffled).

    Returns:
        A scalar, the mean over all nodes.

    Raises:
        ValueError: The widths differ or there are no rows.
        TypeError: The embeddings are not floating point.

    Example:
        >>> import torch
        >>> round(group_discrimination(torch.ones(4, 2), -torch.ones(4, 2)).item(), 4)  # log(1 + e^-2)
        0.1269

    Source: Zheng, Pan, Lee, Zheng, Yu, "Rethinking and Scaling Up Graph Contrastive Learning: An Extremely Efficient
    Approach with Group Discrimination", NeurIPS 2022.
    """
    check_rows("real", real)
    check_rows("corrupted", corrupted)
    check_alike(real=real, corrupted=corrupted)
    real, corrupted = widened(real, corrupted)
    return dgi_bce(real.sum(1), corrupted.sum(1))


class GroupDiscrimination(Objective):
    """Binary cross entropy over two groups of nodes; see :func:`group_discrimination`.

    Example:
        >>> import torch
        >>> GroupDiscrimination()(torch.zeros(4, 2), torch.zeros(4, 2))
        tensor(0.6931)
    """

    def forward(self, real: Tensor, corrupted: Tensor) -> Tensor:
        return group_discrimination(real, corrupted)
