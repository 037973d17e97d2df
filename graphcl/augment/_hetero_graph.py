"""Where the nodes and edges of each type of a heterogeneous graph lie, for one graph or a batch alike."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.storage import BaseStorage
from torch_geometric.utils import is_sparse

from graphcl._random import Key, fold
from graphcl.augment._graph import Graph, check_grouped, check_int64, check_num_graphs, names_of, offsets, unwrapped

__all__ = ["EdgeType", "HeteroGraph", "Kind", "NodeType", "key_of"]

NodeType = str
EdgeType = tuple[str, str, str]
Kind = NodeType | EdgeType


def key_of(key: Key, kind: Kind) -> Key:
    """The key of a node or edge type, by its name: it does not depend on which other types there are."""
    name = kind if isinstance(kind, str) else "\0".join(kind)
    return fold(key, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "little"))


@dataclass(frozen=True)
class HeteroGraph:
    """The structure of one heterogeneous graph or of several side by side.

    Attributes:
        nodes: Per node type, its nodes as a :class:`Graph` without edges.
        edges: Per edge type, ``[2, E]`` the edges, numbered through the whole batch.
    """

    nodes: dict[NodeType, Graph]
    edges: dict[EdgeType, Tensor]

    @classmethod
    def of(cls, data: HeteroData) -> "HeteroGraph":
        """The structure of a ``HeteroData`` or a batch of them; without a ``graph_id``, positions name the graphs."""
        if not isinstance(data, HeteroData):
            raise TypeError(
                f"expected a torch_geometric HeteroData or a batch of them, got {type(data).__name__}; for nodes and "
                "edges of one type take NodeDrop, EdgeDrop or FeatureMask"
            )
        values = (value for store in data.stores for value in store.values())
        device = next((value.device for value in values if isinstance(value, Tensor)), torch.device("cpu"))
        noted = data._global_store.__dict__.get("_num_graphs", 0)
        nodes = {kind: _nodes(kind, store, device, noted) for kind, store in data.node_items()}
        counts = {kind: ptr.numel() - 1 for kind, (_, ptr) in nodes.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"expected every node type in the same number of graphs, got {counts}")
        count = next(iter(counts.values()), 1)
        check_num_graphs(data._global_store, count)
        names = names_of(data._global_store.get("graph_id"), count, torch.device("cpu"))
        graphs = {
            kind: Graph(batch.new_empty(2, 0), batch, ptr, names.to(ptr.device), data[kind].get("x"))
            for kind, (batch, ptr) in nodes.items()
        }
        graph = cls(graphs, {kind: _edges(kind, store, graphs) for kind, store in data.edge_items()})
        if "_slice_dict" not in data._global_store.__dict__:
            # Not collated by PyG: put together by hand, or by a loader.
            check_grouped(*(nodes.batch for nodes in graphs.values()), *map(graph.edge_batch, graph.edges))
        return graph

    def edge_batch(self, kind: EdgeType) -> Tensor:
        """``[E]`` the graph of each edge."""
        return self.nodes[kind[0]].batch.index_select(0, self.edges[kind][0])


def _nodes(kind: NodeType, store: BaseStorage, device: torch.device, num_graphs: int) -> tuple[Tensor, Tensor]:
    """The graph of each node of a type, and the first node of each of (at least ``num_graphs``) graphs."""
    batch, ptr = store.get("batch"), store.get("ptr")
    if batch is None:
        if not store.can_infer_num_nodes:
            raise ValueError(
                f"expected the number of nodes of type {kind!r}, got neither x nor num_nodes; set "
                f"data[{kind!r}].num_nodes, as the edges do not tell how many nodes have none"
            )
        count = store.num_nodes or 0
        return torch.zeros(count, dtype=torch.int64, device=device), torch.tensor([0, count], device=device)
    check_int64(f"data[{kind!r}].batch", batch)
    if ptr is None:
        ptr = offsets(torch.bincount(batch, minlength=num_graphs))
    if int(ptr[-1]) != batch.numel():
        raise ValueError(
            f"expected {int(ptr[-1])} nodes of type {kind!r}, as its ptr says, got {batch.numel()}; transforms that "
            f"drop nodes leave a batch stale: apply them to the graphs before batching"
        )
    return batch, ptr


def _edges(kind: EdgeType, store: BaseStorage, nodes: dict[NodeType, Graph]) -> Tensor:
    edge_index = store.get("edge_index")
    if not isinstance(edge_index, Tensor) or is_sparse(edge_index):
        raise ValueError(f"expected an edge_index of edge type {kind}, got none; a sparse adj_t cannot be augmented")
    edge_index = unwrapped(edge_index)
    check_int64(f"data[{kind}].edge_index", edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"expected edge_index of {kind} of shape [2, E], got {list(edge_index.shape)}; of [E, 2] write "
            "edge_index.t()"
        )
    missing = sorted({kind[0], kind[2]} - nodes.keys())
    if missing:
        raise ValueError(f"expected nodes of type {missing[0]!r}, as edge type {kind} has, got types {sorted(nodes)}")
    return edge_index
