"""A graph's edges sorted by one end: what samplers, walks and partitions read."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._index import group, outside

__all__ = ["Adjacency", "check_nodes", "check_structure"]


@dataclass(frozen=True)
class Adjacency:
    """The edges of each node together, in the order of the data.

    Attributes:
        ptr: ``[N + 1]`` int64; the edges of node i are ``ptr[i]`` to ``ptr[i + 1]``.
        other: ``[E]`` the other end of each edge, int32 where that is wide enough: half as much memory to reach into.
        edge: ``[E]`` int64, where each edge stands in the data.
    """

    ptr: Tensor
    other: Tensor
    edge: Tensor

    @classmethod
    def of(cls, index: Tensor, other: Tensor, num_nodes: int) -> "Adjacency":
        """Sorted by ``index``; ``Adjacency.of(edge_index[1], edge_index[0], n)`` has the edges that enter a node."""
        ptr, edge = group(index, num_nodes)
        narrow = torch.int32 if num_nodes < 2**31 else torch.int64
        return cls(ptr, other.to(narrow).index_select(0, edge), edge)

    @property
    def num_nodes(self) -> int:
        return self.ptr.numel() - 1

    @property
    def device(self) -> torch.device:
        return self.ptr.device

    def positions(self, first: Tensor, counts: Tensor, total: int) -> Tensor:
        """``[total]`` the places ``first[i]``, ``first[i] + 1`` and so on, ``counts[i]`` of them for each i in turn."""
        begin = counts.cumsum(0) - counts
        shift = torch.repeat_interleave(first - begin, counts, output_size=total)
        return shift.add_(torch.arange(total, device=shift.device))


def check_structure(data: Any) -> tuple[Tensor, int]:
    """``edge_index`` and the number of nodes, or an error that says what is wrong with them."""
    if not isinstance(data, Data):
        raise TypeError(f"expected a torch_geometric Data, got {type(data).__name__}")
    edge_index, num_nodes = data.edge_index, int(data.num_nodes or 0)  # a user may have computed it by NumPy or torch
    if edge_index is None:
        raise ValueError(
            "expected data with an edge_index, got none; give a graph without edges an empty [2, 0] one, and turn an "
            "adj_t back into an edge_index"
        )
    if edge_index.dtype != torch.int64 or edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"expected edge_index of shape [2, E] and dtype int64, got {_told(edge_index)}")
    if not num_nodes:
        raise ValueError("expected a graph with nodes, got none")
    if (wrong := outside(edge_index, num_nodes)) is not None:
        raise ValueError(
            f"expected node numbers from 0 to {num_nodes - 1} in edge_index, got {wrong}; set data.num_nodes if there "
            "are more nodes than features tell"
        )
    return edge_index, num_nodes


def check_nodes(name: str, nodes: Tensor, num_nodes: int) -> None:
    """``ValueError`` unless ``nodes`` are node numbers of a graph of ``num_nodes``, at least one of them."""
    if nodes.dim() != 1 or nodes.dtype != torch.int64:
        raise ValueError(f"expected {name} as a 1-dim tensor of dtype int64, got {_told(nodes)}")
    if nodes.numel() == 0:
        raise ValueError(f"expected at least one node in {name}, got none")
    if (wrong := outside(nodes, num_nodes)) is not None:
        raise ValueError(f"expected {name} from 0 to {num_nodes - 1}, got {wrong}")


def _told(value: Tensor) -> str:
    return f"shape {list(value.shape)} and dtype {value.dtype}"
