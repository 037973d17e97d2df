"""What an augmentation wants changed, and the one place that changes it.

An augmentation never touches a ``Data``: it returns an :class:`Edit`, and :func:`apply` carries it out on a copy,
with every attribute and all of a ``Batch``'s bookkeeping. So each augmentation is a few lines of tensor code, a random
choice among several costs one pass, and the rules of the contract are kept in a single file.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl.augment._graph import Graph

__all__ = ["Edit", "apply", "merge"]


@dataclass(frozen=True)
class Edit:
    """Changes to a graph, in the numbering of the graph they were computed from.

    Attributes:
        keep_nodes: ``[N]`` bool, or ``None`` for all.
        keep_edges: ``[E]`` bool, or ``None`` for all; an edge with a dropped end goes in any case.
        new_edges: ``[2, A]`` edges to append to their graphs.
        like_edges: ``[A]`` the edge whose attributes each new edge copies.
        rows: per node attribute, which rows to replace (``[K]``) and by what (``[K, ...]``).
    """

    keep_nodes: Tensor | None = None
    keep_edges: Tensor | None = None
    new_edges: Tensor | None = None
    like_edges: Tensor | None = None
    rows: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


def merge(graph: Graph, parts: Iterable[tuple[Edit, Tensor, Tensor]]) -> Edit:
    """One edit of ``graph`` out of edits of disjoint parts of it, each with its positions of nodes and edges."""
    keep_nodes = keep_edges = None
    new, like = [], []
    rows: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for edit, nodes, edges in parts:
        if edit.keep_nodes is not None:
            if keep_nodes is None:
                keep_nodes = graph.batch.new_ones(graph.num_nodes, dtype=torch.bool)
            keep_nodes[nodes] = edit.keep_nodes
        if edit.keep_edges is not None:
            if keep_edges is None:
                keep_edges = graph.batch.new_ones(graph.num_edges, dtype=torch.bool)
            keep_edges[edges] = edit.keep_edges
        if edit.new_edges is not None and edit.like_edges is not None:
            new.append(nodes[edit.new_edges])
            like.append(edges[edit.like_edges])
        for name, (index, values) in edit.rows.items():
            rows.setdefault(name, []).append((nodes[index], values))
    joined = {name: (torch.cat([i for i, _ in r]), torch.cat([v for _, v in r])) for name, r in rows.items()}
    if not new:
        return Edit(keep_nodes, keep_edges, rows=joined)
    return Edit(keep_nodes, keep_edges, torch.cat(new, 1), torch.cat(like), joined)


def apply(data: Data, graph: Graph, edit: Edit) -> Data:
    """A new ``Data`` or ``Batch`` with the edit carried out; ``data`` is left as it was."""
    out = copy.copy(data)
    store = out._store
    for name, (index, values) in edit.rows.items():
        # Out of place, so that rows with a gradient (a learned token) keep it.
        store[name] = store[name].index_copy(0, index, values.to(store[name].dtype))
    if edit.keep_nodes is None and edit.keep_edges is None and edit.new_edges is None:
        return out
    levels = _levels(data)
    keep_edges = edit.keep_edges
    if edit.keep_nodes is not None:
        src, dst = graph.edge_index
        both = edit.keep_nodes[src] & edit.keep_nodes[dst]
        keep_edges = both if keep_edges is None else keep_edges & both
    pick = _edge_picks(graph, edit, keep_edges)
    sizes = _Sizes(graph, edit.keep_nodes, pick)
    _carry(out, data, levels, edit, pick, graph)
    _update_bookkeeping(out, data, levels, sizes)
    return out


class _Picks:
    """Which old edge each edge of the view copies, where the new ones are, and how many each graph has."""

    def __init__(self, index: Tensor, added: Tensor | None, new_edges: Tensor | None, counts: Tensor) -> None:
        self.index, self.added, self.new_edges, self.counts = index, added, new_edges, counts


def _edge_picks(graph: Graph, edit: Edit, keep_edges: Tensor | None) -> _Picks | None:
    if keep_edges is None and edit.new_edges is None:
        return None
    if keep_edges is None:
        kept = torch.arange(graph.num_edges, device=graph.device)
        counts = graph.edge_counts
    else:
        kept = keep_edges.nonzero().squeeze(1)
        counts = torch.zeros_like(graph.ptr[1:]).scatter_add_(0, graph.edge_batch, keep_edges.long())
    if edit.new_edges is None or edit.like_edges is None:
        return _Picks(kept, None, None, counts)
    new, like = edit.new_edges, edit.like_edges
    if edit.keep_nodes is not None:
        alive = edit.keep_nodes[new].all(0)
        new, like = new[:, alive], like[alive]
    home = graph.batch[new[0]]
    extra = torch.zeros_like(counts).scatter_add_(0, home, torch.ones_like(home))
    # Each graph's new edges follow its old ones, because a batch keeps a graph's edges together.
    order = torch.argsort(home, stable=True)
    new, like, home = new[:, order], like[order], home[order]
    before = extra.cumsum(0) - extra
    index = kept.new_empty(kept.numel() + like.numel())
    added = torch.arange(like.numel(), device=graph.device) + counts.cumsum(0)[home]
    index[torch.arange(kept.numel(), device=graph.device) + before[graph.edge_batch[kept]]] = kept
    index[added] = like
    return _Picks(index, added, new, counts + extra)


class _Sizes:
    """The numbers of nodes and edges per graph after the edit; on the host only where a batch's dicts need them."""

    def __init__(self, graph: Graph, keep_nodes: Tensor | None, pick: _Picks | None) -> None:
        self.nodes_changed, self.edges_changed = keep_nodes is not None, pick is not None
        self.ptr = graph.ptr
        if keep_nodes is not None:
            kept = torch.cat([graph.ptr.new_zeros(1), keep_nodes.cumsum(0)])
            self.ptr = kept[graph.ptr]
        self.edge_counts = graph.edge_counts if pick is None else pick.counts


