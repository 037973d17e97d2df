"""The pairs of nodes that no edge joins, counted off without trying any that exist.

Inside a graph of n nodes the unordered pair a < b has the number b (b - 1) / 2 + a, an ordered pair (u, v), u != v, the
number u (n - 1) + v - [v > u]. Sorted, the numbers of the existing edges tell where the r-th absent one is.
"""

import numpy as np
import torch
from torch import Tensor

from graphcl._host import where
from graphcl.augment._graph import Graph, begins
from graphcl.augment._pairs import Pairs

__all__ = ["Absent"]


class Absent:
    """The pairs of different nodes of one graph that no edge joins, counted through all graphs.

    Attributes:
        counts: ``[G]`` how many each graph has.
        first: ``[G]`` the place of each graph's first one.
        bits: All places lie below 2^bits.
    """

    def __init__(self, graph: Graph, pairs: Pairs) -> None:
        n = graph.sizes
        total = n * (n - 1) if pairs.directed else n * (n - 1) >> 1
        major, minor = pairs.ends
        home, joined, proper = pairs.graph, pairs.counts, where(major != minor)
        if proper.numel() < major.numel():
            major, minor, home = (t.index_select(0, proper) for t in (major, minor, home))
            joined = begins(home, graph.num_graphs).diff()
        if pairs.directed:
            inside = major * (n.index_select(0, home) - 1) + minor - (minor > major).long()
        else:
            inside = (major * (major - 1) >> 1) + minor
        self.begin = total.cumsum(0) - total
        number = self.begin.index_select(0, home) + inside
        # How many absent ones come before each existing one.
        self.before = number - torch.arange(number.numel(), device=number.device)
        self.counts = total - joined
        self.first = self.counts.cumsum(0) - self.counts
        self.bits = 2 * max(graph.num_nodes, 1).bit_length()
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
            major, minor = _number_to_pair(inside)
        ends = (major, minor) if self.directed else (minor, major)
        return torch.stack(ends) + self.graph.ptr.index_select(0, home)


def _number_to_pair(number: Tensor) -> tuple[Tensor, Tensor]:
    """``b`` and ``a`` of the numbers b (b - 1) / 2 + a, a < b."""
    # Just below a whole number the square root rounds up to it; never down from one, for b below 2^31.
    if number.device.type == "cpu":  # numpy starts these many operations in a quarter of the time
        inside = number.numpy()
        major = ((1 + np.sqrt(1 + 8 * inside.astype(np.float64))) / 2).astype(np.int64)
        major -= major * (major - 1) >> 1 > inside
        return torch.from_numpy(major), torch.from_numpy(inside - (major * (major - 1) >> 1))
    high = ((1 + (1 + 8 * number.double()).sqrt()) / 2).floor().long()
    high = high - (high * (high - 1) // 2 > number).long()
    return high, number - high * (high - 1) // 2
