"""Rings around some nodes: who is one step away, who two, for all graphs of a batch at once."""

import torch
from torch import Tensor

from graphcl._host import where
from graphcl._random import Key, hash_ids
from graphcl.augment._graph import Graph
from graphcl.augment._select import smallest_k

__all__ = ["nearest", "rings"]


def rings(graph: Graph, start: Tensor, *, hops: int | None = None, wanted: Tensor | None = None) -> Tensor:
    """``[N]`` the number of steps from the nodes ``start`` [N] to each node, -1 where it was not reached.

    The search ends after ``hops`` steps, in each graph as soon as ``wanted`` [G] nodes are reached, or at dead ends.
    """
    src, dst = graph.edge_index
    ring = start.long() - 1
    if wanted is not None:
        # Few walks end too early: then few edges are left to look at.
        edges = where((_reached(graph, ring) < wanted).index_select(0, graph.edge_batch))
        src, dst = src.index_select(0, edges), dst.index_select(0, edges)
    hop = 0
    while hops is None or hop < hops:
        near = dst[ring.index_select(0, src) == hop]
        new = ring.index_select(0, near) < 0
        if wanted is not None:
            new &= (_reached(graph, ring) < wanted).index_select(0, graph.batch.index_select(0, near))
        near = near[new]
        if near.numel() == 0:
            break
        hop += 1
        ring.index_fill_(0, near, hop)
    return ring


def _reached(graph: Graph, ring: Tensor) -> Tensor:
    """``[G]`` how many nodes of each graph lie in a ring."""
    return torch.searchsorted(where(ring >= 0), graph.ptr).diff()


def nearest(graph: Graph, key: Key, ring: Tensor, k: Tensor) -> Tensor:
    """``[N]`` true for the ``k[g]`` nodes of each graph in the lowest rings, at random in the one that is cut.

    Those in no ring (-1) are left out. The rings are those of a search for ``wanted=k``: there is room for all of a
    graph's rings but the last one.
    """
    nodes = where(ring >= 0)
    home = graph.batch.index_select(0, nodes)
    hashes = hash_ids(graph.keys(key).index_select(0, home), nodes - graph.ptr.index_select(0, home))
    # One number that puts the last ring behind the others, and its nodes in the order of their hashes.
    ring_of = ring.index_select(0, nodes)
    last = ring_of.new_zeros(k.numel()).scatter_reduce_(0, home, ring_of, "amax")
    chance = (hashes >> 16).bitwise_and_((1 << 48) - 1)
    rank = ((ring_of == last.index_select(0, home)).long() << 48) | chance
    sizes = torch.searchsorted(nodes, graph.ptr).diff()
    chosen = smallest_k(rank, home, torch.minimum(k, sizes), sizes)
    return torch.zeros_like(ring, dtype=torch.bool).scatter_(0, nodes, chosen)
