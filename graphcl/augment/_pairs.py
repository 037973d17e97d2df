"""The pairs of nodes that edges join: each pair once, numbered so that the pairs *without* an edge can be counted off.

Inside a graph of n nodes the unordered pair a < b has the number b (b - 1) / 2 + a, an ordered pair (u, v), u != v, the
number u (n - 1) + v - [v > u]. Sorted, the numbers of the existing edges tell where the r-th absent one is, without
trying any that exist.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphcl.augment._graph import Graph, begins

__all__ = ["Absent", "Pairs"]


@dataclass(frozen=True)
class Pairs:
    """The P distinct pairs joined by the edges of a graph, ordered by graph and within it by number.

    Attributes:
        graph: ``[P]`` the graph of each pair.
        major, minor: ``[P]`` its two nodes, numbered within the graph: the larger and the smaller, or where directed
            source and target.
        of_edge: ``[E]`` the pair of each edge.
        counts: ``[G]`` pairs per graph.
    """

    graph: Tensor
    major: Tensor
    minor: Tensor
    of_edge: Tensor
    counts: Tensor
    directed: bool

    @classmethod
    def of(cls, graph: Graph, *, directed: bool) -> "Pairs":
        src, dst = graph.edge_index
        major, minor = (src, dst) if directed else (torch.maximum(src, dst), torch.minimum(src, dst))
        # Graphs lie one after another, so that cells of the whole batch's matrix are ordered by graph, too.
        width = max(graph.num_nodes, 1)
        cell, of_edge = torch.unique(major * width + minor, return_inverse=True)
        major = cell // width
        minor = cell - major * width
        home = graph.batch.index_select(0, major)
        begin = graph.ptr.index_select(0, home)
        counts = begins(home, graph.num_graphs).diff()
        return cls(home, major - begin, minor - begin, of_edge, counts, directed)

    @property
    def code(self) -> Tensor:
        """``[P]`` a name of the pair within its graph, the same in every batch."""
        return (self.major << 32) | self.minor


class Absent:
    """The pairs of different nodes of one graph that no edge joins, counted through all graphs.

    Attributes:
        counts: ``[G]`` how many each graph has.
        first: ``[G]`` the place of each graph's first one.
    """

    def __init__(self, graph: Graph, pairs: Pairs) -> None:
        n = graph.sizes
        total = n * (n - 1) if pairs.directed else n * (n - 1) // 2
        proper = (pairs.major != pairs.minor).nonzero().squeeze(1)
        major, minor, home = (t.index_select(0, proper) for t in (pairs.major, pairs.minor, pairs.graph))
        if pairs.directed:
            inside = major * (n.index_select(0, home) - 1) + minor - (minor > major).long()
        else:
            inside = major * (major - 1) // 2 + minor
        self.begin = total.cumsum(0) - total
        number = self.begin.index_select(0, home) + inside
        # How many absent ones come before each existing one.
        self.before = number - torch.arange(number.numel(), device=number.device)
        self.counts = total - begins(home, graph.num_graphs).diff()
        self.first = self.counts.cumsum(0) - self.counts
        self.graph, self.directed = graph, pairs.directed

    def at(self, place: Tensor, home: Tensor) -> Tensor:
        """``[2, R]`` the absent pairs at the given places (which lie in graphs ``home``), in the batch's numbering."""
        number = place + torch.searchsorted(self.before, place, right=True)
        inside = number - self.begin.index_select(0, home)
        if self.directed:
            width = (self.graph.sizes.index_select(0, home) - 1).clamp(min=1)
            major = inside // width
            minor = inside - major * width
            minor = minor + (minor >= major).long()
        else:
            major = ((1 + (1 + 8 * inside.double()).sqrt()) / 2).floor().long()
            # Just below a whole number the square root rounds up to it; never down from one, for n below 2^31.
            major = major - (major * (major - 1) // 2 > inside).long()
            minor = inside - major * (major - 1) // 2
        ends = (major, minor) if self.directed else (minor, major)
        return torch.stack(ends) + self.graph.ptr.index_select(0, home)
