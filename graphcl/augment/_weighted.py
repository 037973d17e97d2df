"""Dropping with a probability of its own for every element, and how a mean probability is spread over elements."""

import torch
from torch import Tensor

from graphcl._random import Key, below, hash_ids
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph

__all__ = ["drop_by_probability", "segment_max", "segment_sum", "spread"]

_EQUAL = 1e-8


def segment_sum(values: Tensor, ptr: Tensor) -> Tensor:
    """``[G]`` sums of the runs of ``values`` [M] that begin at ``ptr`` [G + 1], each added up in its own order."""
    return torch.segment_reduce(values, "sum", offsets=ptr, axis=0)


def segment_max(values: Tensor, ptr: Tensor) -> Tensor:
    """``[G]`` the largest of each run of ``values`` [M]; minus infinity for an empty one."""
    return torch.segment_reduce(values, "max", offsets=ptr, axis=0)


def spread(amount: Tensor, ptr: Tensor, mean: float, cutoff: float) -> Tensor:
    """``[M]`` probabilities in proportion to ``amount`` [M] (at least 0), with the given mean in each run of ``ptr``.

    None is above ``cutoff``, which lowers the mean. Where no amount differs from zero, all get the mean.
    """
    counts = ptr.diff()
    group = torch.repeat_interleave(counts, output_size=amount.numel())
    average = (segment_sum(amount, ptr) / counts.clamp(min=1)).index_select(0, group)
    level = average <= _EQUAL
    ratio = torch.where(level, 1.0, amount / average.masked_fill(level, 1.0))
    return (ratio * mean).clamp(max=cutoff)


def drop_by_probability(graph: Graph, key: Key, drop: Tensor, *, directed: bool) -> Edit:
    """Drop each edge with its own probability ``drop`` [E]; edges that join the same two nodes share one draw."""
    src, dst = graph.local.index_select(0, graph.edge_index.flatten()).view(2, -1)
    if not directed:
        src, dst = torch.maximum(src, dst), torch.minimum(src, dst)
    hashes = hash_ids(graph.keys(key).index_select(0, graph.edge_batch), (src << 32) | dst)
    return Edit(keep_edges=~below(hashes, drop))
