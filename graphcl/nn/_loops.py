"""The sorted edges of a graph with exactly one self-loop at every node, as PyG's GCN and GAT want them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from graphcl.nn._cache import remember
from graphcl.nn.weighted import Pattern

__all__ = ["Looped", "edge_weights"]


@dataclass(frozen=True)
class Looped:
    """The edges as they came, an edge from each node to itself behind them, and where each entry's weight comes from.

    Self-loops that came are left where they are and weigh nothing, so that nothing depends on how many there are.

    Attributes:
        pattern: The entries of ``E`` edges and ``N`` self-loops.
        source: ``[E + N]``, for each entry the position of its weight in the edges' weights, 1, 0.
    """

    pattern: Pattern
    source: Tensor

    @classmethod
    def of(cls, edge_index: Tensor, num_nodes: int) -> "Looped":
        """The structure for ``edge_index`` ``[2, E]``; found again while the same tensor is used."""
        return remember((edge_index,), ("looped", num_nodes), lambda: cls._made(edge_index, num_nodes))

    @classmethod
    def _made(cls, edge_index: Tensor, num_nodes: int) -> "Looped":
        (source, target), device = edge_index, edge_index.device
        size, nodes = source.numel(), torch.arange(num_nodes, device=device)
        pattern = Pattern.of(torch.cat([target, nodes]), torch.cat([source, nodes]), num_nodes, num_nodes)
        position, is_loop = torch.arange(size, device=device), source == target
        # A node's self-loop weighs what the last of its own did, else 1.
        last = torch.full((num_nodes + 1,), -1, device=device)
        last.scatter_reduce_(0, torch.where(is_loop, source, num_nodes), position, "amax")
        own = torch.where(last[:-1] < 0, size, last[:-1])
        origin = torch.cat([torch.where(is_loop, size + 1, position), own])
        return cls(pattern, origin.index_select(0, pattern.pair))

    @cached_property
    def void(self) -> Tensor:
        """``[E + N]`` bool: the entries that weigh nothing."""
        return self.source == self.pattern.col.numel() - self.pattern.ptr.numel() + 2

    def weights(self, edge_weight: Tensor | None, dtype: torch.dtype) -> Tensor:
        """``[E + N]``, the weight of each entry; 1 for every edge without ``edge_weight``."""
        if edge_weight is None:
            return self.void.logical_not().to(dtype)
        constants = torch.tensor([1, 0], dtype=dtype, device=edge_weight.device)
        return torch.cat([edge_weight.to(dtype), constants]).index_select(0, self.source)


def edge_weights(edge_weight: Tensor, num_edges: int) -> Tensor:
    """``[E]`` from ``[E]`` or ``[E, 1]``."""
    if edge_weight.numel() != num_edges or edge_weight.dim() > 2:
        raise ValueError(
            f"expected edge_weight with one number for each of {num_edges} edges, got {list(edge_weight.shape)}"
        )
    return edge_weight.reshape(-1)
