"""k of d without replacement, for many d at once and without looking at all d."""

import numpy as np
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
    # Where the number drawn in a round stands already, the round's highest takes its place: no round had it yet.
    if sizes.device.type == "cpu":
        numbers, highest = chosen.numpy(), top.numpy()  # numpy compares rows in less than half the time
        for i in range(1, k):
            np.copyto(numbers[i], highest[i], where=(numbers[:i] == numbers[i]).any(0))
        return chosen
    return _without_repeats(chosen, top)


def _without_repeats(chosen: Tensor, top: Tensor) -> Tensor:
    for i in range(1, chosen.size(0)):
        torch.where((chosen[:i] == chosen[i]).any(0), top[i], chosen[i], out=chosen[i])
    return chosen
