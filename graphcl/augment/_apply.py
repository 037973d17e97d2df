"""The one place that changes a graph: it carries an edit out on a copy, all attributes and a batch's books included."""

import copy
from functools import cached_property

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._host import columns, put, where
from graphcl.augment._attributes import (
    check_ids,
    holds_edge_ids,
    holds_node_ids,
    like_first,
    renumber,
    seeds_kept,
    take,
    take_list,
)
from graphcl.augment._edit import Edit
from graphcl.augment._fill import can_hold, span
from graphcl.augment._graph import Graph, begins, offsets
from graphcl.augment._levels import levels, note_levels, refuse_nested

__all__ = ["apply"]


def apply(data: Data, graph: Graph, edit: Edit) -> Data:
    """A new ``Data`` or ``Batch`` with the edit carried out; ``data`` is left as it was."""
    out = copy.copy(data)
    store = out._store
    for name, values in edit.values.items():
        store[name] = values.to(store[name].dtype)
    for name, (index, values) in (*edit.rows.items(), *edit.edge_rows.items()):
        # Out of place, so that rows with a gradient (a learned token) keep it.
        store[name] = put(store[name], index, values.to(store[name].dtype))
    nodes = edges = None
    if edit.keep_nodes is not None or edit.keep_edges is not None or edit.new_edges is not None:
        old = graph.ptr.cpu()
        level = levels(out, graph, old)
        refuse_nested(data, level, nodes=edit.keep_nodes is not None)
        nodes = None if edit.keep_nodes is None else _Nodes(graph, edit.keep_nodes)
        edges = _Edges(graph, edit)
        ids = _carry(out, data, level, graph, old[:-1], nodes, edges)
        if nodes is not None:
            _name_nodes(out, level, graph, nodes)
        _update_bookkeeping(out, level, ids, nodes, edges)
        note_levels(out, level)
    if edit.node_mask is not None:
        _mark_nodes(out, graph, edit.node_mask, nodes)
    if edit.edge_pair is not None:
        _name_pairs(out, graph, edit.edge_pair, edges)
    return out


class _Nodes:
    """Which nodes stay (``index``), their new numbers (``number``), and where each graph's begin (``ptr``)."""

    def __init__(self, graph: Graph, keep: Tensor) -> None:
        self.keep = keep
        self.index = where(keep)
        # The numbers of dropped nodes are never read.
        self.number = torch.empty_like(graph.batch).scatter_(
            0, self.index, torch.arange(self.index.numel(), device=keep.device)
        )
        self.ptr = torch.searchsorted(self.index, graph.ptr)


