"""Rings around some nodes: who is one step away, who two, for all graphs of a batch at once."""

import torch
from torch import Tensor

from graphcl._random import Key
from graphcl.augment._graph import Graph
from graphcl.augment._select import smallest_k

__all__ = ["nearest", "rings"]

_FAR = (1 << 15) - 1


def rings(graph: Graph, start: Tensor, *, hops: int | None = None, wanted: Tensor | None = None) -> Tensor:
    """``[N]`` the number of steps from the nodes ``start`` [N] to each node, -1 where it was not reached.

    The search ends after ``hops`` steps, in each graph as soon as ``wanted`` [G] nodes are reached, or at dead ends.
    """
    src, dst = graph.edge_index
    ring = start.long() - 1
    hop = 0
    while hops is None or hop < hops:
        near = torch.zeros_like(start).index_fill_(0, dst[(ring == hop).index_select(0, src)], True)
        near &= ring < 0
        if wanted is not None:
            found = torch.zeros_like(graph.sizes).index_add_(0, graph.batch, (ring >= 0).long())
            near &= (found < wanted).index_select(0, graph.batch)
        if not bool(near.any()):
            break
        hop += 1
        ring.masked_fill_(near, hop)
    return ring


def nearest(graph: Graph, key: Key, ring: Tensor, k: Tensor) -> Tensor:
    """``[N]`` true for the ``k[g]`` nodes of each graph in the lowest rings, at random in the one that is cut.

    Those in no ring (-1) are left out.
    """
    # One number that puts near nodes first, those of one ring by hash, and what is out of reach last: smallest_k
    # compares without signs.
    chance = (graph.node_hashes(key) >> 16).bitwise_and_((1 << 48) - 1)
    rank = torch.where(ring >= 0, (ring.clamp(max=_FAR) << 48) | chance, -1)
    return smallest_k(rank, graph.batch, k, graph.sizes) & (ring >= 0)
