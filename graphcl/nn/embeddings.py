"""From any message-passing network to node and graph embeddings."""

from collections.abc import Sequence
from contextlib import nullcontext
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn.aggr import Aggregation

from graphcl.distributed import is_one_batch, own_rows
from graphcl.nn._checks import check_edges, count_graphs
from graphcl.nn._joining import check_one_each, is_dense, join_edges, join_rows, join_weights, weight_of
from graphcl.nn._signature import (
    check_forward,
    check_not_cached,
    inner,
    reads_edge_attr,
    requires,
    takes,
    takes_batch,
    takes_weights,
)
from graphcl.nn.base import EdgeEncoder, JointEncoder
from graphcl.nn.readouts import Readout, as_readout, sum_readout, width_of

__all__ = ["Embeddings", "GraphEncoder"]


class Embeddings(NamedTuple):
    """What an encoder returns: the embeddings of nodes ``[N, D]`` and of graphs ``[G, D]``."""

    node: Tensor
    graph: Tensor


class GraphEncoder(nn.Module):
    """A message-passing network with a readout on top: graphs in, :class:`Embeddings` out.

    Edge weights (``data.edge_weight``, which diffusion writes) reach a network whose ``forward`` has an argument
    ``edge_weight``; others do without. One with an argument ``batch``, as PyG's models need it for a norm over graphs,
    is told the graph of each node.

    Args:
        gnn: Any module with PyG's ``forward(x, edge_index)`` to node embeddings ``[N, D]``, and an attribute
            ``out_channels``, D: the package's own :class:`GIN` or :class:`GCN`, a ``torch_geometric.nn`` model such as
            ``GCN(..., jk="cat")``, or your own.
        readout: From node to graph embeddings; :func:`sum_readout` by default. PyG's pooling functions and
            aggregations (``torch_geometric.nn.aggr``) do as well.
        edge_attr: Pass the edge features on, as ``edge_attr=``; by default to a network whose ``forward`` has an
            argument of that name, unless all its layers were made without (PyG's ``GAT`` without ``edge_dim``).

    Raises:
        TypeError: The network has a ``forward`` of another kind, such as ``forward(data)``.
        ValueError: A layer keeps the edges of its first call (PyG's ``cached=True``);
            at the call, the data or what the network returns are not as expected.

    Example:
        >>> from graphcl.nn import GIN
        >>> encoder = GraphEncoder(GIN(4))
        >>> encoder(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).graph.shape
        torch.Size([1, 96])
    """

    def __init__(
        self, gnn: nn.Module, readout: Readout | Aggregation = sum_readout, *, edge_attr: bool | None = None
    ) -> None:
        super().__init__()
        check_forward(gnn)
        check_not_cached(gnn)
        self.gnn = gnn
        self.readout = as_readout(readout)
        self.edge_attr = isinstance(inner(gnn), EdgeEncoder) or (
            reads_edge_attr(gnn) if edge_attr is None else edge_attr
        )
        self._relied_on = False  # nobody has built on the width that the network says it has

    @property
    def out_channels(self) -> int:
        """D, as far as the network says so (``out_channels``, as PyG's models do)."""
        width = getattr(self.gnn, "out_channels", None)
        if not isinstance(width, Integral):
            raise ValueError(
                f"expected {self._name} to have an integer out_channels, got {width!r}; "
                "set it, or give the method a head of your own"
            )
        self._relied_on = True
        return int(width)

    @property
    def _is_joint(self) -> bool:
        """Whether it can keep views apart in one pass; a subclass with a ``forward`` of its own may not."""
        return isinstance(inner(self.gnn), (JointEncoder, EdgeEncoder)) and takes(self.gnn, "splits")

    @property
    def _name(self) -> str:
        return type(inner(self.gnn)).__name__

    @property
    def graph_channels(self) -> int:
        """The width of the graph embeddings, that of the nodes unless the readout is wider."""
        return width_of(self.readout, self.out_channels)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor | None = None,
        *,
        edge_attr: Tensor | None = None,
        num_graphs: int | None = None,
        splits: Sequence[int] | None = None,
        edge_weight: Tensor | None = None,
        graph_splits: Sequence[int] | None = None,
    ) -> Embeddings:
        """Encode the graphs that ``batch`` ``[N]`` tells apart (one graph without it)."""
        if x is None:
            raise ValueError("expected node features x, got none; choose features when loading (features='constant')")
        if not isinstance(x, Tensor):
            raise TypeError(f"expected node features x as a tensor [N, F], got {type(x).__name__}")
        if not isinstance(edge_index, Tensor):
            raise ValueError(
                f"expected edge_index of shape [2, E], got {edge_index}; without edges it is [2, 0], and where there "
                "is an adj_t leave out ToSparseTensor"
            )
        if edge_index.layout == torch.strided:  # PyG's models take a sparse matrix as well
            check_edges(edge_index)
        if batch is None:
            batch, num_graphs = x.new_zeros(x.size(0), dtype=torch.int64), 1
        elif num_graphs is None:
            num_graphs = count_graphs(batch)
        with own_rows() if is_one_batch() else nullcontext():  # its norms are to look at the other ranks' rows
            if isinstance(inner(self.gnn), EdgeEncoder):
                counts = {"num_graphs": num_graphs, "splits": splits, "graph_splits": graph_splits}
                counts |= self._weights_of(edge_weight)
                node = self.gnn(x, edge_index, edge_attr, batch=batch, **counts)
            else:
                x = x if x.is_floating_point() else x.float()
                node = self._call(x, edge_index, self._options(batch, edge_attr, edge_weight, splits, x.dtype))
            return Embeddings(node, self.readout(node, batch, num_graphs))

    def _options(
        self,
        batch: Tensor,
        edge_attr: Tensor | None,
        edge_weight: Tensor | None,
        splits: Sequence[int] | None,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """What the network's ``forward`` takes of the rest of a graph."""
        options: dict[str, Any] = {"splits": splits} if self._is_joint else {}
        if self.edge_attr:
            if edge_attr is None and requires(self.gnn, "edge_attr"):
                raise ValueError(
                    f"expected edge features for {self._name}, got data without edge_attr; of "
                    "views, augmentations that make edges anew, such as diffusion, have none"
                )
            options["edge_attr"] = edge_attr
        if takes_batch(self.gnn):
            options["batch"] = batch
        # Our own networks take any type, and norms of 16-bit weights in more.
        return options | self._weights_of(edge_weight, None if isinstance(inner(self.gnn), JointEncoder) else dtype)

    def _weights_of(self, edge_weight: Tensor | None, dtype: torch.dtype | None = None) -> dict[str, Any]:
        """The edge weights, for a network that takes them: one number each, of the type given."""
        if edge_weight is not None and not takes_weights(self.gnn):
            raise ValueError(f"expected no edge_weight, got one; {self._name} does not take it")
        given = edge_weight is not None or requires(self.gnn, "edge_weight")
        if edge_weight is not None and edge_weight.dim() == 2 and edge_weight.size(1) == 1:  # as OGB has them
            edge_weight = edge_weight.squeeze(1)
        if edge_weight is not None and dtype is not None:
            edge_weight = edge_weight.to(dtype)
        return {"edge_weight": edge_weight} if given else {}

    def _checked(self, x: Tensor, node: Any) -> Tensor:
        """What the network has made of ``x``, if that is one embedding per node, as wide as it says."""
        if not isinstance(node, Tensor) or node.dim() != 2 or node.size(0) != x.size(0):
            got = list(node.shape) if isinstance(node, Tensor) else type(node).__name__
            raise ValueError(
                f"expected {self._name} to return node embeddings [{x.size(0)}, D], got {got}; give it "
                "without its pooling, which is the readout's part, and let it return one tensor"
            )
        if self._relied_on and node.size(1) != (width := getattr(self.gnn, "out_channels", None)):
            raise ValueError(
                f"expected {self._name} to return embeddings as wide as its out_channels, {width}, got "
                f"{node.size(1)}; put it into a module whose out_channels is {node.size(1)}, and make a method of that"
            )
        return node

    def _call(self, x: Tensor, edge_index: Tensor, options: dict[str, Any]) -> Tensor:
        """One embedding per node; where the network fails, its complaint says what it was given."""
        if torch.compiler.is_compiling():
            return self._checked(x, self.gnn(x, edge_index, **options))
        try:
            node = self.gnn(x, edge_index, **options)
        except (RuntimeError, IndexError) as error:
            weight = next((p for p in self.gnn.parameters() if p.is_floating_point()), None)
            own = "it has no weights" if weight is None else f"its weights are {weight.dtype} on {weight.device}"
            width = getattr(self.gnn, "in_channels", None)
            own += f", its in_channels {width}" if isinstance(width, Integral) else ""
            error.add_note(f"{self._name} was given x {list(x.shape)} of {x.dtype} on {x.device}; {own}.")
            raise
        return self._checked(x, node)

    def encode(self, data: Data) -> Embeddings:
        """The embeddings of a ``Data`` or ``Batch``."""
        batch, num_graphs = batch_and_count(data)
        options = {"edge_attr": self.edge_attr_of(data)}
        if takes_weights(self.gnn):
            options["edge_weight"] = weight_of(data)
        return self(data.x, data.edge_index, batch, num_graphs=num_graphs, **options)

    def encode_views(self, views: Sequence[Data]) -> list[Embeddings]:
        """The embeddings of several views, in one pass where the network can keep their statistics apart."""
        # What lacks something, or is sparse, is told so one by one.
        complete = all(is_dense(view.x) and is_dense(view.edge_index) for view in views)
        if not self._is_joint or not complete:
            return [self.encode(view) for view in views]
        sizes = [view.x.size(0) for view in views]
        counts, batches, graph = [], [], 0
        attributes = [attr for view in views if (attr := self.edge_attr_of(view)) is not None]
        for view, size in zip(views, sizes, strict=True):
            batch, count = batch_and_count(view)
            batches.append(view.edge_index.new_full((size,), graph) if batch is None else batch + graph)
            counts.append(count)
            graph += count
        x, edge_index = join_rows([view.x for view in views]), join_edges([view.edge_index for view in views], sizes)
        options: dict[str, Any] = {"edge_attr": None}
        if len(attributes) == len(views):
            check_one_each("edge_attr", attributes, views)
            options["edge_attr"] = torch.cat(attributes)
        if takes_weights(self.gnn):
            options["edge_weight"] = join_weights(views)
        parts = {"splits": sizes, "graph_splits": counts}
        out = self(x, edge_index, torch.cat(batches), num_graphs=graph, **parts, **options)
        return [Embeddings(n, g) for n, g in zip(out.node.split(sizes), out.graph.split(counts), strict=True)]

    def edge_attr_of(self, data: Data) -> Tensor | None:
        """The edge features of the data, if the network is to have them."""
        return data._store.get("edge_attr") if self.edge_attr else None


def no_encoder(given: object) -> TypeError:
    """The error where something else is given for a :class:`GraphEncoder`, such as what has one, or a network."""
    within = isinstance(getattr(given, "encoder", None), GraphEncoder)
    mend = "give its encoder: .encoder" if within else "wrap the network: GraphEncoder(network)"
    return TypeError(f"expected a GraphEncoder, got {type(given).__name__}; {mend}")


def batch_and_count(data: Data) -> tuple[Tensor | None, int]:
    """The batch vector, if there is one, and the number of graphs."""
    batch, ptr = data._store.get("batch"), data._store.get("ptr")
    if batch is None:
        return None, 1
    if isinstance(data, Batch):
        return batch, data.num_graphs
    return batch, count_graphs(batch) if ptr is None else ptr.numel() - 1
