"""Views side by side, so that a network sees them in one pass, and a batch cut into parts again."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphcl._index import outside
from graphcl.nn._cache import remember
from graphcl.nn._checks import check_edges

__all__ = ["check_one_each", "is_dense", "join_edges", "join_rows", "join_weights", "split_batch", "weight_of"]


def weight_of(data: Data) -> Tensor | None:
    """The weights of the edges, if there are any."""
    return data._store.get("edge_weight")


def is_dense(value: object) -> bool:
    """Whether it is a tensor with a place for every number."""
    return isinstance(value, Tensor) and value.layout == torch.strided


def join_rows(parts: Sequence[Tensor]) -> Tensor:
    """Features of several views one below the other: the same tensor for the same views, as a second encoder asks."""
    if any(part.requires_grad for part in parts):  # the result would hold on to a graph of gradients
        return torch.cat(list(parts))
    return remember(tuple(parts), "rows", lambda: torch.cat(list(parts)))


def join_edges(parts: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """The edges of several views side by side: the same tensor for the same views, so that it is sorted once."""

    def join() -> Tensor:
        for edges, size in zip(parts, sizes, strict=True):
            _check_ends(edges, size)
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        # In int64: numbers of few bytes suffice for one view, and wrap around in the next.
        return torch.cat([edges.long() + start for edges, start in zip(parts, starts, strict=True)], 1)

    return remember(tuple(parts), ("join", *sizes), join)


def _check_ends(edge_index: Tensor, num_nodes: int) -> None:
    """Refuse edges that leave their view: side by side they would end in the next one. A GPU would stall to tell."""
    check_edges(edge_index)
    wrong = outside(edge_index, num_nodes) if edge_index.device.type == "cpu" else None
    if wrong is not None:
        raise IndexError(
            f"expected node numbers from 0 to {num_nodes - 1} in edge_index, as x has {num_nodes} rows, got {wrong}"
        )


def join_weights(views: Sequence[Data]) -> Tensor | None:
    """The weights of several views' edges, 1 for those of a view that has none; None if no view has."""
    weights = [weight_of(view) for view in views]
    if all(weight is None for weight in weights):
        return None
    ones = [view.x.new_ones(view.edge_index.size(1)) for view in views]
    parts = [one if w is None else w.reshape(-1) for w, one in zip(weights, ones, strict=True)]
    check_one_each("edge_weight", parts, views)
    return torch.cat(parts)


def check_one_each(name: str, parts: Sequence[Tensor], views: Sequence[Data]) -> None:
    """Refuse views with another number of rows than edges: side by side they would go to edges of the next one."""
    for part, view in zip(parts, views, strict=True):
        if part.size(0) != view.edge_index.size(1):
            raise ValueError(
                f"expected {name} for each of {view.edge_index.size(1)} edges of a view, got {part.size(0)}"
            )


def split_batch(batch: Batch, counts: Sequence[int]) -> list[Data]:
    """Parts of a batch with the given numbers of graphs, in order, each with all that its graphs have.

    Args:
        batch: Graphs side by side, as PyG collates them.
        counts: How many graphs each part has; their sum is the batch's.

    Returns:
        ``Data`` with ``x``, ``edge_index``, ``batch`` and ``ptr``, and with every other attribute of the batch that is
        a dense tensor or a list.

    Raises:
        ValueError: The counts do not add up, or the batch has no ``x`` or ``edge_index``.

    Example:
        >>> from torch_geometric.data import Batch
        >>> graphs = [Data(x=torch.ones(n, 1), edge_index=torch.tensor([[0], [1]])) for n in (2, 3, 2)]
        >>> first, second = split_batch(Batch.from_data_list(graphs), [1, 2])
        >>> second.edge_index.tolist(), second.ptr.tolist()
        ([[0, 3], [1, 4]], [0, 3, 5])
    """
    if batch.x is None or batch.edge_index is None:
        raise ValueError("expected a batch with node features x and edges edge_index, got one without")
    if sum(counts) != batch.num_graphs:
        raise ValueError(f"expected counts that add up to the batch's {batch.num_graphs} graphs, got {list(counts)}")
    ends = torch.tensor([0, *counts]).cumsum(0)
    edges = batch._slice_dict["edge_index"][ends].tolist()
    nodes, graphs = batch.ptr[ends.to(batch.ptr.device)].tolist(), ends.tolist()
    bounds_of = {"edge_attr": edges, "edge_weight": edges, "graph_id": graphs, "n_id": nodes}
    cut = {key: (batch[key], bounds) for key, bounds in bounds_of.items() if key in batch}
    others = [key for key in batch._slice_dict if key not in ("x", "edge_index", *bounds_of)]
    rest = {key: values for key in others if (values := _parts_of(batch, key, ends)) is not None}
    parts = []
    for i in range(len(counts)):
        (n, m), (e, f), (g, h) = (bounds[i : i + 2] for bounds in (nodes, edges, graphs))
        part = Data(
            x=batch.x[n:m],
            edge_index=batch.edge_index[:, e:f] - n,
            batch=batch.batch[n:m] - g,
            ptr=batch.ptr[g : h + 1] - n,
        )
        for key, (value, bounds) in cut.items():
            part[key] = value[bounds[i] : bounds[i + 1]]
        for key, values in rest.items():
            part[key] = values[i]
        parts.append(part)
    return parts


def _parts_of(batch: Batch, key: str, ends: Tensor) -> Sequence[Any] | None:
    """An attribute of each part; numbers of nodes are counted from the part's first. None of what cannot be cut."""
    value, slices = batch._store.get(key), batch._slice_dict[key]
    if not isinstance(slices, Tensor):  # of what is nested, one for each of its keys
        return None
    bounds = slices[ends].tolist()
    if isinstance(value, list):
        return [value[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    if not is_dense(value):
        return None
    dim, added = batch.__cat_dim__(key, value) or 0, batch._inc_dict.get(key)  # without a dimension they are stacked
    parts = [value.narrow(dim, a, b - a) for a, b in zip(bounds, bounds[1:], strict=False)]
    if not isinstance(added, Tensor) or not bool(added.any()):
        return parts
    firsts = zip(parts, ends.tolist(), strict=False)
    return [part - added[g].to(part.device) if part.numel() else part for part, g in firsts]
