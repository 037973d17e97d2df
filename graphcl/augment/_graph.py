"""Where each graph's nodes and edges lie: what every augmentation reads, for one graph or a batch alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.data.storage import N_KEYS, BaseStorage
from torch_geometric.utils import is_sparse

from graphcl._host import ascending
from graphcl._random import Key, hash_ids

__all__ = ["Graph", "begins", "check_grouped", "check_int64", "check_num_graphs", "names_of", "offsets", "unwrapped"]


def offsets(counts: Tensor) -> Tensor:
    """``[G + 1]`` where each of G runs begins, and the end of the last, from their ``[G]`` lengths."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def begins(group: Tensor, num_groups: int) -> Tensor:
    """``[G + 1]`` where each of G groups begins, and the end of the last, from the ascending groups of the elements."""
    return torch.searchsorted(group, torch.arange(num_groups + 1, device=group.device))


def unwrapped(edge_index: Tensor) -> Tensor:
    """PyG's ``EdgeIndex`` as the tensor in it: it refuses some arithmetic and notes an order of its own."""
    return edge_index.as_tensor() if isinstance(edge_index, EdgeIndex) else edge_index


def check_int64(name: str, value: Tensor) -> None:
    """``TypeError`` if ``value`` has another type than the numbers of nodes and graphs have in PyG."""
    if value.dtype != torch.int64:
        raise TypeError(f"expected {name} of dtype int64, got {value.dtype}; write {name}.long()")


def check_grouped(*columns: Tensor) -> None:
    """``ValueError`` unless each column, the graphs of nodes or edges in their order, is ascending."""
    if not all(map(ascending, columns)):
        raise ValueError(
            "expected nodes and edges grouped by graph, got a batch whose graphs are mixed up; make it with "
            "Batch.from_data_list, and apply transforms that add edges before"
        )


def check_num_graphs(store: BaseStorage, count: int) -> None:
    """``ValueError`` if PyG has noted another number of graphs than ``count``: those that were joined were batches."""
    noted = store.__dict__.get("_num_graphs", count)
    if noted > count == 1:
        raise ValueError(
            f"expected a graph or a whole batch, got what a loader has cut out of a batch of {noted} graphs; give the "
            "loader and its sampler one graph: Data.from_dict(batch.to_dict()) without its batch and ptr"
        )
    if noted != count:
        raise ValueError(
            f"expected a batch of single graphs, got one of {noted} batches with {count} graphs in them; join the "
            "graphs: Batch.from_data_list([graph for batch in batches for graph in batch.to_data_list()])"
        )


def names_of(names: Any, count: int, device: torch.device) -> Tensor:
    """``[G]`` the names of ``count`` graphs: their ``graph_id``, or their positions where there is ``None``."""
    if names is None:
        return torch.arange(count, device=device)
    try:
        names = torch.as_tensor(names, device=device).reshape(-1)
    except (TypeError, ValueError):  # words, for instance
        raise TypeError(f"expected integers in graph_id, got {names!r}; keep other names under another key") from None
    if names.dtype.is_floating_point or names.dtype == torch.bool:
        raise TypeError(f"expected integers in graph_id, got {names.dtype}")
    if names.numel() != count:
        raise ValueError(f"expected one graph_id for each of {count} graphs, got {names.numel()}")
    return names.long()


