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
        num_edges: E.
    """

    pattern: Pattern
    num_edges: int

    @classmethod
    def of(cls, edge_index: Tensor, num_nodes: int) -> "Looped":
        """The structure for ``edge_index`` ``[2, E]``; found again while the same tensor is used."""

        def make() -> Looped:
            nodes = torch.arange(num_nodes, device=edge_index.device)
            target, source = torch.cat([edge_index[1], nodes]), torch.cat([edge_index[0], nodes])
            return cls(Pattern.of(target, source, num_nodes, num_nodes), edge_index.size(1))

        return remember((edge_index,), ("looped", num_nodes), make)

    @cached_property
    def void(self) -> Tensor:
        """``[E + N]`` bool: the entries that weigh nothing."""
        with torch.inference_mode(False):  # autograd keeps it, also where an evaluation asked first
            return (self.pattern.row == self.pattern.col) & (self.pattern.pair < self.num_edges)

    @cached_property
    def source(self) -> Tensor:
        """``[E + N]``, for each entry the position of its weight in the edges' weights, 1, 0."""
        with torch.inference_mode(False):  # as above
            pair, row, num_nodes = self.pattern.pair.long(), self.pattern.row, self.pattern.ptr.numel() - 1
            # A node's self-loop weighs what the last of its own did, else 1.
            last = torch.full((num_nodes + 1,), -1, device=pair.device)
            last.scatter_reduce_(0, torch.where(self.void, row, num_nodes).long(), pair, "amax")
            last = torch.where(last < 0, self.num_edges, last).index_select(0, row)
            return torch.where(self.void, self.num_edges + 1, torch.where(pair < self.num_edges, pair, last))

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
