"""Edge dropping and edge perturbation."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from graphcl._host import BLOCK
from graphcl._random import Array, Key, below, below_on_host, fold, hash_ids
from graphcl.augment._by_hashes import choose_by_hashes
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs, code_of, hash_edges
from graphcl.augment._select import Chance, Count, check_count, check_count_or_chance, check_share, how_many
from graphcl.augment.base import EditAugmentation
from graphcl.augment.edge_add import EdgeFill, check_edge_fill, join_pairs

__all__ = ["EdgeDrop", "EdgePerturb", "drop_edges", "perturb_edges"]


def drop_edges(
    graph: Graph, key: Key, *, drop: float, directed: bool = False, count: Count | Chance = "bernoulli"
) -> Edit:
    """Drop edges, both directions of an undirected one together: each with a probability, or an exact share."""
    if count != "bernoulli":
        return Edit(keep_edges=~choose_edges(graph, key, drop, count, directed=directed))
    if graph.device.type == "cpu":
        keep = np.empty(graph.num_edges, np.bool_)

        def note(part: slice, hashes: Array) -> None:
            np.logical_not(below_on_host(hashes, drop, out=keep[part]), out=keep[part])

        hash_edges(graph, key, note, directed=directed)
        return Edit(keep_edges=torch.from_numpy(keep))
    source, target = graph.edge_index - graph.ptr.index_select(0, graph.edge_batch)
    keys = graph.keys(key).index_select(0, graph.edge_batch)
    return Edit(keep_edges=~below(hash_ids(keys, code_of(source, target, directed=directed)), drop))


def choose_edges(graph: Graph, key: Key, share: float, count: Count, *, directed: bool) -> Tensor:
    """``[E]`` true for ``count(share * m)`` of each graph's ``m`` edges, both directions of one counted once."""
    if graph.num_graphs == 1 and graph.num_edges > BLOCK and (directed or graph.edge_pair is None):
        chosen = choose_by_hashes(graph, key, share, count, directed=directed)
        if chosen is not None:
            return chosen
    pairs = Pairs.find(graph, directed=directed)
    return pairs.choose(pairs.hashes(key), share, count).index_select(0, pairs.of_edge)


def perturb_edges(
    graph: Graph,
    key: Key,
    *,
    drop: float,
    add: float,
    directed: bool = False,
    count: Count = "round",
    fill: EdgeFill = "copy",
) -> Edit:
    """Drop a share of each graph's edges and add new ones between nodes that no edge joined."""
    pairs = Pairs.find(graph, directed=directed)
    dropped = pairs.choose(pairs.hashes(key), drop, count)
    keep_edges = ~dropped.index_select(0, pairs.of_edge)
    if add == 0:
        return Edit(keep_edges=keep_edges)
    added = join_pairs(graph, pairs, fold(key, 1), how_many(add, pairs.counts, count), fill)
    return replace(added, keep_edges=keep_edges)


class EdgeDrop(EditAugmentation):
    """Drop every edge independently with a given probability, or an exact share of each graph's edges.

    Both directions of an undirected edge share one draw and live or die together, without looking whether the graph is
    undirected; duplicates of an edge do too.

    Args:
        drop: The probability or share, within [0, 1].
        directed: Draw for each direction by itself.
        count: ``"bernoulli"``, each edge by itself; or exactly ``count(drop * m)`` of a graph's ``m`` edges, both
            directions of an undirected edge counted as one, with ``"round"`` or ``"floor"``, uniformly chosen.

    Raises:
        ValueError: ``drop`` lies outside [0, 1], or ``count`` is none of the three.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> EdgeDrop(drop=0.5)(path).is_undirected()
        True

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020, section 3.2.2.
    """

    def __init__(self, drop: float = 0.1, *, directed: bool = False, count: Count | Chance = "bernoulli") -> None:
        self.drop = check_share("drop", drop)
        self.directed = directed
        self.count = check_count_or_chance(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return drop_edges(graph, key, drop=self.drop, directed=self.directed, count=self.count)


class EdgePerturb(EditAugmentation):
    """Drop a share of each graph's edges and add as many new ones elsewhere.

    The numbers are exact, ``count(drop * m)`` and ``count(add * m)`` of a graph's ``m`` edges, both directions of an
    undirected edge counted as one. New edges join two different nodes of one graph that no edge joined before, in both
    directions, as :class:`EdgeAdd` adds them; an edge that was dropped does not come back.

    Args:
        drop: The share of edges to drop, within [0, 1].
        add: The share of edges to add, within [0, 1]; 0 is what the authors' code for unsupervised learning on TU data
            does.
        directed: Treat the two directions of an edge as two edges.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.
        fill: The attributes of new edges: ``"copy"``, those of a random edge of the graph, or a number.

    Raises:
        ValueError: A share lies outside [0, 1], or ``fill`` is an unknown word.
        TypeError: ``fill`` is neither number nor word, or not whole where an edge attribute holds whole numbers.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> EdgePerturb(drop=0.2, add=0.1)(data).num_edges
        18

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (edge
    perturbation).
    Differs from the authors' code, which draws added edges without looking whether they exist.
    """

    def __init__(
        self,
        drop: float = 0.1,
        add: float = 0.1,
        *,
        directed: bool = False,
        count: Count = "round",
        fill: EdgeFill = "copy",
    ) -> None:
        self.drop = check_share("drop", drop)
        self.add = check_share("add", add)
        self.directed = directed
        self.count = check_count(count)
        self.fill = check_edge_fill(fill)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return perturb_edges(
            graph, key, drop=self.drop, add=self.add, directed=self.directed, count=self.count, fill=self.fill
        )
