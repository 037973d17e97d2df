"""The pairs of nodes that edges join: each pair once, numbered so that the pairs *without* an edge can be counted off.

Inside a graph of n nodes the unordered pair a < b has the number b (b - 1) / 2 + a, an ordered pair (u, v), u != v, the
number u (n - 1) + v - [v > u]. Sorted, the numbers of the existing edges tell where the r-th absent one is, without
trying any that exist.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphcl._random import Key, hash_ids, in_blocks
from graphcl.augment._graph import Graph, begins, where
from graphcl.augment._select import Count, how_many, in_order, smallest_k

__all__ = ["Absent", "Pairs", "code_of"]


def code_of(source: Tensor, target: Tensor, *, directed: bool, bits: int = 32) -> Tensor:
    """A name for the pair of ends of each edge: the larger node, then the smaller; source, then target if directed."""
    if directed:
        return (source << bits).bitwise_or_(target)
    return (torch.maximum(source, target) << bits).bitwise_or_(torch.minimum(source, target))


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
    def of(cls, graph: Graph, *, directed: bool, trust_names: bool = True) -> "Pairs":
        """The pairs of ``graph``, found by sorting its edges, or by the names in ``edge_pair`` where they hold true."""
        bits = max(graph.num_nodes - 1, 1).bit_length()
        # Graphs lie one after another, so that cells of the whole batch's matrix are ordered by graph, too.
        cell = in_blocks(lambda src, dst: code_of(src, dst, directed=directed, bits=bits), *graph.edge_index)
        found = None if directed or not trust_names else _by_name(graph, cell)
        cell, of_edge = _by_sorting(cell, 2 * bits) if found is None else found
        major, minor = cell >> bits, cell & ((1 << bits) - 1)
        if graph.num_graphs == 1:
            return cls(torch.zeros_like(cell), major, minor, of_edge, cell.new_full((1,), cell.numel()), directed)
        home = graph.batch.index_select(0, major)
        begin = graph.ptr.index_select(0, home)
        counts = begins(home, graph.num_graphs).diff()
        return cls(home, major - begin, minor - begin, of_edge, counts, directed)

    @property
    def code(self) -> Tensor:
        """``[P]`` a name of the pair within its graph, the same in every batch."""
        return (self.major << 32) | self.minor

    def hashes(self, graph: Graph, key: Key) -> Tensor:
        """``[P]`` one hash per pair, of (key, graph, pair)."""
        keys = graph.keys(key)
        return hash_ids(keys if graph.num_graphs == 1 else keys.index_select(0, self.graph), self.code)

    def choose(self, hashes: Tensor, share: float, count: Count) -> Tensor:
        """``[P]`` true for ``count(share * m)`` of each graph's ``m`` pairs, those with the smallest hashes."""
        return smallest_k(hashes, self.graph, how_many(share, self.counts, count), self.counts)


def _by_sorting(cell: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """The distinct cells, ascending, and which of them each edge has."""
    if cell.device.type != "cpu" or cell.numel() == 0:
        return torch.unique(cell, return_inverse=True)
    ordered, place = in_order(cell, bits, stable=False)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    torch.ne(ordered[1:], ordered[:-1], out=fresh[1:])
    rank = fresh.cumsum(0).sub_(1)
    return ordered.index_select(0, where(fresh)), torch.empty_like(rank).scatter_(0, place, rank)


def _by_name(graph: Graph, cell: Tensor) -> tuple[Tensor, Tensor] | None:
    """The same without sorting, or ``None`` where the names of the pairs are missing or no longer true.

    Whatever has happened to the graph since they were given: they are true if and only if all edges of a name lie in
    one cell and the cells of rising names rise.
    """
    names = graph.edge_pair
    if names is None or names.numel() == 0 or int(names.min()) < 0:
        return None
    if graph.num_graphs > 1:
        last = graph.ptr.new_full((graph.num_graphs,), -1).scatter_reduce_(0, graph.edge_batch, names, "amax")
        size = int((last + 1).sum())
    else:
        size = int(names.max()) + 1
    if size > 8 * names.numel():  # few edges are left of many, or these are no names: sorting is as fast
        return None
    if graph.num_graphs > 1:
        names = names + (last.cumsum(0) - last + torch.arange(graph.num_graphs, device=last.device))[graph.edge_batch]
    table = cell.new_full((size,), -1).scatter_(0, names, cell)
    if not torch.equal(table.index_select(0, names), cell):
        return None
    used = table >= 0
    if not bool(used.all()):  # names of edges that a view has dropped
        table = table.index_select(0, where(used))
        names = (used.cumsum(0) - 1).index_select(0, names)
    return (table, names) if bool((table[1:] > table[:-1]).all()) else None


class Absent:
    """The pairs of different nodes of one graph that no edge joins, counted through all graphs.

    Attributes:
        counts: ``[G]`` how many each graph has.
        first: ``[G]`` the place of each graph's first one.
        bits: All places lie below 2^bits.
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
            major = ((1 + (1 + 8 * inside.double()).sqrt()) / 2).floor().long()
            # Just below a whole number the square root rounds up to it; never down from one, for n below 2^31.
            major = major - (major * (major - 1) // 2 > inside).long()
            minor = inside - major * (major - 1) // 2
        ends = (major, minor) if self.directed else (minor, major)
        return torch.stack(ends) + self.graph.ptr.index_select(0, home)
