"""The pairs of nodes that edges join: each pair once, numbered so that the pairs *without* an edge can be counted off.

Inside a graph of n nodes the unordered pair a < b has the number b (b - 1) / 2 + a, an ordered pair (u, v), u != v, the
number u (n - 1) + v - [v > u]. Sorted, the numbers of the existing edges tell where the r-th absent one is, without
trying any that exist.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphcl.augment._graph import Graph

__all__ = ["Pairs", "absent_pairs"]


@dataclass(frozen=True)
class Pairs:
    """The P distinct pairs joined by the edges of a graph, ordered by graph and within it by number.

    Attributes:
        graph: ``[P]`` the graph of each pair.
        low, high: ``[P]`` its two nodes, numbered within the graph; ordered (source, target) where directed.
        of_edge: ``[E]`` the pair of each edge.
        code: ``[P]`` a name of the pair within its graph, the same in every batch.
        counts: ``[G]`` pairs per graph.
    """

    graph: Tensor
    low: Tensor
    high: Tensor
    of_edge: Tensor
    code: Tensor
    counts: Tensor
    directed: bool

    @classmethod
    def of(cls, graph: Graph, *, directed: bool) -> "Pairs":
        src, dst = graph.local[graph.edge_index[0]], graph.local[graph.edge_index[1]]
        major, minor = (src, dst) if directed else (torch.maximum(src, dst), torch.minimum(src, dst))
        squares = graph.sizes * graph.sizes
        offset = squares.cumsum(0) - squares
        home = graph.edge_batch
        cell, of_edge = torch.unique(offset[home] + major * graph.sizes[home] + minor, return_inverse=True)
        pair_graph = torch.searchsorted(offset, cell, right=True) - 1
        size = graph.sizes[pair_graph].clamp(min=1)
        inside = cell - offset[pair_graph]
        major, minor = inside // size, inside % size
        counts = torch.zeros_like(graph.sizes).scatter_add_(0, pair_graph, torch.ones_like(pair_graph))
        low, high = (major, minor) if directed else (minor, major)
        return cls(pair_graph, low, high, of_edge, (major << 32) | minor, counts, directed)

    def numbers(self, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
        """The sorted numbers of the pairs without self-loops, counted through all graphs, and per graph where its
        numbers begin and how many pairs it has in all."""
        n = graph.sizes
        total = n * (n - 1) if self.directed else n * (n - 1) // 2
        begin = total.cumsum(0) - total
        proper = self.low != self.high
        low, high, home = self.low[proper], self.high[proper], self.graph[proper]
        if self.directed:
            inside = low * (n[home] - 1) + high - (high > low).long()
        else:
            inside = high * (high - 1) // 2 + low
        return begin[home] + inside, begin, total


def absent_pairs(graph: Graph, pairs: Pairs, home: Tensor, rank: Tensor) -> Tensor:
    """``[2, R]`` the ``rank``-th pair of graph ``home`` that no edge joins, in the batch's node numbering."""
    number, begin, total = pairs.numbers(graph)
    present = torch.zeros_like(total).scatter_add_(
        0, torch.searchsorted(begin, number, right=True) - 1, torch.ones_like(number)
    )
    before = begin - (present.cumsum(0) - present)
    overall = before[home] + rank
    number = overall + torch.searchsorted(number - torch.arange(number.numel(), device=number.device), overall, right=True)
    inside = number - begin[home]
    if pairs.directed:
        width = (graph.sizes[home] - 1).clamp(min=1)
        low, high = inside // width, inside % width
        high = high + (high >= low).long()
    else:
        high = ((1 + (1 + 8 * inside.double()).sqrt()) / 2).floor().long()
        # The square root may be off by one in the last place.
        high = high - (high * (high - 1) // 2 > inside).long()
        high = high + (high * (high + 1) // 2 <= inside).long()
        low = inside - high * (high - 1) // 2
    return torch.stack([low, high]) + graph.ptr[home]
