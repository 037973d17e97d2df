"""Which edges lie on a cycle: all graphs of a batch at once, in tensor operations.

A spanning tree is grown breadth-first. Each edge outside the tree closes one cycle: the edge and the way between its
ends in the tree. Give it a random 64-bit number, add the number at one end and subtract it at the other. Summed over
the part of the tree below a tree edge, it cancels unless exactly one end lies there, which is when its cycle crosses
that tree edge. So a tree edge lies on a cycle if its sum is not zero (a chance cancellation has probability 2^-63).
The random numbers are hashes, and the sums wrap around in int64: exact, the same on every device.

Source: Pritchard and Thurimella, "Fast computation of small cuts via cycle space sampling", ACM Transactions on
Algorithms 7, 2011.
"""

import torch
from torch import Tensor

from graphcl._random import hash_ids

__all__ = ["components", "on_cycle"]


def on_cycle(edge_index: Tensor, num_nodes: int) -> Tensor:
    """``[E]`` true for the edges that lie on a cycle.

    Args:
        edge_index: ``[2, E]``; directions, duplicates and self-loops make no cycle.
        num_nodes: N. Time grows with (N + E) times the largest distance of a node from the first of its component.
    """
    low, high, of_edge = unordered(edge_index, num_nodes)
    _, parent, depth = _forest(low, high, num_nodes)
    down, up = parent.index_select(0, high) == low, parent.index_select(0, low) == high
    outside, proper = ~(down | up), low != high
    number = hash_ids(0, high * num_nodes + low) * (outside & proper)
    total = low.new_zeros(num_nodes + 1)  # the last one stands above the roots
    total.scatter_add_(0, low, number).scatter_add_(0, high, -number)
    above = torch.cat([parent, parent.new_full((1,), num_nodes)])
    above = torch.where(above == torch.arange(num_nodes + 1, device=low.device), num_nodes, above)
    # Below each node at distance < 2^i, then < 2^(i + 1): what lies there, and what the nodes 2^i below have summed.
    for _ in range(depth.bit_length()):
        total = total.scatter_add(0, above, total)
        above = above.index_select(0, above)
    crossed = total != 0
    cyclic = outside | (down & crossed.index_select(0, high)) | (up & crossed.index_select(0, low))
    return (cyclic & proper).index_select(0, of_edge)


def unordered(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """``[P]`` the smaller and ``[P]`` the larger of each two nodes that an edge joins, and ``[E]`` which of them."""
    width = max(num_nodes, 1)
    src, dst = edge_index[0], edge_index[1]
    cell, of_edge = torch.unique(torch.maximum(src, dst) * width + torch.minimum(src, dst), return_inverse=True)
    high = cell // width
    return cell - high * width, high, of_edge


def components(edge_index: Tensor, num_nodes: int) -> Tensor:
    """``[N]`` the first node of each node's component."""
    return _forest(edge_index[0], edge_index[1], num_nodes)[0]


def _forest(low: Tensor, high: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, int]:
    """``[N]`` the first node of each node's component, ``[N]`` its parent in a breadth-first tree, and the depth.

    The tree grows from the component's first node, whose parent is itself. In every round each node takes the smallest
    label among its neighbours'. The smallest of a component travels one step a round, so whoever a node has it from is
    its parent.
    """
    src, dst = torch.cat([low, high]), torch.cat([high, low])
    label = torch.arange(num_nodes, device=src.device)
    best = label * (num_nodes + 1)  # label and giver in one number; each node begins with its own of both
    depth = 0
    giver, taker = src, dst
    while True:
        offer = label.index_select(0, giver)
        better = (offer < label.index_select(0, taker)).nonzero().squeeze(1)
        if better.numel() == 0:
            return label, best % max(num_nodes, 1), depth
        giver, taker, offer = (t.index_select(0, better) for t in (giver, taker, offer))
        best.scatter_reduce_(0, taker, offer * num_nodes + giver, "amin")
        label.index_copy_(0, taker, best.index_select(0, taker) // num_nodes)
        changed = torch.zeros_like(label, dtype=torch.bool).index_fill_(0, taker, True)
        again = changed.index_select(0, src).nonzero().squeeze(1)
        giver, taker = src.index_select(0, again), dst.index_select(0, again)
        depth += 1
