"""Where each graph's nodes and edges lie: what every augmentation reads, for one graph or a batch alike."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphcl._random import Key, hash_ids

__all__ = ["Graph"]


@dataclass(frozen=True)
class Graph:
    """The structure of one graph or of G graphs side by side.

    Attributes:
        edge_index: ``[2, E]`` int64, numbered through the whole batch; the edges of a graph lie together.
        batch: ``[N]`` the graph of each node, ascending.
        ptr: ``[G + 1]`` the first node of each graph.
        graph_id: ``[G]`` the name under which a graph's randomness is drawn.
        x: ``[N, F]`` node features, or ``None``.
    """

    edge_index: Tensor
    batch: Tensor
    ptr: Tensor
    graph_id: Tensor
    x: Tensor | None

    @classmethod
    def of(cls, data: Data) -> "Graph":
        """The structure of a ``Data`` or ``Batch``; ``graph_id`` is read where there is one, else the position counts."""
        if not isinstance(data, Data):
            raise TypeError(f"expected a torch_geometric Data or Batch, got {type(data).__name__}")
        edge_index = data.edge_index
        if edge_index is None:
            raise ValueError("expected data with an edge_index, got none; give a graph without edges an empty [2, 0] one")
        num_nodes, device = data.num_nodes or 0, edge_index.device
        store = data._store
        batch, ptr = store.get("batch"), store.get("ptr")
        if batch is None:
            batch = torch.zeros(num_nodes, dtype=torch.int64, device=device)
            ptr = torch.tensor([0, num_nodes], device=device)
        elif ptr is None:
            counts = torch.bincount(batch, minlength=data.num_graphs if isinstance(data, Batch) else 0)
            ptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        graph_id = store.get("graph_id")
        if graph_id is None:
            graph_id = torch.arange(ptr.numel() - 1, device=device)
        return cls(edge_index, batch, ptr, graph_id.reshape(-1), store.get("x"))

    @property
    def num_graphs(self) -> int:
        return self.ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        return self.batch.numel()

    @property
    def num_edges(self) -> int:
        return self.edge_index.size(1)

    @property
    def device(self) -> torch.device:
        return self.edge_index.device

    @cached_property
    def sizes(self) -> Tensor:
        """``[G]`` nodes of each graph."""
        return self.ptr[1:] - self.ptr[:-1]

    @cached_property
    def local(self) -> Tensor:
        """``[N]`` each node's number within its graph."""
        return torch.arange(self.num_nodes, device=self.device) - self.ptr[self.batch]

    @cached_property
    def edge_batch(self) -> Tensor:
        """``[E]`` the graph of each edge."""
        return self.batch[self.edge_index[0]]

    @cached_property
    def edge_counts(self) -> Tensor:
        """``[G]`` edges of each graph."""
        counts = torch.zeros(self.num_graphs, dtype=torch.int64, device=self.device)
        return counts.scatter_add_(0, self.edge_batch, torch.ones_like(self.edge_batch))

    @cached_property
    def edge_ptr(self) -> Tensor:
        """``[G + 1]`` the first edge of each graph."""
        return torch.cat([self.edge_counts.new_zeros(1), self.edge_counts.cumsum(0)])

    def keys(self, key: Key) -> Tensor:
        """``[G]`` one key per graph: what makes a view independent of the batch that a graph happens to be in."""
        return hash_ids(key, self.graph_id)

    def node_hashes(self, key: Key) -> Tensor:
        """``[N]`` one hash per node, of (key, graph, number within the graph)."""
        return hash_ids(self.keys(key)[self.batch], self.local)

    def select(self, graphs: Tensor) -> tuple["Graph", Tensor, Tensor]:
        """The graphs where the ``[G]`` mask holds, and the positions of their nodes and edges here."""
        nodes = graphs[self.batch].nonzero().squeeze(1)
        edges = graphs[self.edge_batch].nonzero().squeeze(1)
        sizes = self.sizes[graphs]
        ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        number = graphs.cumsum(0) - 1
        shift = self.ptr[:-1][graphs] - ptr[:-1]
        batch = number[self.batch[nodes]]
        edge_index = self.edge_index[:, edges]
        edge_index = edge_index - shift[number[self.batch[edge_index[0]]]]
        x = None if self.x is None else self.x[nodes]
        return Graph(edge_index, batch, ptr, self.graph_id[graphs], x), nodes, edges
