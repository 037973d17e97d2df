"""Each two nodes that edges join, once, whichever way and however often."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphcl._random import Key, hash_ids
from graphcl.augment._graph import Graph, begins

__all__ = ["Ties", "unordered"]


def unordered(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """``[P]`` the smaller and ``[P]`` the larger node of each tie, and ``[E]`` the tie of each edge."""
    width = max(num_nodes, 1)
    src, dst = edge_index[0], edge_index[1]
    # By the larger node first, so that ties are ordered by graph, too.
    cell, of_edge = torch.unique(torch.maximum(src, dst) * width + torch.minimum(src, dst), return_inverse=True)
    high = cell // width
    return cell - high * width, high, of_edge


@dataclass(frozen=True)
class Ties:
    """The P ties of a batch, ordered by graph.

    Attributes:
        low, high: ``[P]`` the two nodes, in the batch's numbering.
        of_edge: ``[E]`` the tie of each edge.
        graph: ``[P]`` the graph of each tie.
        counts: ``[G]`` ties per graph.
    """

    low: Tensor
    high: Tensor
    of_edge: Tensor
    graph: Tensor
    counts: Tensor

    @classmethod
    def of(cls, graph: Graph) -> "Ties":
        low, high, of_edge = unordered(graph.edge_index, graph.num_nodes)
        home = graph.batch.index_select(0, high)
        return cls(low, high, of_edge, home, begins(home, graph.num_graphs).diff())

    def hashes(self, graph: Graph, key: Key) -> Tensor:
        """``[P]`` one hash per tie, of (key, graph, its nodes' numbers within the graph)."""
        code = graph.local.index_select(0, self.high) << 32 | graph.local.index_select(0, self.low)
        return hash_ids(graph.keys(key).index_select(0, self.graph), code)