@dataclass(frozen=True)
class Graph:
    """The structure of one graph or of G graphs side by side.

    Attributes:
        edge_index: ``[2, E]`` int64, numbered through the whole batch; the edges of a graph lie together.
        batch: ``[N]`` the graph of each node, ascending.
        ptr: ``[G + 1]`` the first node of each graph.
        graph_id: ``[G]`` the name under which a graph's randomness is drawn.
        features: Node features, or ``None``.
        rows: ``[N]`` where in ``features`` the nodes are; ``None`` for all of them.
        stored: Every attribute of the data that this is a part of, by name.
        edge_rows: ``[E]`` where in edge-level attributes of ``stored`` the edges are; ``None`` for all of them.

    Example:
        >>> from torch_geometric.data import Batch
        >>> pair = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
        >>> graph = Graph.of(Batch.from_data_list([pair, pair]))
        >>> graph.sizes.tolist(), graph.local.tolist(), graph.edge_batch.tolist()
        ([2, 2], [0, 1, 0, 1], [0, 1])
    """

    edge_index: Tensor
    batch: Tensor
    ptr: Tensor
    graph_id: Tensor
    features: Tensor | None
    rows: Tensor | None = None
    stored: Mapping[str, Any] = field(default_factory=dict)
    edge_rows: Tensor | None = None

    @classmethod
    def of(cls, data: Data) -> "Graph":
        """The structure of a ``Data`` or ``Batch``; without a ``graph_id``, positions name the graphs."""
        if not isinstance(data, Data):
            other = "; take HeteroNodeDrop, HeteroEdgeDrop or HeteroFeatureMask" if isinstance(data, HeteroData) else ""
            raise TypeError(f"expected a torch_geometric Data or Batch, got {type(data).__name__}{other}")
        edge_index = data.edge_index
        if edge_index is None:
            sparse = "adj_t" in data._store
            raise ValueError(
                "expected data with an edge_index, got none; "
                + (
                    "leave out ToSparseTensor, which has put the edges into adj_t, or make adj_t after the views"
                    if sparse
                    else "give a graph without edges an empty [2, 0] one"
                )
            )
        edge_index = unwrapped(edge_index)
        check_int64("edge_index", edge_index)
        if edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(
                f"expected edge_index of shape [2, E], got {list(edge_index.shape)}; of [E, 2] write edge_index.t()"
            )
        batch, ptr = _nodes(data, edge_index.device)
        check_num_graphs(data._store, ptr.numel() - 1)
        stored = dict(data._store.items())
        x = stored.get("x")
        if isinstance(x, Tensor) and x.shape[:1] != batch.shape:
            raise ValueError(f"expected x with one row for each of {batch.numel()} nodes, got {list(x.shape)}")
        names = names_of(stored.get("graph_id"), ptr.numel() - 1, ptr.device)
        features = x if isinstance(x, Tensor) or is_sparse(x) else None
        graph = cls(edge_index, batch, ptr, names, features, stored=stored)
        slices = data._store.__dict__.get("_slice_dict", {}).get("edge_index")
        if "batch" in stored and (slices is None or int(slices[-1]) != graph.num_edges):
            # Not as PyG has collated them: put together by hand, or changed afterwards.
            check_grouped(batch, graph.edge_batch)
            astray = graph.edge_batch != batch.index_select(0, edge_index[1])
            if bool(astray.any()):
                raise ValueError(
                    f"expected edges within graphs, got {int(astray.sum())} from one graph of the batch into another; "
                    "if it is one graph, delete data.batch, else drop such edges"
                )
        return graph

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
    def x(self) -> Tensor | None:
        """``[N, F]`` node features, gathered only if someone asks."""
        if self.features is None or self.rows is None:
            return self.features
        return self.features.index_select(0, self.rows)

    def stored_features(self, purpose: str) -> Tensor:
        """The node features of the whole data; ``rows`` says where in them the nodes are.

        Raises:
            ValueError: There are none, or they are sparse; ``purpose`` says what they are needed for.
            TypeError: They are no tensor.
        """
        if self.features is None:
            given = self.stored.get("x")
            if given is not None:
                raise TypeError(
                    f"expected a tensor of node features to {purpose}, got a {type(given).__name__}; write "
                    "data.x = torch.as_tensor(data.x)"
                )
            raise ValueError(
                f"expected node features to {purpose}, got data without x; choose features when loading "
                "(features='constant'), give data of your own some (torch_geometric.transforms.Constant) or "
                "use an augmentation of the structure"
            )
        if is_sparse(self.features):
            raise ValueError(
                f"expected dense node features to {purpose}, got a sparse x; write data.x = data.x.to_dense()"
            )
        return self.features

    def stored_edges(self, name: str) -> Tensor:
        """An edge attribute of the whole data; ``edge_rows`` says where in it the edges are.

        Raises:
            ValueError: There is no such attribute, or it has not one row per edge.
        """
        value, edges = self.stored.get(name), self.stored.get("edge_index", self.edge_index).size(1)
        if name == "edge_index" or not isinstance(value, Tensor) or value.shape[:1] != (edges,):
            got = list(value.shape) if isinstance(value, Tensor) else "none" if value is None else type(value).__name__
            named = [key for key, v in self.stored.items() if key.startswith("edge_") and isinstance(v, Tensor)]
            raise ValueError(
                f"expected an edge attribute {name!r} with one row for each of {edges} edges, got {got}; what these "
                f"data have: {', '.join(key for key in named if key != 'edge_index') or 'no edge attributes'}"
            )
        return value

    @property
    def edge_pair(self) -> Tensor | None:
        """``[E]`` the names that :class:`PairIndex` has given to the pairs of the edges, if it has."""
        names, whole = self.stored.get("edge_pair"), self.stored.get("edge_index")
        if not isinstance(names, Tensor) or whole is None or names.shape != whole.shape[1:]:
            return None
        if names.dtype != torch.int64:
            return None
        return names if self.edge_rows is None else names.index_select(0, self.edge_rows)

    @cached_property
    def sizes(self) -> Tensor:
        """``[G]`` nodes of each graph."""
        return self.ptr.diff()

    @cached_property
    def local(self) -> Tensor:
        """``[N]`` each node's number within its graph."""
        if self.num_graphs == 1:
            return torch.arange(self.num_nodes, device=self.device)
        first = self.ptr.index_select(0, self.batch)
        return torch.sub(torch.arange(self.num_nodes, device=self.device), first, out=first)

    @cached_property
    def edge_batch(self) -> Tensor:
        """``[E]`` the graph of each edge."""
        if self.num_graphs == 1:
            return self.batch.new_zeros(1).expand(self.num_edges)
        return self.batch.index_select(0, self.edge_index[0])

    @cached_property
    def edge_ptr(self) -> Tensor:
        """``[G + 1]`` the first edge of each graph."""
        if self.num_graphs == 1:
            return torch.tensor([0, self.num_edges], device=self.device)
        # Whoever has put edges of a batch into another order (AddRemainingSelfLoops does) may have mixed them up.
        check_grouped(self.edge_batch)
        return torch.searchsorted(self.edge_index[0].contiguous(), self.ptr)

    @cached_property
    def edge_counts(self) -> Tensor:
        """``[G]`` edges of each graph."""
        return self.edge_ptr.diff()

    def keys(self, key: Key) -> Tensor:
        """``[G]`` one key per graph: what makes a view independent of the batch that a graph happens to be in."""
        return hash_ids(key, self.graph_id)

    def node_hashes(self, key: Key) -> Tensor:
        """``[N]`` one hash per node, of (key, graph, number within the graph)."""
        keys = self.keys(key)
        return hash_ids(keys if self.num_graphs == 1 else keys.index_select(0, self.batch), self.local)

    def split(self, part: Tensor, num_parts: int) -> list[tuple["Graph", Tensor, Tensor]]:
        """The graphs of each part (``part`` is ``[G]``), with the positions of their nodes and edges here.

        The graphs are sorted by part in one go, and the parts are slices of the result.
        """
        order = torch.argsort(part, stable=True)
        columns = (self.sizes, self.edge_counts, self.ptr, self.edge_ptr, self.graph_id, part)
        sizes, edge_counts, old, old_edge, graph_id, part = (t.index_select(0, order) for t in columns)
        ptr, edge_ptr = offsets(sizes), offsets(edge_counts)
        batch = torch.repeat_interleave(sizes, output_size=self.num_nodes)
        edge_batch = torch.repeat_interleave(edge_counts, output_size=self.num_edges)
        shift = old - ptr[:-1]
        nodes = torch.arange(self.num_nodes, device=self.device) + shift.index_select(0, batch)
        edges = torch.arange(self.num_edges, device=self.device) + (old_edge - edge_ptr[:-1]).index_select(
            0, edge_batch
        )
        edge_index = self.edge_index.index_select(1, edges) - shift.index_select(0, edge_batch)
        rows = nodes if self.rows is None else self.rows.index_select(0, nodes)
        edge_rows = edges if self.edge_rows is None else self.edge_rows.index_select(0, edges)
        ends = begins(part, num_parts)[1:]
        bounds = torch.stack([ends, ptr[ends], edge_ptr[ends]], 1).tolist()
        parts, g, n, e = [], 0, 0, 0
        for h, m, f in bounds:
            index = edge_index[:, e:f] - n
            place = (index, batch[n:m] - g, ptr[g : h + 1] - n, graph_id[g:h])
            graph = Graph(*place, self.features, rows[n:m], self.stored, edge_rows[e:f])
            parts.append((graph, nodes[n:m], edges[e:f]))
            g, n, e = h, m, f
        return parts


def _nodes(data: Data, device: torch.device) -> tuple[Tensor, Tensor]:
    """The graph of each node, and the first node of each graph."""
    store = data._store
    batch, ptr = store.get("batch"), store.get("ptr")
    if batch is None:
        if "num_nodes" not in store and not any(key in N_KEYS or "node" in key for key in store):
            raise ValueError(
                "expected data that tells its number of nodes, got neither x nor num_nodes; set data.num_nodes, as the "
                "edges do not tell how many nodes have none"
            )
        num_nodes = data.num_nodes or 0
        batch = torch.zeros(num_nodes, dtype=torch.int64, device=device)
        return batch, torch.tensor([0, num_nodes], device=device)
    check_int64("batch", batch)
    if ptr is None:
        ptr = offsets(torch.bincount(batch, minlength=data.num_graphs if isinstance(data, Batch) else 0))
    if int(ptr[-1]) != batch.numel():
        raise ValueError(
            f"expected a batch of {int(ptr[-1])} nodes, as its ptr says, got {batch.numel()}; Batch.subgraph and "
            f"transforms that drop nodes leave it stale: apply them to the graphs before batching"
        )
    return batch, ptr
