"""Edge adding: new edges between nodes of one graph that no edge joined, drawn without trying any that exist."""

import math
from typing import Literal

import torch
from torch import Tensor

from graphcl._arguments import plain
from graphcl._host import where
from graphcl._random import Key, hash_ids, randint
from graphcl.augment._absent import Absent
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph, offsets
from graphcl.augment._pairs import Pairs
from graphcl.augment._select import Count, check_count, check_share, how_many, repeated, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["EdgeAdd", "EdgeFill", "add_edges", "check_edge_fill", "join_pairs"]

EdgeFill = float | Literal["copy"]
"""What the attributes of a new edge become: copies of those of a random edge of its graph, or a number."""


def check_edge_fill(fill: EdgeFill) -> EdgeFill:
    """``fill``, or an error if it is neither ``"copy"`` nor a number."""
    fill = plain(fill)
    if isinstance(fill, bool) or not isinstance(fill, int | float | str):
        raise TypeError(f"expected fill to be a number or 'copy', got {fill!r}")
    if isinstance(fill, str) and fill != "copy":
        raise ValueError(f"expected fill to be a number or 'copy', got {fill!r}")
    if isinstance(fill, float) and math.isnan(fill):
        raise ValueError(f"expected fill to be a number or 'copy', got {fill!r}")
    return fill


def add_edges(
    graph: Graph,
    key: Key,
    *,
    add: float,
    directed: bool = False,
    count: Count = "round",
    fill: EdgeFill = "copy",
) -> Edit:
    """Add a share of each graph's edges between nodes that no edge joined."""
    pairs = Pairs.find(graph, directed=directed)
    return join_pairs(graph, pairs, key, how_many(add, pairs.counts, count), fill)


def join_pairs(graph: Graph, pairs: Pairs, key: Key, k: Tensor, fill: EdgeFill = "copy") -> Edit:
    """Join ``k[g]`` of each graph's absent pairs (all, where there are fewer), in both directions unless directed."""
    new, home, hashes = _draw_absent(graph, pairs, key, k)
    # Hashed once more, because the hash itself has chosen the pair.
    again = hash_ids(hashes, torch.ones_like(hashes))
    like = graph.edge_ptr.index_select(0, home) + randint(again, graph.edge_counts.index_select(0, home))
    if not pairs.directed:
        new, like = torch.cat([new, new.flip(0)], 1), torch.cat([like, like])
    fills = () if isinstance(fill, str) else ((torch.arange(like.numel(), device=like.device), fill),)
    return Edit(new_edges=new, like_edges=like, fill_edges=fills)


def _draw_absent(graph: Graph, pairs: Pairs, key: Key, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``k[g]`` distinct absent pairs of each graph, their graphs, and a hash for each."""
    absent = Absent(graph, pairs)
    k = torch.minimum(k, absent.counts)
    # Few absent pairs: list them all and take the k with the smallest hashes. Many: draw with replacement and take the
    # first k distinct ones; less than one try in 10^14 yields fewer. Both choose uniformly, in O(k).
    listed = absent.counts <= 4 * k
    enough = (2 * k).add_(16).masked_fill_(k == 1, 1).masked_fill_(k == 0, 0)
    drawn = torch.where(listed & (k > 0), absent.counts, enough)
    first = offsets(drawn)
    home = torch.repeat_interleave(drawn)
    number = torch.arange(home.numel(), device=k.device) - first.index_select(0, home)
    hashes = hash_ids(graph.keys(key).index_select(0, home), number)
    is_listed = listed.index_select(0, home)
    place = absent.first.index_select(0, home) + torch.where(
        is_listed, number, randint(hashes, absent.counts.index_select(0, home))
    )
    again = repeated(place, absent.bits)
    # smallest_k compares the upper bits, unsigned: hence the shift, and -1 for the largest.
    rank = torch.where(is_listed, hashes, number << 32).masked_fill_(again, -1)
    chosen = where(smallest_k(rank, home, k, drawn) & ~again)
    place, home, hashes = (t.index_select(0, chosen) for t in (place, home, hashes))
    return absent.at(place, home), home, hashes


class EdgeAdd(EditAugmentation):
    """Add a share of each graph's edges, between nodes that were not joined.

    The number is exact, ``count(add * m)`` of a graph's ``m`` edges, both directions of an undirected edge counted as
    one. New edges are uniform over the pairs of different nodes of one graph that no edge joins, and join them in both
    directions; none is a self-loop, a duplicate, or leads into another graph. Where fewer pairs are free than asked
    for, all of them are joined. A graph without edges gets none: any share of none is none, and there would be nothing
    to copy. New edges follow the old ones of their graph.

    Args:
        add: The share of edges to add, within [0, 1].
        directed: Treat the two directions of an edge as two edges.
        count: ``"round"`` or ``"floor"``.
        fill: The attributes of new edges (``edge_attr``, ``edge_weight``, ... all of them): ``"copy"``, those of a
            random edge of the same graph, of the same one for all attributes; or a number in every column, for instance
            0. Node ids and Python lists are always copied.

    Raises:
        ValueError: ``add`` lies outside [0, 1], or ``fill`` is an unknown word.
        TypeError: ``fill`` is neither number nor word, or not whole where an edge attribute holds whole numbers.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), edge_weight=torch.ones(20), num_nodes=10)
        >>> EdgeAdd(add=0.2, fill=0.5)(data).edge_weight[-5:]
        tensor([1.0000, 0.5000, 0.5000, 0.5000, 0.5000])

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (edge
    perturbation adds and drops; :class:`EdgePerturb` does both).
    """

    def __init__(
        self, add: float = 0.1, *, directed: bool = False, count: Count = "round", fill: EdgeFill = "copy"
    ) -> None:
        self.add = check_share("add", add)
        self.directed = directed
        self.count = check_count(count)
        self.fill = check_edge_fill(fill)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return add_edges(graph, key, add=self.add, directed=self.directed, count=self.count, fill=self.fill)
