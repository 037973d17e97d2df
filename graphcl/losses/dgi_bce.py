"""The loss of Deep Graph Infomax: true pairs score high, corrupted ones low."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from graphcl.losses._checks import check_floating
from graphcl.losses._objective import Objective

__all__ = ["DGIBCE", "dgi_bce"]


def dgi_bce(positive: Float[Tensor, " n"], negative: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""Binary cross entropy of a discriminator's scores.

    .. math:: L = -\frac1{N + M} \Big[ \sum_i \log \sigma(a_i) + \sum_j \log(1 - \sigma(b_j)) \Big]

    The scores are the discriminator's before the sigmoid; in DGI, a_i = h_i W s for the nodes of the graph and
    b_j = h'_j W s for those of a corrupted one.

    Args:
        positive: ``[N]`` scores a of true pairs.
        negative: ``[M]`` scores b of corrupted pairs.

    Returns:
        A scalar, the mean over all pairs; log 2 where all scores are 0.

    Raises:
        ValueError: The scores are not vectors, or one is empty.
        TypeError: The scores are not floating point.

    Example:
        >>> import torch
        >>> round(dgi_bce(torch.tensor([2.0]), torch.tensor([-2.0])).item(), 4)  # log(1 + e^-2)
        0.1269

    Source: Velickovic, Fedus, Hamilton, Lio, Bengio, Hjelm, "Deep Graph Infomax", ICLR 2019, the objective.
    """
    for name, scores in (("positive", positive), ("negative", negative)):
        check_floating(name, scores)
        if scores.dim() != 1 or scores.numel() == 0:
            raise ValueError(f"expected {name} scores of shape [N] with N > 0, got {list(scores.shape)}")
    if positive.device != negative.device:
        raise ValueError(f"expected positive and negative on one device, got {positive.device} and {negative.device}")
    positive, negative = (z if z.element_size() > 4 else z.float() for z in (positive, negative))
    return -(logsigmoid(positive).sum() + logsigmoid(-negative).sum()) / (positive.numel() + negative.numel())


class DGIBCE(Objective):
    """Binary cross entropy of a discriminator's scores; see :func:`dgi_bce`.

    Example:
        >>> import torch
        >>> DGIBCE()(torch.zeros(3), torch.zeros(5))
        tensor(0.6931)
    """

    def forward(self, positive: Tensor, negative: Tensor) -> Tensor:
        return dgi_bce(positive, negative)
