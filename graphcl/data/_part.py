"""Parts of a large graph: some of its nodes, the edges between them, and what belongs to both."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_sparse

from graphcl._host import where
from graphcl._links import is_of_links
from graphcl.data._adjacency import Adjacency, check_structure
from graphcl.data._numbering import Numbering

__all__ = ["Parts"]


class Parts:
    """Cuts subgraphs out of one graph; the cost is that of the edges that leave their nodes."""

    def __init__(self, data: Data) -> None:
        edge_index, self.num_nodes = check_structure(data)
        _check_layouts(data)
        self.data = data
        self.leaving = Adjacency.of(edge_index[0], edge_index[1], self.num_nodes)
        self._numbering: Numbering | None = None

    def cut(self, nodes: Tensor) -> Data:
        """The subgraph of ``nodes`` (different ones), in their order, with edges by ascending source.

        It has ``n_id`` and ``e_id``, where its nodes and edges stand in the graph. An ``n_id`` or ``e_id`` that the
        data have already is cut like any other attribute. Other links than the edges, such as ``edge_label_index``,
        stay whole, in the numbers of the graph, even if there are as many of them as edges. A class of data with rules
        of its own for its attributes is that of the part, too; what is cut out of a batch is one graph.
        """
        first = self.leaving.ptr.index_select(0, nodes)
        degree = self.leaving.ptr.index_select(0, nodes + 1) - first
        places = self.leaving.positions(first, degree, int(degree.sum()))
        numbering, self._numbering = self._numbering or Numbering(self.num_nodes, nodes.device), None
        numbering.start(nodes)
        target = numbering.find(self.leaving.other.index_select(0, places))
        numbering.finish(nodes)
        self._numbering = numbering
        inside = where(target >= 0)
        source = torch.repeat_interleave(degree, output_size=places.numel()).index_select(0, inside)
        edge_index = torch.stack([source, target.index_select(0, inside).long()])
        return self._with_attributes(
            nodes, edge_index, self.leaving.edge.index_select(0, places.index_select(0, inside))
        )

    def _with_attributes(self, nodes: Tensor, edge_index: Tensor, edges: Tensor) -> Data:
        one_graph = not isinstance(self.data, Batch)
        part = copy.copy(self.data) if one_graph else Data()
        part.edge_index, part.num_nodes = edge_index, nodes.numel()
        for name, value in self.data._store.items():
            if name in ("edge_index", "num_nodes") or (not one_graph and name in ("batch", "ptr")):
                continue
            chosen = self._chosen(name, nodes, edges)
            part[name] = value if chosen is None else _cut(value, self.data.__cat_dim__(name, value), chosen)
        for name, ids in (("n_id", nodes), ("e_id", edges)):
            if name not in part:
                part[name] = ids
        return part

    def _chosen(self, name: str, nodes: Tensor, edges: Tensor) -> Tensor | None:
        """Which of an attribute's values the part has; None where they are neither of nodes nor of edges."""
        if is_of_links(self.data._store, name):
            return None
        return nodes if self.data.is_node_attr(name) else edges if self.data.is_edge_attr(name) else None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_numbering": None}


def _check_layouts(data: Data) -> None:
    """Refuse what is sparse and would stay whole in a part, or cannot be cut: torch selects rows of COO alone."""
    for name, value in data._store.items():
        if is_sparse(value) and not isinstance(data.__cat_dim__(name, value), int) and value.size(0) == data.num_nodes:
            raise ValueError(
                f"expected dense attributes, got the sparse {name!r}, which would stay whole in a part; delete "
                f"data.{name} and make it anew of each part's edge_index"
            )
        whole = not isinstance(value, Tensor) or value.layout in (torch.strided, torch.sparse_coo)
        if not whole and (data.is_node_attr(name) or data.is_edge_attr(name)):
            raise ValueError(
                f"expected {name!r} to be dense or sparse COO, got {value.layout}; write data.{name} = "
                f"data.{name}.to_dense()"
            )


def _cut(value: Any, dim: int, chosen: Tensor) -> Any:
    """What ``value``, one of something for each node or edge, has for the chosen ones."""
    if isinstance(value, Tensor):
        return value.index_select(dim, chosen.to(value.device))
    if isinstance(value, np.ndarray):
        return value.take(chosen.cpu().numpy(), dim)
    if isinstance(value, list | tuple):
        return type(value)(value[i] for i in chosen.tolist())
    return value[chosen]  # such as a TensorFrame