def _levels(data: Data) -> dict[str, str]:
    """The level ("node", "edge" or "graph") of every attribute.

    In a batch it is read from the slices, which cannot mistake one label per graph for one per node; elsewhere PyG's
    own rules decide. Where every graph has one edge, only a name with "edge" in it counts as edge-level.
    """
    slices: dict[str, Any] | None = getattr(data, "_slice_dict", None)
    store = data._store
    levels: dict[str, str] = {}
    if slices is None:
        single = data.num_edges == 1
        for key in store.keys():  # noqa: SIM118 (a PyG storage is no dict)
            if key in ("edge_index", "batch", "ptr", "num_nodes"):
                continue
            if store.is_node_attr(key):
                levels[key] = "node"
            elif store.is_edge_attr(key) and not (single and "edge" not in key):
                levels[key] = "edge"
        return levels
    edge_slices = slices["edge_index"]
    node_slices = _node_slices(data)
    square = torch.equal(node_slices, edge_slices)
    one_each = edge_slices.numel() - 1 == int(edge_slices[-1])
    same: dict[int, str] = {}  # attributes of one level usually share one slice tensor
    for key in store.keys():  # noqa: SIM118
        if key in ("edge_index", "batch", "ptr", "num_nodes"):
            continue
        if key not in slices:
            if store.is_node_attr(key):
                levels[key] = "node"
            elif store.is_edge_attr(key):
                levels[key] = "edge"
            continue
        value = slices[key]
        if not isinstance(value, Tensor) or value.dim() != 1:
            continue
        level = same.get(id(value))
        if level is None:
            if torch.equal(value, node_slices):
                level = "node"
            elif torch.equal(value, edge_slices):
                level = "edge"
            else:
                level = "graph"
            same[id(value)] = level
        if level == "node" and square and "edge" in key:
            level = "edge"
        if level == "edge" and one_each and "edge" not in key and torch.equal(value, _arange(value)):
            level = "graph"
        levels[key] = level
    return levels


def _arange(value: Tensor) -> Tensor:
    return torch.arange(value.numel(), device=value.device)


def _node_slices(data: Data) -> Tensor:
    slices = data._slice_dict
    if "x" in slices:
        return slices["x"]
    counts = data._store.__dict__.get("_num_nodes")
    if counts is not None:
        return torch.tensor([0, *counts]).cumsum(0)
    return data.ptr.cpu()


