"""What an augmentation wants changed, and the one place that changes it.

An augmentation never touches a ``Data``: it returns an :class:`Edit`, and :func:`apply` carries it out on a copy,
with every attribute and all of a ``Batch``'s bookkeeping. So each augmentation is a few lines of tensor code, a random
choice among several costs one pass, and the rules of the contract are kept in a single file.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl.augment._attributes import holds_node_ids, levels, like_first_nodes, renumber, take, take_list
from graphcl.augment._graph import Graph, begins, offsets

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
        values: per node attribute, what replaces it whole (``[N, ...]``), before ``rows``.
        edge_rows: the same, per edge attribute.
    """

    keep_nodes: Tensor | None = None
    keep_edges: Tensor | None = None
    new_edges: Tensor | None = None
    like_edges: Tensor | None = None
    rows: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    edge_rows: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


def merge(graph: Graph, parts: Iterable[tuple[Edit, Tensor, Tensor]]) -> Edit:
    """One edit of ``graph`` out of edits of disjoint parts of it, each with its positions of nodes and edges."""
    keep_nodes = keep_edges = None
    new, like = [], []
    rows: dict[str, list[tuple[Tensor, Tensor]]] = {}
    edge_rows: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for edit, nodes, edges in parts:
        if edit.keep_nodes is not None:
            if keep_nodes is None:
                keep_nodes = graph.batch.new_ones(graph.num_nodes, dtype=torch.bool)
            keep_nodes.scatter_(0, nodes, edit.keep_nodes)
        if edit.keep_edges is not None:
            if keep_edges is None:
                keep_edges = graph.batch.new_ones(graph.num_edges, dtype=torch.bool)
            keep_edges.scatter_(0, edges, edit.keep_edges)
        if edit.new_edges is not None and edit.like_edges is not None:
            new.append(nodes[edit.new_edges])
            like.append(edges[edit.like_edges])
        for name, (index, values) in _all_rows(edit).items():
            rows.setdefault(name, []).append((nodes[index], values))
        for name, (index, values) in edit.edge_rows.items():
            edge_rows.setdefault(name, []).append((edges[index], values))
    joined, edge_joined = (
        {name: (torch.cat([i for i, _ in r]), torch.cat([v for _, v in r])) for name, r in parts.items()}
        for parts in (rows, edge_rows)
    )
    if not new:
        return Edit(keep_nodes, keep_edges, rows=joined, edge_rows=edge_joined)
    return Edit(keep_nodes, keep_edges, torch.cat(new, 1), torch.cat(like), rows=joined, edge_rows=edge_joined)


def _all_rows(edit: Edit) -> dict[str, tuple[Tensor, Tensor]]:
    """The rows that an edit replaces, those of its ``values`` among them: in a whole, a part's values are some rows."""
    rows = dict(edit.rows)
    for name, values in edit.values.items():
        if name in rows:
            index, some = rows[name]
            values = values.index_copy(0, index, some.to(values.dtype))
        rows[name] = (torch.arange(values.size(0), device=values.device), values)
    return rows


def apply(data: Data, graph: Graph, edit: Edit) -> Data:
    """A new ``Data`` or ``Batch`` with the edit carried out; ``data`` is left as it was."""
    out = copy.copy(data)
    store = out._store
    for name, values in edit.values.items():
        store[name] = values.to(store[name].dtype)
    for name, (index, values) in (*edit.rows.items(), *edit.edge_rows.items()):
        # Out of place, so that rows with a gradient (a learned token) keep it.
        store[name] = store[name].index_copy(0, index, values.to(store[name].dtype))
    if edit.keep_nodes is None and edit.keep_edges is None and edit.new_edges is None:
        return out
    old = graph.ptr.cpu()
    level = levels(out, graph, old)
    nodes = None if edit.keep_nodes is None else _Nodes(graph, edit.keep_nodes)
    edges = _Edges(graph, edit)
    ids = _carry(out, data, level, graph, old[:-1], nodes, edges)
    if nodes is not None:
        _name_nodes(out, level, graph, nodes)
    _update_bookkeeping(out, level, ids, nodes, edges)
    return out


class _Nodes:
    """Which nodes stay (``index``), their new numbers (``number``), and where each graph's begin (``ptr``)."""

    def __init__(self, graph: Graph, keep: Tensor) -> None:
        self.keep = keep
        self.index = keep.nonzero().squeeze(1)
        before = offsets(keep)
        self.number = before[:-1]
        self.ptr = before.index_select(0, graph.ptr)