class _Edges:
    """Which old edge each edge of the view copies (``index``), and the ends where they are new ones.

    Attributes:
        whole: How many old edges there are.
        kept: ``[E]`` which of them stay; ``None`` for all.
        ptr: ``[G + 1]`` where each graph's edges begin.
        added, ends: ``[A]`` positions of the new edges in the view, and ``[2, A]`` their ends, if there are any.
        fills: Positions in the view of new edges whose attributes become a number, and the number.
        grown: ``[G]`` the graphs that have got new edges, if there are any.
    """

    def __init__(self, graph: Graph, edit: Edit) -> None:
        self.kept, self.whole = edit.keep_edges, graph.num_edges
        self.added: Tensor | None = None
        self.ends: Tensor | None = None
        self.grown: Tensor | None = None
        self.fills: list[tuple[Tensor, float]] = []
        if edit.keep_nodes is not None:
            src, dst = edit.keep_nodes.index_select(0, graph.edge_index.flatten()).view(2, -1)
            self.kept = src & dst if self.kept is None else src & dst & self.kept
        if self.kept is None:
            self.ptr = graph.edge_ptr
        elif graph.num_graphs == 1:
            self.ptr = offsets(torch.count_nonzero(self.kept).view(1))
        else:
            self.ptr = torch.searchsorted(self.index, graph.edge_ptr)
        if edit.new_edges is not None and edit.like_edges is not None:
            self._add(graph, edit, edit.new_edges, edit.like_edges)

    @cached_property
    def index(self) -> Tensor:
        """``[E']`` which old edge each edge of the view copies."""
        return torch.arange(self.whole, device=self.ptr.device) if self.kept is None else where(self.kept)

    @cached_property
    def stays(self) -> Tensor:
        """``[E]`` which old edges are still there, where they were."""
        return self.index.new_ones(self.whole, dtype=torch.bool) if self.kept is None else self.kept

    @cached_property
    def number(self) -> Tensor:
        """``[E]`` the place in the view of each old edge that stays; those of the others are never read."""
        old = torch.ones_like(self.index, dtype=torch.bool)
        if self.added is not None:
            old[self.added] = False
        place = where(old)
        return self.index.new_empty(self.whole).scatter_(0, self.index.index_select(0, place), place)

    def of(self, rows: Tensor) -> Tensor:
        """``[R, E']`` the columns of ``rows`` [R, E], whole numbers, that belong to the edges of the view."""
        return columns(rows, self.index)

    def _add(self, graph: Graph, edit: Edit, new: Tensor, like: Tensor) -> None:
        filled = torch.full_like(like, -1)
        for i, (index, _) in enumerate(edit.fill_edges):
            filled[index] = i
        if edit.keep_nodes is not None:
            alive = where(edit.keep_nodes[new].all(0))
            new, like, filled = new[:, alive], like[alive], filled[alive]
        # Each graph's new edges follow its old ones, because a batch keeps a graph's edges together.
        home, order = torch.sort(graph.batch.index_select(0, new[0]), stable=True)
        self.ends, like, filled = columns(new, order), like.index_select(0, order), filled.index_select(0, order)
        extra = begins(home, graph.num_graphs).diff()
        kept, before = self.index, extra.cumsum(0) - extra
        old = torch.arange(kept.numel(), device=graph.device)
        old += before.index_select(0, graph.edge_batch.index_select(0, kept))
        added = torch.arange(like.numel(), device=graph.device) + self.ptr[1:].index_select(0, home)
        self.index = kept.new_empty(kept.numel() + like.numel()).scatter_(0, old, kept).scatter_(0, added, like)
        self.added, self.grown = added, extra > 0
        self.ptr = self.ptr + offsets(extra)
        self.fills = [(added[where(filled == i)], number) for i, (_, number) in enumerate(edit.fill_edges)]


def _carry(
    out: Data, data: Data, level: dict[str, str], graph: Graph, first: Tensor, nodes: _Nodes | None, edges: _Edges
) -> dict[str, str]:
    """Take every attribute along, renumber the ids of nodes and edges, and return which attributes hold which."""
    store = out._store
    edge_index = edges.of(graph.edge_index)
    if edges.added is not None and edges.ends is not None:
        edge_index.index_copy_(1, edges.added, edges.ends)
    if nodes is not None:
        edge_index = nodes.number.index_select(0, edge_index.view(-1)).view(2, -1)
    store["edge_index"] = edge_index
    ids = {"edge_index": "node"}
    for key, kind in level.items():
        value = store[key]
        if kind == "edges":
            value = take_list(data, key, value, edges.index, graph.edge_ptr)
        elif kind == "nodes":
            value = value if nodes is None else take_list(data, key, value, nodes.index, graph.ptr)
        elif kind == "edge":
            plain = value.dim() == 1 and value.dtype == torch.int64
            value = edges.of(value[None])[0] if plain else take(out, key, value, edges.index)
            value = _of_edges(data, key, value, first, edges)
        elif kind == "node" and nodes is not None:
            value = take(out, key, value, nodes.index)
        if nodes is not None and holds_node_ids(data, key, value, first):
            check_ids(data, key, graph.ptr)
            value = renumber(key, value, nodes.keep, nodes.number)
            ids[key] = "node"
        elif holds_edge_ids(data, key, value, edges.whole) and not holds_node_ids(data, key, value, first):
            check_ids(data, key, graph.edge_ptr, what="edges")
            value = renumber(key, value, edges.stays, edges.number, what="edges")
            ids[key] = "edge"
        if value is not store[key]:
            store[key] = value
    return ids


def _of_edges(data: Data, key: str, value: Tensor, first: Tensor, edges: _Edges) -> Tensor:
    """An edge attribute of the view, out of what its edges have brought along."""
    if key == "edge_pair" and edges.grown is not None:
        # A new edge has no name, and new names would have to go between the others: the next to ask sorts again.
        return value.masked_fill(torch.repeat_interleave(edges.grown, edges.ptr.diff()), -1)
    holds_ids = edges.fills and (
        holds_node_ids(data, key, value, first) or holds_edge_ids(data, key, value, edges.whole)
    )
    if edges.fills and not key.endswith("_batch") and not holds_ids:
        value = value.clone()
        for index, number in edges.fills:
            if not can_hold(value, number):
                low, high = span(value.dtype)
                raise TypeError(
                    f"expected a whole number as fill, because {key!r} holds {value.dtype}, got {float(number)}; give "
                    f"one from {low} to {high}, or fill='copy'"
                )
            value.index_fill_(data.__cat_dim__(key, value, data._store) or 0, index, number)
    return value


