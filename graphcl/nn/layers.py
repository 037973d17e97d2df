"""Networks as layers that can be computed one after the other, each for some of the nodes at a time."""

import copy
from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import EdgeConv, GCNConv, GINConv, LayerNorm, MessagePassing, SAGEConv
from torch_geometric.nn import norm as norms
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.utils import add_self_loops, remove_self_loops, softmax

from graphcl.nn._signature import inner
from graphcl.nn._stack import Stack
from graphcl.nn.embeddings import GraphEncoder
from graphcl.nn.gat import GAT
from graphcl.nn.gcn import GCN
from graphcl.nn.gin import GIN
from graphcl.nn.sage import SAGE, mean_adjacency
from graphcl.nn.weighted import SparseMatrix

__all__ = ["Edges", "Layers", "layers_of"]


class Edges(NamedTuple):
    """``edge_index`` [2, E], by ascending target; ``edge_weight`` [E] and ``edge_attr`` [E, ...] if there are any."""

    edge_index: Tensor
    edge_weight: Tensor | None = None
    edge_attr: Tensor | None = None


class Layers(NamedTuple):
    """How a network is computed layer by layer.

    Attributes:
        steps: One function for each layer, with the signature (x [S, F], edges, n) -> [n, H]: the new rows of the first
            n nodes, which all of ``edges`` enter, from the S nodes at either end of them.
        widths: H of each layer.
        all_outputs: Whether the embedding is made from all layers, side by side, or from the last one.
        head: What is applied to the outputs of the layers (a list of [n, H]), or None for these side by side.
        prepare: What is done once to the edges of the whole graph (edges, number of nodes) -> edges, such as a
            normalisation by degrees; it may add edges, in any order.
    """

    steps: Sequence[Callable[[Tensor, Edges, int], Tensor]]
    widths: Sequence[int]
    all_outputs: bool = False
    head: Callable[[list[Tensor]], Tensor] | None = None
    prepare: Callable[[Edges, int], Edges] | None = None


@singledispatch
def layers_of(model: nn.Module) -> Layers:
    """The layers of a network; ``layers_of.register`` teaches it another class.

    Raises:
        TypeError: The class is not known.
        ValueError: A normalisation of the network looks at all nodes at once.

    Example:
        >>> layers_of(GIN(4, hidden_channels=8, num_layers=2)).widths
        [8, 8]
    """
    mend = "register a function for it with graphcl.nn.layers_of.register"
    if isinstance(getattr(model, "encoder", None), GraphEncoder):
        mend = "give method.encoder, where the embeddings are the encoder's"
    raise TypeError(
        f"expected a network whose layers are known (graphcl.nn.GIN, a torch_geometric.nn model), got "
        f"{type(model).__name__}; {mend}"
    )


@layers_of.register
def _graph_encoder(model: GraphEncoder) -> Layers:
    return layers_of(inner(model.gnn))  # of a compiled network the layers are not


@layers_of.register
def _gin(model: GIN) -> Layers:
    _check_forward(model, GIN)

    def step(lower: nn.Module, upper: nn.Module, norm: nn.Module, x: Tensor, edges: Edges, n: int) -> Tensor:
        return norm(upper(lower(x[:n] + _weighted_sum(x, edges, n)).relu()).relu())

    _check_norms(model)
    steps = [partial(step, *parts) for parts in zip(model.lower, model.upper, model.norms, strict=True)]
    return Layers(steps, [model.hidden_channels] * model.num_layers, all_outputs=True)


@layers_of.register
def _stack(model: Stack) -> Layers:
    kind = next((known for known in _CONVOLUTIONS if isinstance(model, known)), None)
    if kind is None:
        return layers_of.dispatch(nn.Module)(model)
    _check_forward(model, kind)
    _check_norms(model)
    convolve, prepare = _CONVOLUTIONS[kind]
    dtype = torch.promote_types(next(model.parameters()).dtype, torch.float32)  # as the encoders do

    def step(i: int, conv: Any, x: Tensor, edges: Edges, n: int) -> Tensor:
        rows = convolve(conv, x, edges, n)
        return model.activations[i](model.norms[i](rows)) if i < len(model.norms) else rows

    steps = [partial(step, i, conv) for i, conv in enumerate(model.convs)]
    return Layers(steps, model.widths, model.jk == "cat", prepare=partial(prepare, model, dtype))


def _convolve_gcn(conv: Any, x: Tensor, edges: Edges, n: int) -> Tensor:
    return F.linear(_weighted_sum(x, edges, n), conv.weight, conv.bias)


def _prepare_gcn(model: Any, dtype: torch.dtype, edges: Edges, num_nodes: int) -> Edges:
    return _entries(model.adjacency(edges.edge_index, num_nodes, edges.edge_weight, dtype))


def _convolve_sage(conv: Any, x: Tensor, edges: Edges, n: int) -> Tensor:
    return conv.neighbours(_weighted_sum(x, edges, n)) + conv.root(x[:n])


def _prepare_sage(model: Any, dtype: torch.dtype, edges: Edges, num_nodes: int) -> Edges:
    return _entries(mean_adjacency(edges.edge_index, num_nodes, edges.edge_weight, dtype=dtype))


def _entries(matrix: SparseMatrix) -> Edges:
    """A matrix as weighted edges."""
    counted = matrix.value != 0
    index = torch.stack([matrix.pattern.col, matrix.pattern.row])[:, counted]
    return Edges(index.long(), matrix.value[counted])