class _Edges:
    """Which old edge each edge of the view copies (``index``), and the ends where they are new ones.

    Attributes:
        index: ``[E']`` positions of old edges.
        counts: ``[G]`` edges per graph.
        added, ends: ``[A]`` positions of the new edges in the view, and ``[2, A]`` their ends, if there are any.
    """

    def __init__(self, graph: Graph, edit: Edit) -> None:
        keep = edit.keep_edges
        self.added: Tensor | None = None
        self.ends: Tensor | None = None
        if edit.keep_nodes is not None:
            src, dst = edit.keep_nodes.index_select(0, graph.edge_index.flatten()).view(2, -1)
            keep = src & dst if keep is None else src & dst & keep
        if keep is None:
            self.index, self.counts = torch.arange(graph.num_edges, device=graph.device), graph.edge_counts
        else:
            self.index = keep.nonzero().squeeze(1)
            self.counts = torch.searchsorted(self.index, graph.edge_ptr).diff()
        if edit.new_edges is not None and edit.like_edges is not None:
            self._add(graph, edit.new_edges, edit.like_edges, edit.keep_nodes)

    def _add(self, graph: Graph, new: Tensor, like: Tensor, keep_nodes: Tensor | None) -> None:
        if keep_nodes is not None:
            alive = keep_nodes[new].all(0)
            new, like = new[:, alive], like[alive]
        # Each graph's new edges follow its old ones, because a batch keeps a graph's edges together.
        home, order = torch.sort(graph.batch.index_select(0, new[0]), stable=True)
        self.ends, like = new.index_select(1, order), like.index_select(0, order)
        extra = begins(home, graph.num_graphs).diff()
        kept, before = self.index, extra.cumsum(0) - extra
        old = torch.arange(kept.numel(), device=graph.device)
        old += before.index_select(0, graph.edge_batch.index_select(0, kept))
        added = torch.arange(like.numel(), device=graph.device) + self.counts.cumsum(0).index_select(0, home)
        self.index = kept.new_empty(kept.numel() + like.numel()).scatter_(0, old, kept).scatter_(0, added, like)
        self.added = added
        self.counts = self.counts + extra


def _carry(
    out: Data, data: Data, level: dict[str, str], graph: Graph, first: Tensor, nodes: _Nodes | None, edges: _Edges
) -> set[str]:
    """Take every attribute along, renumber the node ids, and return the names of those that hold some."""
    store = out._store
    edge_index = graph.edge_index.index_select(1, edges.index)
    if edges.added is not None and edges.ends is not None:
        edge_index.index_copy_(1, edges.added, edges.ends)
    if nodes is not None:
        edge_index = nodes.number.index_select(0, edge_index.flatten()).view(2, -1)
    store["edge_index"] = edge_index
    ids = {"edge_index"}
    for key, kind in level.items():
        value = store[key]
        if kind == "list":
            value = take_list(data, key, value, graph, None if nodes is None else nodes.index, edges.index)
        elif kind == "edge":
            value = take(out, key, value, edges.index)
        elif kind == "node" and nodes is not None:
            value = take(out, key, value, nodes.index)
        if nodes is not None and holds_node_ids(data, key, value, first):
            value = renumber(key, value, nodes.keep, nodes.number)
            ids.add(key)
        if value is not store[key]:
            store[key] = value
    return ids


def _name_nodes(out: Data, level: dict[str, str], graph: Graph, nodes: _Nodes) -> None:
    """Record each node's number in the input, unless an earlier view has, and what else counts nodes."""
    store = out._store
    if "n_id" not in level:
        store["n_id"] = graph.local.index_select(0, nodes.index)
    if "num_nodes" in store:
        store["num_nodes"] = nodes.index.numel()
    if "batch" in store:
        # Last, as in a batch that PyG has collated from single views.
        del store["batch"], store["ptr"]
        store["batch"] = graph.batch.index_select(0, nodes.index)
        store["ptr"] = nodes.ptr


def _update_bookkeeping(out: Data, level: dict[str, str], ids: set[str], nodes: _Nodes | None, edges: _Edges) -> None:
    """Bring ``_slice_dict``, ``_inc_dict`` and ``_num_nodes`` of a batch up to date, on copies."""
    store, hidden = out._store, out._store.__dict__
    if "_slice_dict" not in hidden:
        return
    slices, added = dict(hidden["_slice_dict"]), dict(hidden["_inc_dict"])
    now = {"edge": offsets(edges.counts).cpu()}
    if nodes is not None:
        now["node"] = nodes.ptr.cpu()
        slices["n_id"] = now["node"]
        added.setdefault("n_id", torch.zeros_like(now["node"][:-1]))
        for key in ids & added.keys():
            added[key] = like_first_nodes(added[key], now["node"][:-1])
        if "_num_nodes" in hidden:
            hidden["_num_nodes"] = now["node"].diff().tolist()
    for key, kind in (*level.items(), ("edge_index", "edge")):
        if kind in now and key in slices:
            slices[key] = now[kind]
            if f"{key}_ptr" in store:
                store[f"{key}_ptr"] = now[kind].to(edges.index.device)
    hidden["_slice_dict"], hidden["_inc_dict"] = slices, added
