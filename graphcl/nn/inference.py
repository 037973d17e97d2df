"""Embeddings of a graph that does not fit: layer after layer, and each layer a few nodes at a time."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from graphcl._index import group, outside
from graphcl.nn._loops import edge_weights
from graphcl.nn._modes import evaluating
from graphcl.nn._signature import inner, takes_weights
from graphcl.nn.embeddings import GraphEncoder
from graphcl.nn.layers import Edges, layers_of

__all__ = ["Rows", "embed_layerwise"]


@runtime_checkable
class Rows(Protocol):
    """Features that are read by rows: ``features[ids]`` is a tensor ``[len(ids), F]`` for int64 ``ids``."""

    @property
    def shape(self) -> Sequence[int]: ...

    def __getitem__(self, ids: Tensor, /) -> Tensor: ...


def embed_layerwise(
    model: nn.Module,
    x: Tensor | npt.NDArray[Any] | Rows,
    edge_index: Tensor,
    *,
    edge_weight: Tensor | None = None,
    edge_attr: Tensor | None = None,
    budget: int = 1 << 15,
) -> Tensor:
    """The node embeddings of the whole graph, equal to ``model(x, edge_index)`` in eval mode, in bounded memory.

    Each layer is computed for all nodes before the next, a block of nodes at a time from all of their neighbours, so
    nothing is sampled and nothing computed twice but the reading of rows. Besides the edges and the rows of two layers
    (of all layers, where the model joins them), memory holds one block. Without gradients; the model is put back into
    training mode if it was in it.

    Args:
        model: The package's :class:`GIN`, :class:`GCN`, :class:`SAGE` or :class:`GAT`, a model of
            ``torch_geometric.nn`` (GCN, GraphSAGE, GIN, GAT, PNA, EdgeCNN), a
            :class:`GraphEncoder` of one, or what :func:`layers_of` has been taught. It may lie on another device than
            the features; blocks move there and back.
        x: ``[N, F]`` a tensor, a numpy array or memory map, or anything that serves rows by index.
        edge_index: ``[2, E]``.
        edge_weight: ``[E]`` or ``[E, 1]``, for models that take it.
        edge_attr: ``[E, ...]``, for models that take it.
        budget: The greatest number of edges and nodes in a block; the neighbours of one node are never divided. Small
            blocks, which stay in a processor's cache, are the faster ones on a CPU.

    Returns:
        ``[N, D]``, where the features are, which is the CPU unless ``x`` is a tensor on another device.

    Raises:
        TypeError: The model's layers are not known.
        ValueError: The graph and its features do not fit together, or the model looks at all nodes at once.

    Example:
        >>> from graphcl.nn import GIN
        >>> model = GIN(4, hidden_channels=8, num_layers=2)
        >>> embed_layerwise(model, torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
        torch.Size([3, 16])
    """
    num_nodes, device = _check(x, edge_index, edge_weight, edge_attr, budget)
    layers = layers_of(inner(model))
    _check_network(inner(model), x, edge_weight)
    where, kind = next(((p.device, p.dtype) for p in model.parameters()), (device, torch.get_default_dtype()))
    weight = None if edge_weight is None else edge_weights(edge_weight, edge_index.size(1)).to(kind)
    edges = Edges(edge_index, weight, edge_attr)
    with evaluating(model), torch.no_grad():
        if layers.prepare is not None:
            edges = layers.prepare(edges, num_nodes)
        ptr, edges = _by_target(edges, num_nodes)
        blocks = _blocks(ptr, budget)
        wide = torch.empty(num_nodes, sum(layers.widths), dtype=kind, device=device) if layers.all_outputs else None
        outputs: list[Tensor] = []
        for i, (step, width) in enumerate(zip(layers.steps, layers.widths, strict=True)):
            begin = sum(layers.widths[:i])
            out = edge_index.new_empty(num_nodes, width, dtype=kind) if wide is None else wide[:, begin : begin + width]
            source = outputs[-1] if outputs else x
            for first, last in blocks:
                nodes, part = _block(ptr, edges, first, last)
                rows = _rows(source, nodes).to(where, kind)
                out[first:last] = step(rows, _to(part, where), last - first).to(device)
            outputs = [*outputs, out] if layers.all_outputs else [out]
        if layers.head is None:
            return outputs[-1] if wide is None else wide
        heads = [layers.head([o[a:b].to(where) for o in outputs]).to(device) for a, b in _even(num_nodes, budget)]
        return torch.cat(heads)


def _check(
    x: Any, edge_index: Tensor, weight: Tensor | None, attr: Tensor | None, budget: int
) -> tuple[int, torch.device]:
    if budget < 1:
        raise ValueError(f"expected a budget of at least 1 edge, got {budget}")
    if len(x.shape) != 2:
        raise ValueError(f"expected features of shape [N, F], got {list(x.shape)}")
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.dtype != torch.int64:
        raise ValueError(f"expected edge_index [2, E] of dtype int64, got {list(edge_index.shape)} {edge_index.dtype}")
    device = x.device if isinstance(x, Tensor) else torch.device("cpu")
    for name, value in {"edge_index": edge_index, "edge_weight": weight, "edge_attr": attr}.items():
        if value is not None and value.device != device:
            raise ValueError(f"expected {name} on {device}, where the features are, got it on {value.device}")
        if value is not None and name != "edge_index" and value.size(0) != edge_index.size(1):
            raise ValueError(f"expected {name} with a row for each of {edge_index.size(1)} edges, got {value.size(0)}")
    if (wrong := outside(edge_index, x.shape[0])) is not None:
        raise ValueError(f"expected node numbers from 0 to {x.shape[0] - 1}, got {wrong}")
    return int(x.shape[0]), device


def _check_network(model: nn.Module, x: Any, weight: Tensor | None) -> None:
    network = inner(model.gnn) if isinstance(model, GraphEncoder) else model
    width = getattr(network, "in_channels", None)
    if isinstance(width, Integral) and x.shape[1] != int(width) > 0:
        raise ValueError(f"expected x of shape [N, {width}], got {list(x.shape)}")
    if weight is not None and not takes_weights(network):
        raise ValueError(f"expected no edge_weight, got one; {type(network).__name__} does not take it")


def _by_target(edges: Edges, num_nodes: int) -> tuple[Tensor, Edges]:
    ptr, order = group(edges.edge_index[1], num_nodes)
    weight, attr = (None if value is None else value.index_select(0, order) for value in edges[1:])
    return ptr, Edges(edges.edge_index.index_select(1, order), weight, attr)


def _blocks(ptr: Tensor, budget: int) -> list[tuple[int, int]]:
    """Runs of nodes whose nodes and entering edges together stay within the budget, if one node alone does."""
    cost = ptr.cpu().numpy() + np.arange(ptr.numel())
    bounds = [0]
    while bounds[-1] < ptr.numel() - 1:
        end = int(np.searchsorted(cost, cost[bounds[-1]] + budget, side="right")) - 1
        bounds.append(max(end, bounds[-1] + 1))
    return list(zip(bounds, bounds[1:], strict=False))


def _even(size: int, step: int) -> list[tuple[int, int]]:
    return [(a, min(a + step, size)) for a in range(0, max(size, 1), step)]


def _block(ptr: Tensor, edges: Edges, first: int, last: int) -> tuple[Tensor, Edges]:
    """The nodes of a block, its own first and then those its edges come from, and the edges between their places."""
    begin, end = int(ptr[first]), int(ptr[last])
    source, target = edges.edge_index[:, begin:end]
    found, place = source.unique(return_inverse=True)
    outside = (found < first) | (found >= last)
    own = torch.arange(first, last, device=ptr.device)
    number = torch.where(outside, outside.cumsum(0) + (last - first - 1), found - first)
    index = torch.stack([number[place], target - first])
    weight, attr = (None if value is None else value[begin:end] for value in edges[1:])
    return torch.cat([own, found[outside]]), Edges(index, weight, attr)


def _rows(x: Tensor | npt.NDArray[Any] | Rows, nodes: Tensor) -> Tensor:
    if isinstance(x, Tensor):
        return x.index_select(0, nodes)
    if isinstance(x, np.ndarray):
        return torch.from_numpy(x[nodes.numpy()])
    return x[nodes]


def _to(edges: Edges, device: torch.device) -> Edges:
    weight, attr = (None if value is None else value.to(device) for value in edges[1:])
    return Edges(edges.edge_index.to(device), weight, attr)
