"""What an augmentation wants changed in a heterogeneous graph, and the one place that changes it.

As for ``Data``: an augmentation returns an edit, and :func:`apply_hetero` carries it out on a copy, with every
attribute of every type and all of a ``Batch``'s bookkeeping.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.storage import BaseStorage
from torch_geometric.utils import is_sparse

from graphcl._links import is_of_links
from graphcl.augment._attributes import entries_at, seeds_kept
from graphcl.augment._graph import Graph, check_grouped, offsets
from graphcl.augment._hetero_graph import EdgeType, HeteroGraph, Kind, NodeType
from graphcl.augment._levels import STRUCTURE, is_list

__all__ = ["HeteroEdit", "apply_hetero"]


@dataclass(frozen=True)
class HeteroEdit:
    """Changes to a heterogeneous graph, in the numbering of the graph they were computed from.

    Attributes:
        keep_nodes: Per node type that may lose some, ``[N]`` bool.
        keep_edges: Per edge type that may lose some, ``[E]`` bool; an edge with a dropped end goes in any case.
        features: Per node type that gets other features, ``[N, ...]``.
    """

    keep_nodes: dict[NodeType, Tensor] = field(default_factory=dict)
    keep_edges: dict[EdgeType, Tensor] = field(default_factory=dict)
    features: dict[NodeType, Tensor] = field(default_factory=dict)


def apply_hetero(data: HeteroData, graph: HeteroGraph, edit: HeteroEdit) -> HeteroData:
    """A new ``HeteroData`` or ``Batch`` with the edit carried out; ``data`` is left as it was."""
    out = copy.copy(data)
    for kind, x in edit.features.items():
        out[kind].x = x
    kept = {kind: _Kept(keep, graph.nodes[kind].ptr) for kind, keep in edit.keep_nodes.items()}
    books = _Books(out)
    for relation in graph.edges:
        if relation in edit.keep_edges or relation[0] in kept or relation[2] in kept:
            _carry_edges(out, graph, relation, edit.keep_edges.get(relation), kept, books)
    for kind, nodes in kept.items():
        _carry_nodes(out, graph.nodes[kind], kind, nodes, books)
    books.close(out)
    return out


class _Kept:
    """Which nodes of a type stay (``index``), their new numbers, and where each graph's begin (``ptr``)."""

    def __init__(self, keep: Tensor, ptr: Tensor) -> None:
        self.keep = keep
        self.index = keep.nonzero().squeeze(1)
        before = offsets(keep)
        self.number = before[:-1]
        self.ptr = before.index_select(0, ptr)


class _Books:
    """``_slice_dict`` and ``_inc_dict`` of a batch, on copies; of a single graph, nothing."""

    def __init__(self, data: HeteroData) -> None:
        hidden = data._global_store.__dict__
        self.kept = "_slice_dict" in hidden
        self.slices: dict[Any, Any] = dict(hidden.get("_slice_dict", {}))
        self.added: dict[Any, Any] = dict(hidden.get("_inc_dict", {}))

    def of(self, kind: Kind) -> tuple[dict[str, Any], dict[str, Any]]:
        """The slices and increments of one type, to be changed."""
        for book in (self.slices, self.added):
            book[kind] = dict(book.get(kind, {}))
        return self.slices[kind], self.added[kind]

    def close(self, data: HeteroData) -> None:
        if self.kept:
            data._global_store.__dict__.update(_slice_dict=self.slices, _inc_dict=self.added)


def _carry_nodes(out: HeteroData, graph: Graph, kind: NodeType, nodes: _Kept, books: _Books) -> None:
    """Take every attribute of a node type along, and name its nodes unless an earlier view has."""
    store = out[kind]
    slices, added = books.of(kind)
    seeds = seeds_kept(store, nodes.keep)
    own = _take(out, store, slices, graph.ptr, nodes.index, nodes.ptr)
    store.update(seeds)
    if "n_id" not in store:
        store["n_id"] = graph.local.index_select(0, nodes.index)
        added["n_id"] = torch.zeros(graph.num_graphs, dtype=torch.int64)
    elif "n_id" not in own:
        raise ValueError(f"expected one n_id for each node of type {kind!r}, got {tuple(store['n_id'].shape)}")
    slices["n_id"] = nodes.ptr.cpu()
    if "num_nodes" in store:
        store["num_nodes"] = nodes.index.numel()
    if "_num_nodes" in store.__dict__:
        store.__dict__["_num_nodes"] = nodes.ptr.diff().tolist()
    if "batch" in store:
        had_ptr = "ptr" in store
        # Last, as in a batch that PyG has collated from single views.
        del store["batch"], store["ptr"]
        store["batch"] = graph.batch.index_select(0, nodes.index)
        if had_ptr:
            store["ptr"] = nodes.ptr


