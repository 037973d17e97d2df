"""What an augmentation wants changed.

An augmentation never touches a ``Data``: it returns an :class:`Edit`, which one place carries out (``_apply``). So each
augmentation is a few lines of tensor code, and a random choice among several costs one pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graphcl.augment._graph import Graph

__all__ = ["Edit", "Rows", "merge"]

Rows = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Edit:
    """Changes to a graph, in the numbering of the graph they were computed from.

    Attributes:
        keep_nodes: ``[N]`` bool, or ``None`` for all.
        keep_edges: ``[E]`` bool, or ``None`` for all; an edge with a dropped end goes in any case.
        new_edges: ``[2, A]`` edges to append to their graphs.
        like_edges: ``[A]`` the edge whose attributes each new edge copies.
        rows: Per node attribute, which rows to replace (``[K]``) and by what (``[K, ...]``).
        values: Per node attribute, what replaces it whole (``[N, ...]``), before ``rows``.
        edge_rows: The same as ``rows`` per edge attribute.
        fill_edges: Which of the new edges (``[K]``, positions in ``new_edges``) get a number in every edge attribute
            instead of a copy.
        node_mask: ``[N]`` bool to store under that name: false for nodes that stay but no longer count.
        edge_pair: ``[E]`` names of the edges' pairs to store (see :class:`PairIndex`).

    Example:
        >>> Edit(keep_nodes=torch.tensor([True, False])).keep_nodes
        tensor([ True, False])
    """

    keep_nodes: Tensor | None = None
    keep_edges: Tensor | None = None
    new_edges: Tensor | None = None
    like_edges: Tensor | None = None
    rows: Rows = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    edge_rows: Rows = field(default_factory=dict)
    fill_edges: tuple[tuple[Tensor, float], ...] = ()
    node_mask: Tensor | None = None
    edge_pair: Tensor | None = None


def merge(graph: Graph, parts: Iterable[tuple[Edit, Tensor, Tensor]]) -> Edit:
    """One edit of ``graph`` out of edits of disjoint parts of it, each with its positions of nodes and edges."""
    parts = list(parts)
    all_nodes, all_edges = (graph.ptr.new_ones(n, dtype=torch.bool) for n in (graph.num_nodes, graph.num_edges))
    names = graph.edge_pair if graph.edge_pair is not None else graph.ptr.new_full((graph.num_edges,), -1)
    added = [(edit, nodes, edges) for edit, nodes, edges in parts if edit.new_edges is not None]
    fills, begin = [], 0
    for edit, _, _ in added:
        fills += [(index + begin, number) for index, number in edit.fill_edges]
        begin += edit.new_edges.size(1) if edit.new_edges is not None else 0
    return Edit(
        keep_nodes=_spread(all_nodes, [(edit.keep_nodes, nodes) for edit, nodes, _ in parts]),
        keep_edges=_spread(all_edges, [(edit.keep_edges, edges) for edit, _, edges in parts]),
        new_edges=torch.cat([nodes[edit.new_edges] for edit, nodes, _ in added], 1) if added else None,
        like_edges=torch.cat([edges[edit.like_edges] for edit, _, edges in added]) if added else None,
        rows=_joined([(_all_rows(edit), nodes) for edit, nodes, _ in parts]),
        edge_rows=_joined([(edit.edge_rows, edges) for edit, _, edges in parts]),
        fill_edges=tuple(fills),
        node_mask=_spread(all_nodes, [(edit.node_mask, nodes) for edit, nodes, _ in parts]),
        edge_pair=_spread(names, [(edit.edge_pair, edges) for edit, _, edges in parts]),
    )


def _all_rows(edit: Edit) -> Rows:
    """The rows that an edit replaces, those of its ``values`` among them: in a whole, a part's values are some rows."""
    rows = dict(edit.rows)
    for name, values in edit.values.items():
        if name in rows:
            index, some = rows[name]
            values = values.index_copy(0, index, some.to(values.dtype))
        rows[name] = (torch.arange(values.size(0), device=values.device), values)
    return rows


def _spread(otherwise: Tensor, parts: list[tuple[Tensor | None, Tensor]]) -> Tensor | None:
    """Values of the parts at their positions, and ``otherwise`` where a part has none; ``None`` if none has any."""
    if all(value is None for value, _ in parts):
        return None
    whole = otherwise.clone()
    for value, positions in parts:
        if value is not None:
            whole.scatter_(0, positions, value)
    return whole


def _joined(parts: list[tuple[Rows, Tensor]]) -> Rows:
    """Rows of the parts as rows of the whole."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for rows, positions in parts:
        for name, (index, values) in rows.items():
            found.setdefault(name, []).append((positions[index], values))
    return {name: (torch.cat([i for i, _ in r]), torch.cat([v for _, v in r])) for name, r in found.items()}
