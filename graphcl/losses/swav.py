"""SwAV: predict the cluster of one view from the other, with clusters of equal size."""

import torch
from jaxtyping import Float
from torch import Tensor

from graphcl._arguments import check_whole
from graphcl.losses._checks import (
    as_temperature,
    check_alike,
    check_positive,
    check_rows,
    check_temperature,
    check_views,
)
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows
from graphcl.similarity._precision import product

__all__ = ["SwAV", "sinkhorn", "swav"]


def swav(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    prototypes: Float[Tensor, "k d"],
    *,
    temperature: float | Tensor = 0.1,
    epsilon: float = 0.05,
    iterations: int = 3,
) -> Float[Tensor, ""]:
    r"""Swapped prediction of soft cluster assignments.

    .. math:: L = -\frac1{2N} \sum_i \Big[ \sum_k q^{2}_{ik} \log p^{1}_{ik} + \sum_k q^{1}_{ik} \log p^{2}_{ik} \Big],
        \qquad p_{ik} = \frac{e^{z_i \cdot c_k/\tau}}{\sum_l e^{z_i \cdot c_l/\tau}}

    with all vectors at length one. The codes q of each view are its similarities to the prototypes balanced by
    :func:`graphcl.losses.functional.sinkhorn`; they get no gradient.

    Args:
        z1: ``[N, D]`` embeddings of the first view; any length, they are normalised here.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        prototypes: ``[K, D]`` learnable cluster centres; any length, they are normalised here.
        temperature: tau > 0 of the predictions; a tensor gets a gradient.
        epsilon: > 0, the smoothness of the codes.
        iterations: Rounds of balancing.

    Returns:
        A scalar, the mean over the items and both directions.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two rows, temperature or epsilon is not positive, or
            there is no iteration.
        TypeError: The embeddings are not floating point.

    Example:
        >>> z = torch.eye(2)
        >>> round(swav(z, z, z, temperature=1.0, epsilon=0.01).item(), 4)  # hard codes: log(1 + 1/e)
        0.3133

    Source: Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, "Unsupervised Learning of Visual Features by Contrasting
    Cluster Assignments", NeurIPS 2020.
    Differs from the authors' code: prototypes are brought to length one in the loss, so that their gradient is of the
    direction alone, where there they are after each step of the optimiser.
    """
    check_views(z1, z2)
    check_rows("prototypes", prototypes)
    check_alike(z1=z1, z2=z2, prototypes=prototypes)
    temperature = as_temperature(temperature)
    check_positive("epsilon", epsilon)
    iterations = check_whole("iterations", iterations, 1)
    z1, z2, prototypes = widened(z1, z2, prototypes)
    z, centres = unit_rows(torch.cat([z1, z2])), unit_rows(prototypes)
    scores = product(z, centres.T).view(2, *z1.shape[:1], centres.size(0))
    codes = _balanced(scores, epsilon, iterations).flip(0)
    return -(codes * torch.log_softmax(scores / temperature, 2)).sum(2).mean()


def sinkhorn(scores: Float[Tensor, "n k"], *, epsilon: float = 0.05, iterations: int = 3) -> Float[Tensor, "n k"]:
    r"""Soft assignments of N items to K clusters that use all clusters equally.

    Starts from exp(scores / epsilon) and in turn scales every cluster to the sum N / K and every item to the sum 1; in
    logarithms, so that no epsilon overflows. Without gradient.

    Args:
        scores: ``[N, K]`` similarities.
        epsilon: > 0; smaller is closer to a hard assignment.
        iterations: Rounds; the rows sum to 1 after each, the columns to N / K in the limit.

    Returns:
        ``[N, K]``, each row a distribution; computed in float32 at least.

    Raises:
        ValueError: ``epsilon`` is not positive, there is no iteration, or no item or cluster.
        TypeError: ``scores`` is not a tensor.

    Example:
        >>> sinkhorn(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).round(decimals=4)
        tensor([[0., 1.],
                [1., 0.]])

    Source: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013, as Caron, Misra,
    Mairal, Goyal, Bojanowski, Joulin, "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    NeurIPS 2020, use it for the codes.
    """
    check_positive("epsilon", epsilon)
    iterations = check_whole("iterations", iterations, 1)
    if not isinstance(scores, Tensor):
        raise TypeError(f"expected scores to be a tensor, got {type(scores).__name__}")
    if scores.dim() != 2 or 0 in scores.shape:
        raise ValueError(f"expected scores [N, K] of at least one item and cluster, got {list(scores.shape)}")
    codes = _balanced(scores.to(torch.promote_types(scores.dtype, torch.float32)), epsilon, iterations)
    return codes.to(scores.dtype) if scores.is_floating_point() else codes


@torch.no_grad()
def _balanced(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """The codes of ``[..., N, K]`` scores; to scale all clusters alike would have no effect, so each is scaled to 1."""
    log_codes = scores.detach() / epsilon
    for _ in range(iterations - 1):
        log_codes = torch.log_softmax(torch.log_softmax(log_codes, -2), -1)
    return torch.softmax(torch.log_softmax(log_codes, -2), -1)


class SwAV(Objective):
    """Swapped prediction of soft cluster assignments; see :func:`swav`.

    Args:
        temperature: tau > 0 of the predictions.
        epsilon: > 0, the smoothness of the codes.
        iterations: Rounds of balancing.

    Example:
        >>> SwAV(epsilon=0.03)
        SwAV(temperature=0.1, epsilon=0.03, iterations=3)
    """

    def __init__(self, *, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3) -> None:
        super().__init__()
        check_temperature(temperature)
        check_positive("epsilon", epsilon)
        self.temperature = temperature
        self.epsilon = epsilon
        self.iterations = check_whole("iterations", iterations, 1)

    def forward(self, z1: Tensor, z2: Tensor, prototypes: Tensor) -> Tensor:
        return swav(z1, z2, prototypes, temperature=self.temperature, epsilon=self.epsilon, iterations=self.iterations)