def _mark_nodes(out: Data, graph: Graph, mask: Tensor, nodes: _Nodes | None) -> None:
    """Store which nodes still count, as far as they did before."""
    before = out._store.get("node_mask")
    if nodes is not None:
        mask = mask.index_select(0, nodes.index)
    if before is not None:
        if not isinstance(before, Tensor) or before.dtype != torch.bool or before.shape != mask.shape:
            raise ValueError(
                f"expected node_mask to be the [{mask.numel()}] bool that NodeDrop(remove=False) writes, got "
                f"{before.dtype if isinstance(before, Tensor) else type(before).__name__}; give yours another name"
            )
        mask = mask & before
    _store_new(out, "node_mask", mask, graph.ptr if nodes is None else nodes.ptr)


def _name_pairs(out: Data, graph: Graph, names: Tensor, edges: _Edges | None) -> None:
    """Store the names of the edges' pairs."""
    if edges is None:
        _store_new(out, "edge_pair", names, graph.edge_ptr)
        return
    names = names.index_select(0, edges.index)
    if edges.grown is not None:
        names = names.masked_fill(torch.repeat_interleave(edges.grown, edges.ptr.diff()), -1)
    _store_new(out, "edge_pair", names, edges.ptr)


def _store_new(out: Data, name: str, value: Tensor, slices: Tensor) -> None:
    """Store an attribute as if it had been there before the graphs were joined."""
    store, hidden = out._store, out._store.__dict__
    known = name in store
    store[name] = value
    if not known:
        for key in ("batch", "ptr"):  # they come last in a batch that PyG has collated
            if key in store:
                last = store[key]
                del store[key]
                store[key] = last
    if "_slice_dict" in hidden:
        slices = slices.cpu()
        hidden["_slice_dict"] = {**hidden["_slice_dict"], name: slices}
        hidden["_inc_dict"] = {**hidden["_inc_dict"], name: torch.zeros_like(slices[:-1])}


def _name_nodes(out: Data, level: dict[str, str], graph: Graph, nodes: _Nodes) -> None:
    """Record each node's number in the input, unless an earlier view has, and what else counts nodes."""
    store = out._store
    store.update(seeds_kept(store, nodes.keep))
    if level.get("n_id", "node") not in ("node", "nodes"):
        size = tuple(getattr(store["n_id"], "shape", [len(store["n_id"])]))
        raise ValueError(f"expected one n_id for each of the {nodes.keep.numel()} nodes, got {size}")
    if "n_id" not in level:
        store["n_id"] = graph.local.index_select(0, nodes.index)
    if "num_nodes" in store:
        store["num_nodes"] = nodes.index.numel()
    if "batch" in store:
        # Last, as in a batch that PyG has collated from single views.
        del store["batch"], store["ptr"]
        store["batch"] = graph.batch.index_select(0, nodes.index)
        store["ptr"] = nodes.ptr


def _update_bookkeeping(
    out: Data, level: dict[str, str], ids: dict[str, str], nodes: _Nodes | None, edges: _Edges
) -> None:
    """Bring ``_slice_dict``, ``_inc_dict`` and ``_num_nodes`` of a batch up to date, on copies."""
    store, hidden = out._store, out._store.__dict__
    if "_slice_dict" not in hidden:
        return
    slices, added = dict(hidden["_slice_dict"]), dict(hidden["_inc_dict"])
    now = {"edge": edges.ptr.cpu()}
    if nodes is not None:
        now["node"] = nodes.ptr.cpu()
        slices["n_id"] = now["node"]
        added.setdefault("n_id", torch.zeros_like(now["node"][:-1]))
        if "_num_nodes" in hidden:
            hidden["_num_nodes"] = now["node"].diff().tolist()
    for key, kind in ids.items():
        if kind in now and key in added:
            added[key] = like_first(added[key], now[kind][:-1])
    for key, kind in (*level.items(), ("edge_index", "edge")):
        if kind in now and key in slices:
            slices[key] = now[kind]
            if f"{key}_ptr" in store:
                store[f"{key}_ptr"] = now[kind].to(edges.ptr.device)
    hidden["_slice_dict"], hidden["_inc_dict"] = slices, added