def _carry_edges(
    out: HeteroData,
    graph: HeteroGraph,
    kind: EdgeType,
    keep: Tensor | None,
    kept: dict[NodeType, _Kept],
    books: _Books,
) -> None:
    """Take every attribute of an edge type along, and renumber its node ids."""
    store, edge_index = out[kind], graph.edges[kind]
    ends = [kept.get(kind[0]), kept.get(kind[2])]
    for end, row in zip(ends, edge_index):
        if end is not None:
            alive = end.keep.index_select(0, row)
            keep = alive if keep is None else keep & alive
    assert keep is not None
    index = keep.nonzero().squeeze(1)
    home, count = graph.edge_batch(kind), graph.nodes[kind[0]].num_graphs
    check_grouped(home)
    before, after = (offsets(torch.bincount(batch, minlength=count)) for batch in (home, home.index_select(0, index)))
    slices, added = books.of(kind)
    ids = [key for key in store.keys() if "index" in key and _holds_ends(store[key])]
    _take(out, store, slices, before, index, after)
    store["edge_index"] = edge_index.index_select(1, index)
    if "edge_index" in slices:
        slices["edge_index"] = after.cpu()
    if ends == [None, None]:
        return
    for key in ids:
        rows = [row if end is None else _renumber(kind, key, row, end) for row, end in zip(store[key], ends)]
        store[key] = torch.stack(rows)
        if key in added:
            ptrs = [graph.nodes[t].ptr if t not in kept else kept[t].ptr for t in (kind[0], kind[2])]
            added[key] = torch.stack([ptr[:-1].cpu() for ptr in ptrs], 1)[:, :, None]


def _holds_ends(value: Any) -> bool:
    """Whether PyG counts the attribute up by the nodes of the two types, row by row, when it joins graphs."""
    integers = isinstance(value, Tensor) and not value.is_floating_point() and value.dtype != torch.bool
    return integers and value.dim() == 2 and value.size(0) == 2


def _renumber(kind: EdgeType, key: str, row: Tensor, end: _Kept) -> Tensor:
    """Node ids after nodes were dropped."""
    wrong = (row < 0) | (row >= end.keep.numel())
    if bool(wrong.any()):
        raise ValueError(
            f"expected {key!r} of {kind} to hold numbers of nodes, from 0 to {end.keep.numel() - 1}, got "
            f"{int(row[wrong][0])}; give it a name without 'index' if it counts something else"
        )
    lost = ~end.keep[row]
    if bool(lost.any()):
        raise ValueError(
            f"expected {key!r} of {kind} to refer to kept nodes, got {int(lost.sum())} reference(s) to nodes that this "
            f"view dropped; delete data[{kind}].{key} before the augmentation, or use one that keeps all nodes"
        )
    return end.number[row]


def _take(
    out: HeteroData, store: BaseStorage, slices: dict[str, Any], before: Tensor, index: Tensor, after: Tensor
) -> set[str]:
    """Cut every attribute with one entry per element of a type down to ``index``, and return their names.

    ``before`` and ``after`` are ``[G + 1]``: where the elements of each graph began, and where they begin now.
    """
    begin, now = before.cpu(), after.cpu()
    of_own = {key: _is_own(store, slices, begin, key) for key in store.keys() if key not in STRUCTURE}
    for key, is_own in of_own.items():
        value = store[key]
        if is_sparse(value):
            raise ValueError(
                f"expected dense attributes, got the sparse {key!r} of {store._key!r}, which cannot follow nodes and "
                f"edges; delete it and make it anew from edge_index after the augmentation"
            )
        if is_own and isinstance(value, Tensor):
            store[key] = value.index_select(out.__cat_dim__(key, value, store) or 0, index)
        elif isinstance(value, list | tuple | np.ndarray):
            store[key] = _take_entries(value, key in slices, begin, index, now)
    own = {key for key, is_own in of_own.items() if is_own}
    for key in own & slices.keys():
        slices[key] = now
        if f"{key}_ptr" in store:
            store[f"{key}_ptr"] = after
    return own


def _is_own(store: BaseStorage, slices: dict[str, Any], begin: Tensor, key: str) -> bool:
    """Whether an attribute has one entry per node (edge) of its type: by the slices of a batch, else by its size."""
    if not isinstance(store[key], Tensor) or key.removesuffix("_ptr") in slices.keys() - {key}:
        return False
    if is_of_links(store, key):
        return False
    source = key if key in slices else key.removesuffix("_batch")  # x_batch and x_ptr are what follow_batch makes
    if source in slices:
        return isinstance(slices[source], Tensor) and torch.equal(slices[source], begin)
    return bool(store.is_node_attr(key) if isinstance(store._key, str) else store.is_edge_attr(key))


def _take_entries(value: Any, collated: bool, begin: Tensor, index: Tensor, now: Tensor) -> Any:
    """A Python list with an entry per node (edge) follows them; in a batch, each of the list's lists does."""
    if not collated:
        return _entries(value, int(begin[-1]), index.tolist())
    places = torch.split(index.cpu(), now.diff().tolist())
    parts = zip(value, begin.diff().tolist(), begin.tolist(), places, strict=False)
    return [_entries(entries, size, (place - first).tolist()) for entries, size, first, place in parts]


def _entries(value: Any, count: int, index: list[int]) -> Any:
    return entries_at(value, index) if is_list(value) and len(value) == count else value
