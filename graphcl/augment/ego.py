"""Ego networks: what lies within a few steps of a node, all graphs of a batch at once."""

import torch
from torch import Tensor

from graphcl._arguments import check_whole
from graphcl._random import Key, fold
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._rings import nearest, rings
from graphcl.augment._select import Count, check_count, check_share, how_many
from graphcl.augment.base import EditAugmentation
from graphcl.augment.growth import random_roots

__all__ = ["EgoSubgraph", "ego_subgraph"]


def ego_subgraph(
    graph: Graph, key: Key, *, hops: int, keep: float | None = None, count: Count = "round", root: int | None = None
) -> Edit:
    """Keep what lies within ``hops`` steps of one node of each graph, the nearest first where there is too much."""
    roots = random_roots(graph, fold(key, 1)) if root is None else _given_roots(graph, root)
    start = torch.zeros_like(graph.batch, dtype=torch.bool).index_fill_(0, roots, True)
    if keep is None:
        return Edit(keep_nodes=rings(graph, start, hops=hops) >= 0)
    k = torch.minimum(how_many(keep, graph.sizes, count).clamp(min=1), graph.sizes)
    return Edit(keep_nodes=nearest(graph, key, rings(graph, start, hops=hops, wanted=k), k))


def _given_roots(graph: Graph, root: int) -> Tensor:
    small = (graph.sizes > 0) & (graph.sizes <= root)
    if bool(small.any()):
        raise ValueError(
            f"expected graphs with a node {root} to be the root, got one of {int(graph.sizes[small].min())} node(s); "
            f"give a smaller root, or none for a random one"
        )
    return (graph.ptr[:-1] + root)[graph.sizes > 0]


class EgoSubgraph(EditAugmentation):
    """Keep the ego network of a node of each graph: what can be reached from it in at most ``hops`` steps.

    Every step looks at all edges of the batch: that is made for few steps, and slow on long paths.

    Args:
        hops: The number of steps, at least 0.
        keep: A limit, as a share of each graph's nodes within [0, 1]: of a larger ego network, the ``count(keep * n)``
            nodes (at least one) that are nearest stay, uniformly random ones of the ring that does not fit as a whole.
            The view stays connected. ``None`` for no limit.
        count: ``"round"`` or ``"floor"``.
        root: The root's number within its graph, for instance 0 where a sampler puts the seed first; ``None`` for a
            uniform node of each graph.

    Raises:
        ValueError: ``hops`` or ``root`` is negative, ``keep`` lies outside [0, 1], or a graph has no such ``root``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> EgoSubgraph(hops=2, root=5)(data).n_id.tolist()
        [3, 4, 5, 6, 7]
        >>> EgoSubgraph(hops=2, keep=0.4)(data).num_nodes
        4

    Source: Qiu, Chen, Dong, Zhang, Yang, Ding, Wang, Tang, "GCC: Graph Contrastive Coding for Graph Neural Network
    Pre-Training", KDD 2020 (r-ego networks).
    """

    def __init__(
        self, hops: int = 2, *, keep: float | None = None, count: Count = "round", root: int | None = None
    ) -> None:
        self.hops = check_whole("hops", hops)
        self.keep = None if keep is None else check_share("keep", keep)
        self.count = check_count(count)
        self.root = None if root is None else check_whole("root", root)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return ego_subgraph(graph, key, hops=self.hops, keep=self.keep, count=self.count, root=self.root)