def _convolve_gat(conv: Any, x: Tensor, edges: Edges, n: int) -> Tensor:
    source, target = edges.edge_index
    mapped = F.linear(x, conv.weight).unflatten(1, (conv.heads, -1))
    score = (mapped * conv.source).sum(2)[source] + (mapped * conv.target).sum(2)[target]
    share = softmax(F.leaky_relu(score, conv.negative_slope), target, num_nodes=n)
    mixed = mapped.new_zeros(n, *mapped.shape[1:]).index_add_(0, target, mapped[source] * share[..., None])
    return (mixed.flatten(1) if conv.concat else mixed.mean(1)) + conv.bias


def _prepare_gat(model: Any, dtype: torch.dtype, edges: Edges, num_nodes: int) -> Edges:
    index, _ = remove_self_loops(edges.edge_index)
    return Edges(add_self_loops(index, num_nodes=num_nodes)[0])


_Convolve = Callable[[Any, Tensor, Edges, int], Tensor]
_Prepare = Callable[[Any, torch.dtype, Edges, int], Edges]
_CONVOLUTIONS: dict[type[Stack], tuple[_Convolve, _Prepare]] = {
    GCN: (_convolve_gcn, _prepare_gcn),
    SAGE: (_convolve_sage, _prepare_sage),
    GAT: (_convolve_gat, _prepare_gat),
}


@layers_of.register
def _basic_gnn(model: BasicGNN) -> Layers:
    _check_forward(model, BasicGNN)
    _check_norms(model)
    joins = model.jk_mode is not None

    def step(i: int, conv: Any, x: Tensor, edges: Edges, n: int) -> Tensor:
        values: dict[str, Tensor | None] = {}
        if model.supports_edge_weight:
            values["edge_weight"] = edges.edge_weight
        if model.supports_edge_attr:
            values["edge_attr"] = edges.edge_attr
        # Where the convolution allows it, nothing is computed for nodes that only send.
        rows: Tensor
        if type(conv) is GCNConv and conv.aggr in ("add", "sum"):
            rows = conv.lin(_weighted_sum(x, edges, n)) + (0.0 if conv.bias is None else conv.bias)
        elif isinstance(conv, SAGEConv | GINConv | EdgeConv):
            rows = conv((x, x[:n]), edges.edge_index, **values)
        else:
            rows = conv(x, edges.edge_index, **values)[:n]
        if i == model.num_layers - 1 and not joins:
            return rows
        if model.act is not None and model.act_first:
            rows = model.act(rows)
        rows = model.norms[i](rows)
        return rows if model.act is None or model.act_first else model.act(rows)

    convs, prepare = _normalised_once(list(model.convs))
    widths = [model.hidden_channels] * (model.num_layers - 1) + [model.hidden_channels if joins else model.out_channels]
    steps = [partial(step, i, conv) for i, conv in enumerate(convs)]
    several = model.jk_mode in ("cat", "max", "lstm")

    def head(outputs: list[Tensor]) -> Tensor:
        return model.lin(model.jk(outputs) if several else outputs[-1])

    return Layers(steps, widths, several, head if joins else None, prepare)


def _weighted_sum(x: Tensor, edges: Edges, n: int) -> Tensor:
    """``[n, F]`` the sum over the edges that enter each of the first n nodes, by their weights."""
    source, target = edges.edge_index
    if source.numel() == 0:
        return x.new_zeros(n, x.size(1))
    begins = torch.searchsorted(target, torch.arange(n, device=target.device))
    weight = None if edges.edge_weight is None else edges.edge_weight.to(x.dtype)
    return F.embedding_bag(source, x, begins, mode="sum", per_sample_weights=weight)


def _normalised_once(convs: list[Any]) -> tuple[list[Any], Callable[[Edges, int], Edges] | None]:
    """Convolutions without their normalisation, which is done once: a block does not know its sources' degrees."""
    for conv in convs:
        if isinstance(conv, MessagePassing) and conv.flow != "source_to_target":
            raise ValueError(f"expected messages that flow from source to target, got flow={conv.flow!r}")
    if not all(isinstance(conv, GCNConv) and conv.normalize for conv in convs):
        return convs, None
    first = convs[0]
    copies = [copy.copy(conv) for conv in convs]  # they share the weights
    for conv in copies:
        conv.normalize, conv.cached = False, False

    def prepare(edges: Edges, num_nodes: int) -> Edges:
        kind = first.lin.weight.dtype
        return Edges(
            *gcn_norm(edges.edge_index, edges.edge_weight, num_nodes, first.improved, first.add_self_loops, dtype=kind)
        )

    return copies, prepare


def _check_forward(model: nn.Module, known: type[nn.Module]) -> None:
    if type(model).forward is not known.forward:
        raise TypeError(
            f"{type(model).__name__} has a forward of its own, so its layers are not known to be those of "
            f"{known.__name__}; register a function for it with graphcl.nn.layers_of.register"
        )


def _check_norms(model: nn.Module) -> None:
    rowwise = (norms.BatchNorm, norms.MessageNorm)
    others = tuple(getattr(norms, name) for name in norms.__all__)
    for module in model.modules():
        by_batch = isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
        by_graph = isinstance(module, others) and not isinstance(module, rowwise)
        if isinstance(module, LayerNorm):
            by_graph = module.mode != "node"
        if by_batch or by_graph:
            raise ValueError(
                f"expected normalisation of each node by itself, got {module}, which looks at all nodes at once; use "
                "batch normalisation with running statistics, or layer normalisation with mode='node'"
            )
