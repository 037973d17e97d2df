"""Subgraph sampling by a random walk, all graphs of a batch at once."""

import torch
from torch import Tensor

from graphcl._random import Key, fold, hash_ids, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["RandomWalkSubgraph", "walk_subgraph"]

_CHUNK = 16  # steps between two looks at whether every walk has seen enough


def walk_subgraph(graph: Graph, key: Key, *, keep: float, count: Count = "round") -> Edit:
    """Keep the nodes that one random walk per graph visits first."""
    k = torch.minimum(how_many(keep, graph.sizes, count).clamp(min=1), graph.sizes)
    kept, found = _walk(graph, key, k)
    return Edit(keep_nodes=_grow(graph, fold(key, 1), kept, k - found))


def _walk(graph: Graph, key: Key, k: Tensor) -> tuple[Tensor, Tensor]:
    """The first ``k[g]`` distinct nodes of a walk in each graph, as a mask, and how many were found."""
    kept = torch.zeros(graph.num_nodes, dtype=torch.bool, device=graph.device)
    walking = (graph.sizes > 0).nonzero().squeeze(1)
    if walking.numel() == 0:
        return kept, torch.zeros_like(k)
    keys, wanted = graph.keys(key)[walking], k[walking]
    first, degree, neighbour = _neighbours(graph)
    at = graph.ptr[walking] + randint(hash_ids(keys, torch.zeros_like(keys)), graph.sizes[walking])
    kept[at] = True
    found = torch.ones_like(wanted)
    # A walk comes back and so needs more steps than it keeps nodes; past the limit the rest is grown.
    limit, step = 2 * int(wanted.max()) + _CHUNK, 0
    while step < limit and bool((found < wanted).any()):
        times = torch.arange(step + 1, step + 1 + _CHUNK, device=graph.device)
        draws = hash_ids(keys, times[:, None])
        path = torch.empty_like(draws)
        for i, draw in enumerate((draws >> 1).bitwise_and_((1 << 63) - 1).unbind()):
            at = neighbour[first[at] + draw % degree[at]]
            path[i] = at
        found = _note_new(path, kept, found, wanted)
        step += _CHUNK
    total = torch.zeros_like(k)
    total[walking] = found
    return kept, total


def _neighbours(graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Where each node's targets begin, how many they are, and the targets; a node without any leads to itself."""
    src, dst = graph.edge_index
    own = torch.arange(graph.num_nodes, device=graph.device)
    degree = torch.zeros_like(own).scatter_add_(0, src, torch.ones_like(src))
    stuck = (degree == 0).nonzero().squeeze(1)
    src, dst = torch.cat([src, stuck]), torch.cat([dst, stuck])
    if bool((src[1:] < src[:-1]).any()):
        dst = dst[torch.argsort(src, stable=True)]
    degree = degree.clamp(min=1)
    return degree.cumsum(0) - degree, degree, dst


def _note_new(path: Tensor, kept: Tensor, found: Tensor, wanted: Tensor) -> Tensor:
    """Mark the nodes of ``path`` [T, G] that are new, in order, until each walk has as many as it wants."""
    time = torch.arange(path.size(0), device=path.device)[:, None].expand_as(path)
    first = torch.full_like(kept, path.size(0), dtype=torch.int64)
    first.scatter_reduce_(0, path.flatten(), time.flatten(), "amin")
    new = (first[path] == time) & ~kept[path]
    rank = new.cumsum(0) + found
    kept[path[new & (rank <= wanted)]] = True
    return torch.minimum(rank[-1], wanted)


def _grow(graph: Graph, key: Key, kept: Tensor, missing: Tensor) -> Tensor:
    """Fill up with neighbours of what is kept, ring by ring, until nothing is missing or nothing can be reached."""
    src, dst = graph.edge_index
    hashes = None
    while bool((missing > 0).any()):
        ring = torch.zeros_like(kept)
        ring[dst[kept[src]]] = True
        ring = (ring & ~kept & (missing > 0)[graph.batch]).nonzero().squeeze(1)
        if ring.numel() == 0:
            break
        hashes = graph.node_hashes(key) if hashes is None else hashes
        home = graph.batch[ring]
        taken = ring[smallest_k(hashes[ring], home, missing)]
        kept[taken] = True
        missing = missing.scatter_add(0, graph.batch[taken], -torch.ones_like(taken))
    return kept


class RandomWalkSubgraph(EditAugmentation):
    """Keep the subgraph that a random walk visits: ``count(keep * n)`` of a graph's ``n`` nodes, and at least one.

    One walk starts at a uniform node of each graph and moves to a uniform neighbour until it has seen enough distinct
    nodes. A walk that has not after about twice as many steps as it wants nodes (a long path, a nearly whole graph) is
    filled up with neighbours of what it has seen. If the start lies in a component that is smaller than asked for, the
    view is that component. The view carries ``n_id``.

    Args:
        keep: The share of nodes to keep, within [0, 1]; the authors' code keeps 0.2.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``keep`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> RandomWalkSubgraph(keep=0.3)(data).num_nodes
        3

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, table 1.
    Differs from the authors' code, which takes the start node and some of its neighbours, a star.
    """

    def __init__(self, keep: float = 0.2, *, count: Count = "round") -> None:
        self.keep = check_share("keep", keep)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return walk_subgraph(graph, key, keep=self.keep, count=self.count)
