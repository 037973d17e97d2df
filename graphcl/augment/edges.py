"""Edge dropping and edge perturbation."""

import torch
from torch import Tensor

from graphcl._random import Key, below, fold, hash_ids, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Absent, Pairs
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["EdgeDrop", "EdgePerturb", "drop_edges", "perturb_edges"]


def drop_edges(graph: Graph, key: Key, *, drop: float, directed: bool = False) -> Edit:
    """Drop every edge with probability ``drop``, both directions of an undirected one together."""
    src, dst = graph.local.index_select(0, graph.edge_index.flatten()).view(2, -1)
    if not directed:
        src, dst = torch.maximum(src, dst), torch.minimum(src, dst)
    hashes = hash_ids(graph.keys(key).index_select(0, graph.edge_batch), (src << 32) | dst)
    return Edit(keep_edges=~below(hashes, drop))


def perturb_edges(
    graph: Graph, key: Key, *, drop: float, add: float, directed: bool = False, count: Count = "round"
) -> Edit:
    """Drop a share of each graph's edges and add new ones between nodes that no edge joined."""
    pairs = Pairs.of(graph, directed=directed)
    hashes = hash_ids(graph.keys(key).index_select(0, pairs.graph), pairs.code)
    dropped = smallest_k(hashes, pairs.graph, how_many(drop, pairs.counts, count), pairs.counts)
    keep_edges = ~dropped.index_select(0, pairs.of_edge)
    if add == 0:
        return Edit(keep_edges=keep_edges)
    new, home, hashes = _draw_absent(graph, pairs, fold(key, 1), how_many(add, pairs.counts, count))
    # Hashed once more, because the hash itself has chosen the pair.
    again = hash_ids(hashes, torch.ones_like(hashes))
    like = graph.edge_ptr.index_select(0, home) + randint(again, graph.edge_counts.index_select(0, home))
    if not directed:
        new, like = torch.cat([new, new.flip(0)], 1), torch.cat([like, like])
    return Edit(keep_edges=keep_edges, new_edges=new, like_edges=like)


def _draw_absent(graph: Graph, pairs: Pairs, key: Key, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``k[g]`` distinct absent pairs of each graph, their graphs, and a hash for each."""
    absent = Absent(graph, pairs)
    k = torch.minimum(k, absent.counts)
    # Few absent pairs: list them all and take the k with the smallest hashes. Many: draw with replacement and take the
    # first k distinct ones; less than one try in 10^14 yields fewer. Both choose uniformly, in O(k).
    listed = absent.counts <= 4 * k
    enough = torch.where(k == 1, 1, 2 * k + 16)
    drawn = torch.where(listed, absent.counts, enough) * (k > 0)
    home = torch.repeat_interleave(drawn)
    number = torch.arange(home.numel(), device=k.device) - (drawn.cumsum(0) - drawn).index_select(0, home)
    hashes = hash_ids(graph.keys(key).index_select(0, home), number)
    is_listed = listed.index_select(0, home)
    place = absent.first.index_select(0, home) + torch.where(
        is_listed, number, randint(hashes, absent.counts.index_select(0, home))
    )
    repeated = _repeated(place)
    # smallest_k compares the upper bits, unsigned: hence the shift, and -1 for the largest.
    rank = torch.where(is_listed, hashes, number << 32).masked_fill_(repeated, -1)
    chosen = (smallest_k(rank, home, k, drawn) & ~repeated).nonzero().squeeze(1)
    place, home, hashes = (t.index_select(0, chosen) for t in (place, home, hashes))
    return absent.at(place, home), home, hashes


def _repeated(values: Tensor) -> Tensor:
    """True where a value has stood before."""
    ordered, order = torch.sort(values, stable=True)
    again = torch.zeros_like(values, dtype=torch.bool)
    again[1:] = ordered[1:] == ordered[:-1]
    return torch.empty_like(again).scatter_(0, order, again)


class EdgeDrop(EditAugmentation):
    """Drop every edge independently with a given probability.

    Both directions of an undirected edge share one draw and live or die together, without looking whether the graph is
    undirected; duplicates of an edge do too.

    Args:
        drop: The probability, within [0, 1].
        directed: Draw for each direction by itself.

    Raises:
        ValueError: ``drop`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> EdgeDrop(drop=0.5)(path).is_undirected()
        True

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", 2020, section 3.2.1.
    """

    def __init__(self, drop: float = 0.1, *, directed: bool = False) -> None:
        self.drop = check_share("drop", drop)
        self.directed = directed

    def edit(self, graph: Graph, key: Key) -> Edit:
        return drop_edges(graph, key, drop=self.drop, directed=self.directed)


class EdgePerturb(EditAugmentation):
    """Drop a share of each graph's edges and add as many new ones elsewhere.

    The numbers are exact, ``count(drop * m)`` and ``count(add * m)`` of a graph's ``m`` edges, both directions of an
    undirected edge counted as one. New edges join two different nodes of one graph that no edge joined before, in both
    directions; each copies the attributes (``edge_attr``, ``edge_weight``, ...) of a random edge of its graph. Where
    fewer pairs are free than asked for, all of them are joined.

    Args:
        drop: The share of edges to drop, within [0, 1].
        add: The share of edges to add, within [0, 1]; 0 is what the authors' TU code does.
        directed: Treat the two directions of an edge as two edges.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: A share lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> EdgePerturb(drop=0.2, add=0.1)(data).num_edges
        18

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, table 1.
    Differs from the paper: the authors' code draws added edges without looking whether they exist.
    """

    def __init__(self, drop: float = 0.1, add: float = 0.1, *, directed: bool = False, count: Count = "round") -> None:
        self.drop = check_share("drop", drop)
        self.add = check_share("add", add)
        self.directed = directed
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return perturb_edges(graph, key, drop=self.drop, add=self.add, directed=self.directed, count=self.count)
