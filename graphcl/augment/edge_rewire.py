"""Edge rewiring: an edge keeps one end and gets another node of its graph at the other."""

import torch
from torch import Tensor

from graphcl._host import where
from graphcl._random import Key, hash_ids, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs, code_of, width
from graphcl.augment._select import Count, check_count, check_share, how_many, repeated, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["EdgeRewire", "rewire_edges"]

_TRIES = 64


def rewire_edges(graph: Graph, key: Key, *, share: float, directed: bool = False, count: Count = "round") -> Edit:
    """Move one end of a share of each graph's edges to another node, where no edge is."""
    pairs = Pairs.find(graph, directed=directed)
    major, minor = pairs.ends
    proper = major != minor
    sizes = torch.zeros_like(pairs.counts).scatter_add_(0, pairs.graph, proper.long())
    hashes = pairs.hashes(key)
    # Self-loops stay: with the largest number of all they come last in their graphs.
    rank = torch.where(proper, (hashes >> 1) & ((1 << 63) - 1), -1)
    chosen = where(smallest_k(rank, pairs.graph, how_many(share, sizes, count), pairs.counts) & proper)
    own = hashes.index_select(0, chosen)
    moved, ends = _find_places(graph, pairs, chosen, hash_ids(own, torch.ones_like(own)))
    return _carry_out(graph, pairs, moved, ends)


def _find_places(graph: Graph, pairs: Pairs, chosen: Tensor, hashes: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the ``chosen`` pairs that find a place, and ``[2, M]`` the end that stays and the new one."""
    bits = width(graph)
    taken, home = pairs.cell, pairs.graph.index_select(0, chosen)
    cell = taken.index_select(0, chosen)
    major, minor = cell >> bits, cell & ((1 << bits) - 1)
    stays_major = hashes < 0  # one bit says which end stays
    stays = torch.where(stays_major, major, minor)
    sizes, first = (t.index_select(0, home) for t in (graph.sizes, graph.ptr))
    place, left = torch.full_like(chosen, -1), torch.arange(chosen.numel(), device=chosen.device)
    joined = _Joined(graph, pairs, stays_major)
    for turn in range(_TRIES):
        # Places are taken and never given back: who is joined to all others now need not draw.
        left = left.index_select(0, where(joined.of(stays, left) < sizes.index_select(0, left) - 1))
        if left.numel() == 0:
            break
        draw = hash_ids(hashes.index_select(0, left), torch.full_like(left, turn))
        node = first.index_select(0, left) + randint(draw, sizes.index_select(0, left))
        stay = stays.index_select(0, left)
        code = code_of(stay, node, directed=False, bits=bits)
        if pairs.directed:
            forth = stays_major.index_select(0, left)
            code = code_of(torch.where(forth, stay, node), torch.where(forth, node, stay), directed=True, bits=bits)
        # Of several edges that want one place the first gets it.
        free = (stay != node) & ~_is_in(code, taken) & ~repeated(code, 2 * bits)
        got = where(free)
        place.index_copy_(0, left.index_select(0, got), node.index_select(0, got))
        new = code.index_select(0, got)
        taken = torch.cat([taken, new]).sort().values
        joined.add(new)
        left = left.index_select(0, where(~free))
    found = where(place >= 0)
    ends = torch.stack([stays, place]).index_select(1, found)
    return chosen.index_select(0, found), ends


class _Joined:
    """To how many others each node is joined; where directions count, from it and to it apart."""

    def __init__(self, graph: Graph, pairs: Pairs, as_major: Tensor) -> None:
        self.bits, self.as_major = width(graph), as_major
        self.out = pairs.cell.new_zeros(graph.num_nodes)
        self.into = torch.zeros_like(self.out) if pairs.directed else self.out
        self.add(pairs.cell)

    def add(self, cell: Tensor) -> None:
        """Count in pairs by their codes; self-loops join nobody."""
        major, minor = cell >> self.bits, cell & ((1 << self.bits) - 1)
        proper = (major != minor).long()
        self.out.scatter_add_(0, major, proper)
        self.into.scatter_add_(0, minor, proper)

    def of(self, node: Tensor, left: Tensor) -> Tensor:
        """The counts of ``node[left]``, in the direction in which it stays."""
        node, forth = node.index_select(0, left), self.as_major.index_select(0, left)
        return torch.where(forth, self.out.index_select(0, node), self.into.index_select(0, node))


def _is_in(values: Tensor, ascending: Tensor) -> Tensor:
    at = torch.searchsorted(ascending, values).clamp_(max=max(ascending.numel() - 1, 0))
    return ascending.index_select(0, at) == values


def _carry_out(graph: Graph, pairs: Pairs, moved: Tensor, ends: Tensor) -> Edit:
    """Every edge of the moved pairs, in its direction, in the new place, with its attributes."""
    number = torch.full_like(pairs.cell, -1).scatter_(0, moved, torch.arange(moved.numel(), device=moved.device))
    which = number.index_select(0, pairs.of_edge)
    keep = which < 0
    edges = where(~keep)
    stays, place = ends.index_select(1, which.index_select(0, edges))
    source = graph.edge_index[0].index_select(0, edges)
    out = source == stays
    new = torch.stack([torch.where(out, stays, place), torch.where(out, place, stays)])
    return Edit(keep_edges=keep, new_edges=new, like_edges=edges)


class EdgeRewire(EditAugmentation):
    """Move one end of a share of each graph's edges to another node of the graph.

    ``count(share * m)`` of a graph's ``m`` edges are chosen uniformly, both directions of an undirected edge counted as
    one and moved together, self-loops left out. One end of each, either with equal chance, is replaced by a node drawn
    uniformly from those of the same graph to which the other end is not joined; so no self-loop, duplicate or edge
    between graphs comes about, and the number of edges stays. The edge takes its attributes along and moves behind the
    others of its graph. An edge that finds no free node in 64 draws, which happens in nearly complete graphs, stays.

    Degrees change at the replaced ends; the sum of all degrees does not.

    Args:
        share: The share of edges to rewire, within [0, 1].
        directed: Treat the two directions of an edge as two edges; either end may be replaced.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``share`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> view = EdgeRewire(share=0.2)(data)
        >>> view.num_edges, view.is_undirected(), bool((view.edge_index[:, :16] == data.edge_index[:, :16]).all())
        (20, True, False)

    Source: Watts and Strogatz, "Collective dynamics of 'small-world' networks", Nature 393, 1998 (the rewiring step).
    Differs from the paper: an exact number of edges, all at once, and either end is replaced; places that were taken
    before stay taken.
    """

    def __init__(self, share: float = 0.1, *, directed: bool = False, count: Count = "round") -> None:
        self.share = check_share("share", share)
        self.directed = directed
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return rewire_edges(graph, key, share=self.share, directed=self.directed, count=self.count)
