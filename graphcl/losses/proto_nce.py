"""ProtoNCE: tell the prototype of an item's cluster from the other prototypes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import check_alike, check_floating, check_ids, check_index, check_positive, check_rows
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._objective import Objective
from graphcl.similarity._checks import is_readable
from graphcl.similarity._fold import unit_rows

__all__ = ["ProtoNCE", "concentrations", "proto_nce"]


def proto_nce(
    z: Float[Tensor, "n d"],
    prototypes: Float[Tensor, "k d"],
    assignment: Int[Tensor, " n"],
    concentration: Float[Tensor, " k"],
) -> Float[Tensor, ""]:
    r"""The prototype term of prototypical contrastive learning, for one clustering.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{z_i \cdot c_{a(i)}/\phi_{a(i)}}}{\sum_k e^{z_i \cdot c_k/\phi_k}}

    with all vectors at length one, the cluster a(i) of item i, and a temperature phi for each cluster
    (:func:`graphcl.losses.functional.concentrations`). The paper's loss adds an instance term, :func:`info_nce` or
    :func:`moco`, and averages this one over several clusterings.

    Args:
        z: ``[N, D]`` embeddings; any length, they are normalised here.
        prototypes: ``[K, D]`` cluster centres, such as k-means on the momentum encoder's embeddings finds. No gradient.
        assignment: ``[N]`` the cluster of each item.
        concentration: ``[K]`` phi > 0. No gradient.

    Returns:
        A scalar, the mean over the items.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two prototypes, a cluster is out of range, or a
            concentration is not positive.
        TypeError: The embeddings are not floating point, or the assignment is not of integers.

    Example:
        >>> z = torch.eye(2)
        >>> round(proto_nce(z, z, torch.tensor([0, 1]), torch.ones(2)).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: Li, Zhou, Xiong, Hoi, "Prototypical Contrastive Learning of Unsupervised Representations", ICLR 2021,
    equation 11, second term.
    Differs from the paper: all other prototypes are negatives, not a sample of them.
    """
    _check(z, prototypes, assignment)
    check_floating("concentration", concentration)
    if concentration.shape != prototypes.shape[:1]:
        raise ValueError(f"expected concentration of shape [{prototypes.size(0)}], got {list(concentration.shape)}")
    if concentration.device != z.device:
        raise ValueError(f"expected concentration on {z.device}, got {concentration.device}")
    if is_readable(concentration) and not concentration.min() > 0:
        raise ValueError(f"expected a positive concentration for each cluster, got {concentration.min().item()}")
    z, assignment = unit_rows(z), assignment.long()
    # Divided by its own temperature a prototype serves all items, with one scale for all pairs.
    sharp = unit_rows(prototypes.detach()) / concentration.detach().to(z.dtype)[:, None]
    return mean_contrast(z, sharp, [(assignment, torch.arange(sharp.size(0), device=z.device))], scale=1.0)


def concentrations(
    z: Float[Tensor, "n d"],
    prototypes: Float[Tensor, "k d"],
    assignment: Int[Tensor, " n"],
    *,
    alpha: float = 10.0,
    temperature: float = 0.1,
) -> Float[Tensor, " k"]:
    r"""A temperature for each cluster, low where its items lie close together.

    .. math:: \phi_k = \frac{\sum_{i: a(i) = k} \lVert z_i - c_k \rVert}{n_k \log(n_k + \alpha)}

    scaled so that their mean is ``temperature``. A cluster with one item or none, which would get 0, gets the largest.

    Args:
        z: ``[N, D]`` embeddings by the momentum encoder; any length, they are normalised here.
        prototypes: ``[K, D]`` cluster centres; any length, they are normalised here.
        assignment: ``[N]`` the cluster of each item.
        alpha: > 0, keeps small clusters from extremes.
        temperature: > 0, the mean of the result.

    Returns:
        ``[K]``, without gradient.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two prototypes, a cluster is out of range, or alpha or
            temperature is not positive.
        TypeError: The embeddings are not floating point, or the assignment is not of integers.

    Example:
        >>> z = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [-1, 0.1]])
        >>> phi = concentrations(z, z[::2], torch.tensor([0, 0, 1, 1]))
        >>> bool(phi[0] > phi[1]), round(phi.mean().item(), 4)
        (True, 0.1)

    Source: Li, Zhou, Xiong, Hoi, "Prototypical Contrastive Learning of Unsupervised Representations", ICLR 2021, the
    concentration estimate.
    Differs from the authors' code: that cuts phi off at its 10th and 90th percentile before it is scaled, and takes the
    distances to the means themselves, not at length one.
    """
    _check(z, prototypes, assignment)
    check_positive("alpha", alpha)
    check_positive("temperature", temperature)
    with torch.no_grad():
        z, centres, assignment = unit_rows(z), unit_rows(prototypes), assignment.long()
        distance = torch.linalg.vector_norm(z - centres.index_select(0, assignment), dim=1)
        nothing = torch.zeros_like(centres[:, 0])
        total, count = (nothing.index_add(0, assignment, x) for x in (distance, torch.ones_like(distance)))
        phi = total / (count * torch.log(count + alpha)).clamp(min=1)
        phi = phi.masked_fill(count < 2, 0)  # how far one item lies off says nothing of a cluster
        tight = (count < 2) | (phi <= 4 * torch.finfo(z.dtype).eps)
        phi = torch.where(tight, phi.max(), phi)
        phi = torch.where(phi.max() <= 4 * torch.finfo(z.dtype).eps, 1.0, phi)  # every item lies on its centre
        return phi * temperature / phi.mean()


def _check(z: Tensor, prototypes: Tensor, assignment: Tensor) -> None:
    check_rows("z", z)
    check_rows("prototypes", prototypes, least=2)
    check_alike(z=z, prototypes=prototypes)
    check_ids("assignment", assignment, z.size(0), z.device)
    check_index("assignment", assignment, prototypes.size(0))


class ProtoNCE(Objective):
    """The prototype term of prototypical contrastive learning; see :func:`proto_nce`.

    Example:
        >>> loss = ProtoNCE()
        >>> loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.full((2,), 0.1)).shape
        torch.Size([])
    """

    def forward(self, z: Tensor, prototypes: Tensor, assignment: Tensor, concentration: Tensor) -> Tensor:
        return proto_nce(z, prototypes, assignment, concentration)
