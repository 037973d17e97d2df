"""Prototypes: cluster centres, learned with the network or found by k-means."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._random import Key, hash_ids

__all__ = ["Prototypes", "kmeans"]

PAIRS = 1 << 22  # of items and centres, in memory at a time


class Prototypes(nn.Module):
    """Learnable unit vectors that embeddings are assigned to, as SwAV's loss wants them.

    Call :meth:`normalise_` after every step of the optimiser.

    Args:
        channels: D, the width of the embeddings.
        num_prototypes: K.

    Raises:
        ValueError: There are fewer than two prototypes, or ``channels`` is below 1.

    Example:
        >>> prototypes = Prototypes(4, 10)
        >>> prototypes(torch.randn(3, 4)).shape
        torch.Size([3, 10])

    Source: Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, "Unsupervised Learning of Visual Features by Contrasting
    Cluster Assignments", NeurIPS 2020.
    """

    def __init__(self, channels: int, num_prototypes: int = 32) -> None:
        super().__init__()
        if channels < 1 or num_prototypes < 2:
            raise ValueError(f"expected channels >= 1 and num_prototypes >= 2, got {channels} and {num_prototypes}")
        self.weight = nn.Parameter(torch.empty(num_prototypes, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw them anew, evenly over all directions."""
        nn.init.normal_(self.weight)
        self.normalise_()

    @torch.no_grad()
    def normalise_(self) -> None:
        """Bring every prototype back to length one."""
        self.weight.copy_(F.normalize(self.weight))

    def forward(self, z: Tensor) -> Tensor:
        """``[N, K]`` the cosine of each of ``z`` ``[N, D]`` with each prototype."""
        return F.normalize(z) @ F.normalize(self.weight).T

    def extra_repr(self) -> str:
        return f"{self.weight.size(1)}, num_prototypes={self.weight.size(0)}"


@torch.no_grad()
def kmeans(z: Tensor, num_clusters: int, *, key: Key = 0, iterations: int = 10) -> tuple[Tensor, Tensor]:
    """Lloyd's k-means from distinct rows as first centres, on the device where the rows lie.

    Args:
        z: ``[N, D]`` floating point.
        num_clusters: K, at most N.
        key: The stream of the choice of the first centres: the same key, the same clusters.
        iterations: Rounds of assignment and averaging. A centre that loses all of its rows stays where it is.

    Returns:
        ``[K, D]`` the centres and ``[N]`` the nearest centre of each row.

    Raises:
        ValueError: There are fewer rows than clusters, or an argument is below 1.

    Example:
        >>> centres, assignment = kmeans(torch.tensor([[0.0], [0.2], [5.0], [5.2]]), 2)
        >>> centres.sort(0).values.flatten()
        tensor([0.1000, 5.1000])

    Source: Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory, 1982.
    """
    if num_clusters < 1 or iterations < 1:
        raise ValueError(f"expected num_clusters and iterations of at least 1, got {num_clusters} and {iterations}")
    if z.dim() != 2 or z.size(0) < num_clusters:
        raise ValueError(f"expected z of shape [N, D] with N >= {num_clusters}, got {list(z.shape)}")
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    mean = z.mean(0)  # clusters move with the rows; squares of what all rows share would drown what they do not
    z = z - mean
    centres = z[hash_ids(key, torch.arange(z.size(0), device=z.device)).argsort()[:num_clusters]]
    for _ in range(iterations):
        assignment = _nearest(z, centres)
        sums = torch.zeros_like(centres).index_add_(0, assignment, z)
        counts = torch.bincount(assignment, minlength=num_clusters)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres + mean, _nearest(z, centres)


def _nearest(z: Tensor, centres: Tensor) -> Tensor:
    # |z - c|^2 less |z|^2, which is the same for all centres.
    offset = centres.square().sum(1) / 2
    step = max(1, PAIRS // centres.size(0))
    with torch.autocast(z.device.type, enabled=False):
        parts = [(part @ centres.T - offset).argmax(1) for part in z.split(step)]
    return torch.cat(parts)
