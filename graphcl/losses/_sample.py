"""A random choice of items that serve as everybody's negatives."""

import torch
from torch import Generator, Tensor

from graphcl._arguments import plain
from graphcl._random import hash_ids, seed_from

__all__ = ["check_samples", "sample_items"]


def check_samples(samples: int) -> None:
    """A number of items to draw."""
    if isinstance(samples, bool) or not isinstance(plain(samples), int) or samples < 1:
        raise ValueError(f"expected samples to be a positive integer, got {samples!r}")


@torch.compiler.disable  # hashes of integers, partly in numpy: nothing for a compiler
def sample_items(count: int, samples: int, generator: Generator | None, device: torch.device) -> Tensor:
    """``[min(samples, count)]`` distinct items in order, each equally likely: those of the smallest hashes."""
    keys = hash_ids(seed_from(generator), torch.arange(count, device=device))
    return keys.topk(min(samples, count), largest=False).indices.sort().values
