"""JOAO: a probability for every pair of augmentations, moved towards the pairs that are hard to tell apart."""

import math

import torch
from torch import Tensor, nn

from graphcl._arguments import check_whole
from graphcl._random import Key, hash_ids, uniform

__all__ = ["JOAO", "project_to_simplex"]


def project_to_simplex(point: Tensor) -> Tensor:
    """The probabilities nearest to ``point``: max(point - mu, 0), with the one mu for which they sum to one.

    Args:
        point: A tensor of finite numbers, of any shape; one distribution over all of its elements.

    Returns:
        float64, of the same shape.

    Raises:
        ValueError: ``point`` is empty or not finite.

    Example:
        >>> project_to_simplex(torch.tensor([0.5, 0.75, -3.0])).tolist()
        [0.375, 0.625, 0.0]

    Source: Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for learning in high
    dimensions", ICML 2008.
    """
    if point.numel() == 0 or not bool(point.isfinite().all()):
        raise ValueError(f"expected at least one number, all of them finite, got {point.tolist()}")
    # The largest is subtracted first: the projection is the same, and large numbers lose no digits in the sums.
    flat = point.flatten().double()
    flat = flat - flat.max()
    ordered = flat.sort(descending=True).values
    excess = (ordered.cumsum(0) - 1) / torch.arange(1, flat.numel() + 1, device=flat.device)
    # Of the elements in order, exactly the first few stay above the mu that they would give.
    mu = excess[(ordered > excess).sum() - 1]
    return (flat - mu).clamp(min=0).reshape(point.shape)


class JOAO(nn.Module):
    """The distribution that JOAO learns over pairs of augmentations, against the encoder.

    The encoder minimises the loss; the distribution p maximises it, held near the uniform one::

        max_p  sum_ij p_ij loss_ij - gamma / 2 * sum_ij (p_ij - 1 / K)^2

    by one step of projected gradient ascent per :meth:`update`. A method draws a pair by :meth:`sample` for each batch
    (or for each graph), and calls ``update`` with the mean loss of every pair, once per epoch as the paper does.
    The distribution is a buffer, so it is part of ``state_dict``.

    Args:
        num_augmentations: How many augmentations there are to choose from.
        pairs: A distribution over ordered pairs of them, ``[A, A]``; else over single ones, ``[A]``, for one view.
        gamma: How strongly the distribution is held near the uniform one, at least 0.
        step: The step of the ascent, above 0.

    Raises:
        ValueError: There is no augmentation, ``gamma`` is negative, or ``step`` not positive.
        TypeError: ``num_augmentations`` is no whole number.

    Example:
        >>> joao = JOAO(3, gamma=0.1)
        >>> joao.sample(key=0)
        (0, 0)
        >>> joao.update(torch.eye(3))  # equal augmentations are the hardest to tell apart
        >>> joao.probabilities.diagonal().sum().item()
        1.0

    Source: You, Chen, Shen, Wang, "Graph Contrastive Learning Automated", ICML 2021; the defaults are those of the
    authors' code for unsupervised learning on TU data.
    Differs from the authors' code: the projection is exact, where that finds mu by bisection, until the sum is within
    0.01 of 1, and renormalises.
    """

    probabilities: Tensor

    def __init__(self, num_augmentations: int, *, pairs: bool = True, gamma: float = 0.1, step: float = 1.0) -> None:
        super().__init__()
        check_whole("num_augmentations", num_augmentations, 1)
        if not (gamma >= 0 and math.isfinite(gamma)):
            raise ValueError(f"expected gamma >= 0 (the weight of the distance from uniform), got {gamma}")
        if not (step > 0 and math.isfinite(step)):
            raise ValueError(f"expected step > 0, got {step}")
        self.num_augmentations, self.pairs = num_augmentations, pairs
        self.gamma, self.step = gamma, step
        shape = (num_augmentations,) * (2 if pairs else 1)
        size = math.prod(shape)
        self.register_buffer("probabilities", torch.full(shape, 1 / size, dtype=torch.float64))

    def sample(self, key: Key) -> tuple[int, ...]:
        """The numbers of the augmentations that belong to ``key``: two, or one without ``pairs``."""
        device = self.probabilities.device
        chosen = self.sample_each(torch.as_tensor(key, dtype=torch.int64, device=device).reshape(1))
        return tuple(chosen[0].tolist())

    def sample_each(self, keys: Tensor) -> Tensor:
        """``[G, 2]`` (or ``[G, 1]``) an independent choice for each of G keys, int64 such as ``fold`` makes them."""
        total = self.probabilities.flatten().cumsum(0)
        hashes = hash_ids(keys, torch.zeros_like(keys))
        at = uniform(hashes).to(total.device) * total[-1]
        # The last one that ends at or below the draw is passed; one of probability 0 begins where it ends.
        place = torch.searchsorted(total, at, right=True)
        place = place.clamp(max=int(self.probabilities.numel()) - 1)
        return torch.stack(torch.unravel_index(place, self.probabilities.shape), 1)

    @torch.no_grad()
    def update(self, losses: Tensor) -> None:
        """One step of projected gradient ascent.

        Args:
            losses: The mean loss of each pair, in the shape of ``probabilities``.

        Raises:
            ValueError: The shape is another one, or a loss is not finite.
        """
        p = self.probabilities
        if losses.shape != p.shape:
            raise ValueError(f"expected a loss for each choice, {list(p.shape)}, got {list(losses.shape)}")
        if not bool(losses.isfinite().all()):
            raise ValueError(f"expected finite losses, got {losses.tolist()}; measure every pair before an update")
        gradient = losses.to(p) - self.gamma * (p - 1 / p.numel())
        p.copy_(project_to_simplex(p + self.step * gradient))

    def extra_repr(self) -> str:
        return f"{self.num_augmentations}, pairs={self.pairs}, gamma={self.gamma}, step={self.step}"
