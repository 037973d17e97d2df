"""k of d without replacement, for many d at once and without looking at all d."""

import torch
from torch import Tensor

from graphcl._random import hash_ids, randint

__all__ = ["k_of_each"]


def k_of_each(sizes: Tensor, k: int, keys: Tensor) -> Tensor:
    """``[k, n]`` in column i, k different numbers below ``sizes[i]``; every set of k is equally likely.

    Args:
        sizes: ``[n]`` int64, none smaller than k.
        keys: ``[n]`` what the choice of each column is a function of.

    Source: Floyd's algorithm, in Bentley and Floyd, "Programming pearls: a sample of brilliance", Communications of the
    ACM 30, 1987: k rounds whatever the sizes, so that a hub with a million neighbours costs no more than any other.
    """
    turn = torch.arange(k, device=sizes.device)[:, None]
    top = sizes - k + turn
    chosen = randint(hash_ids(keys, turn), top + 1)
    for i in range(1, k):
        # The number drawn in round i stands already: the round's highest takes its place, which no round had yet.
        taken = (chosen[:i] == chosen[i]).any(0)
        torch.where(taken, top[i], chosen[i], out=chosen[i])
    return chosen
