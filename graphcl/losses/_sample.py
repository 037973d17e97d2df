"""A random choice of items that serve as everybody's negatives."""

import torch
from torch import Generator, Tensor

from graphcl._random import hash_ids, seed_from

__all__ = ["sample_items"]


@torch.compiler.disable  # hashes of integers, partly in numpy: nothing for a compiler
def sample_items(count: int, samples: int, generator: Generator | None, device: torch.device) -> Tensor:
    """``[min(samples, count)]`` distinct items in order, each equally likely: those of the smallest hashes."""
    keys = hash_ids(seed_from(generator), torch.arange(count, device=device))
    return keys.topk(min(samples, count), largest=False).indices.sort().values
