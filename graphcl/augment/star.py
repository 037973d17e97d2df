"""The subgraph that GraphCL's published code draws: a star, kept here so that its results can be repeated."""

import torch
from torch import Tensor

from graphcl._random import Key, fold, hash_ids, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph, begins
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation
from graphcl.augment.growth import random_roots

__all__ = ["StarSubgraph", "star_subgraph"]

_NEVER = (1 << 63) - 1


def star_subgraph(graph: Graph, key: Key, *, keep: float, count: Count = "floor") -> Edit:
    """Keep a random node of each graph and some of the nodes that an edge leads to from it."""
    kept = torch.zeros_like(graph.batch, dtype=torch.bool).index_fill_(0, random_roots(graph, fold(key, 1)), True)
    src, dst = graph.edge_index
    at_root = kept.index_select(0, src)
    # Each neighbour once, even along several edges; the root itself, if it has a self-loop.
    near = torch.unique(dst[at_root])
    home = graph.batch.index_select(0, near)
    first = begins(home, graph.num_graphs)
    time = _first_draws(graph, key, home.numel(), first)
    wanted = how_many(keep, graph.sizes, count)
    new = (time < _NEVER) & ~kept.index_select(0, near)
    # smallest_k compares the upper bits, unsigned, fewer of them in a large batch: hence the shift, and -1 for never.
    rank = (time << 32).masked_fill_(~new, -1)
    kept[near[smallest_k(rank, home, torch.minimum(wanted, first.diff()), first.diff()) & new]] = True
    return Edit(keep_nodes=kept)


def _first_draws(graph: Graph, key: Key, num_near: int, first: Tensor) -> Tensor:
    """When each neighbour is drawn first, if each graph draws one at random as many times as it has nodes."""
    time = torch.full((num_near,), _NEVER, dtype=torch.int64, device=graph.device)
    drawing = (first.diff().index_select(0, graph.batch) > 0).nonzero().squeeze(1)
    home, draw = graph.batch.index_select(0, drawing), graph.local.index_select(0, drawing)
    hashes = hash_ids(graph.keys(key).index_select(0, home), draw)
    place = first.index_select(0, home) + randint(hashes, first.diff().index_select(0, home))
    return time.scatter_reduce_(0, place, draw, "amin")


class StarSubgraph(EditAugmentation):
    """Keep a random node and up to ``count(keep * n)`` of its neighbours: GraphCL's subgraph as its code has it.

    The paper describes a walk; the authors' code draws neighbours of the start node only, because it throws the
    neighbours of each added node away. It draws with replacement, as many times as the graph has nodes, and stops when
    it has ``count(keep * n)`` different ones besides the start. So on a path of 60 nodes at most 3 of 13 remain. To
    repeat published results, use this; to augment, :class:`RandomWalkSubgraph` or :class:`GrowthSubgraph`.

    Args:
        keep: The share of nodes to keep besides the start, within [0, 1]; the authors' code has 0.2.
        count: ``"floor"``, as in the authors' code, or ``"round"``.

    Raises:
        ValueError: ``keep`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(60), (torch.arange(60) + 1) % 60])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=60)
        >>> StarSubgraph(keep=0.2)(data).num_nodes
        3

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020: the code of
    its experiments on TU data sets, which gives every node but the last a self-loop before (add them to repeat that as
    well).
    """

    def __init__(self, keep: float = 0.2, *, count: Count = "floor") -> None:
        self.keep = check_share("keep", keep)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return star_subgraph(graph, key, keep=self.keep, count=self.count)