def _carry(out: Data, data: Data, levels: dict[str, str], edit: Edit, pick: _Picks | None, graph: Graph) -> None:
    """Take every node- and edge-level value along, and renumber the node ids."""
    store = out._store
    nodes = None if edit.keep_nodes is None else edit.keep_nodes.nonzero().squeeze(1)
    number = None if edit.keep_nodes is None else edit.keep_nodes.cumsum(0) - 1
    if pick is not None:
        edge_index = graph.edge_index[:, pick.index]
        if pick.added is not None and pick.new_edges is not None:
            edge_index[:, pick.added] = pick.new_edges
        store["edge_index"] = edge_index if number is None else number[edge_index]
    for key, level in levels.items():
        value = store[key]
        index = nodes if level == "node" else pick.index if level == "edge" and pick is not None else None
        if index is not None:
            value = _take(out, key, value, index)
            store[key] = value
        if number is not None and edit.keep_nodes is not None and _holds_node_ids(data, key, value):
            store[key] = _renumber(key, value, edit.keep_nodes, number)
    if number is not None and nodes is not None:
        for key in store.keys():  # noqa: SIM118
            if key not in levels and key not in ("edge_index", "batch", "ptr", "num_nodes"):
                value = store[key]
                if isinstance(value, Tensor) and _holds_node_ids(data, key, value):
                    store[key] = _renumber(key, value, edit.keep_nodes, number)  # type: ignore[arg-type]
        if "n_id" not in levels:
            store["n_id"] = graph.local[nodes]
        if "num_nodes" in store:
            store["num_nodes"] = nodes.numel()
        if "batch" in store:
            # Last, as in a batch that PyG has collated from single views.
            del store["batch"]
            store["batch"] = graph.batch[nodes]
            store.pop("ptr", None)


def _take(out: Data, key: str, value: Any, index: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value.index_select(out.__cat_dim__(key, value) or 0, index)
    chosen = index.tolist()
    if isinstance(value, list | tuple):
        return type(value)(value[i] for i in chosen)
    return value[chosen]


def _holds_node_ids(data: Data, key: str, value: Any) -> bool:
    """PyG counts such attributes up by the number of nodes when it makes a batch; any other increment is left alone."""
    if not isinstance(value, Tensor) or value.is_floating_point() or value.dtype == torch.bool or "batch" in key:
        return False
    increment = torch.as_tensor(data.__inc__(key, value))
    return bool(increment.any()) and bool((increment == data.num_nodes).all())


def _renumber(key: str, value: Tensor, keep: Tensor, number: Tensor) -> Tensor:
    lost = ~keep[value]
    if bool(lost.any()):
        raise ValueError(
            f"expected {key!r} to refer to kept nodes, got {int(lost.sum())} reference(s) to nodes that this view dropped; "
            f"delete data.{key} before the augmentation, or use one that keeps all nodes (NodeMask, EdgeDrop)"
        )
    return number[value]


def _update_bookkeeping(out: Data, data: Data, levels: dict[str, str], sizes: _Sizes) -> None:
    """Bring a batch's ``ptr``, ``_slice_dict``, ``_inc_dict`` and ``_num_nodes`` up to date, on copies."""
    store = out._store
    if sizes.nodes_changed and "batch" in store:
        store["ptr"] = sizes.ptr
    if getattr(data, "_slice_dict", None) is None:
        return
    slices, incs = dict(data._slice_dict), dict(data._inc_dict)
    if sizes.edges_changed:
        edge_slices = torch.cat([sizes.edge_counts.new_zeros(1), sizes.edge_counts.cumsum(0)]).cpu()
        slices["edge_index"] = edge_slices
        slices.update({key: edge_slices for key, level in levels.items() if level == "edge" and key in slices})
    if sizes.nodes_changed:
        node_slices = sizes.ptr.cpu()
        slices.update({key: node_slices for key, level in levels.items() if level == "node" and key in slices})
        old = _node_slices(data)[:-1]
        for key, value in incs.items():
            if isinstance(value, Tensor) and value.shape == old.shape and torch.equal(value, old) and bool(old.any()):
                incs[key] = node_slices[:-1]
        slices["n_id"] = node_slices
        incs.setdefault("n_id", torch.zeros_like(node_slices[:-1]))
        counts = store.__dict__.get("_num_nodes")
        if counts is not None:
            store.__dict__["_num_nodes"] = (node_slices[1:] - node_slices[:-1]).tolist()
    store.__dict__["_slice_dict"], store.__dict__["_inc_dict"] = slices, incs
