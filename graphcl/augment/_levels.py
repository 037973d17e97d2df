"""What the attributes of a ``Data`` or ``Batch`` belong to: nodes, edges or graphs.

The level of an attribute is read from the slices where PyG has collated a batch, which cannot mistake one label per
graph for one per node. Elsewhere PyG's own rules decide. A view notes what it has found for the next one, which sizes
would mislead.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.storage import AttrType
from torch_geometric.utils import is_sparse

from graphcl._links import is_of_links
from graphcl.augment._graph import Graph

__all__ = ["STRUCTURE", "has_lists", "is_list", "levels", "note_levels", "refuse_nested"]

STRUCTURE = ("edge_index", "batch", "ptr", "num_nodes")
_NOTED = "_graphcl_levels"  # in the store's dictionary, where PyG keeps what it notes, and copies it with the graph


def levels(data: Data, graph: Graph, node_slices: Tensor) -> dict[str, str]:
    """The level of every attribute: "node", "edge" or "graph"; of a Python list "nodes" or "edges".

    Of a dictionary, or a list of tensors, with something of a node or an edge in it: "nested node" or "nested edge".
    """
    store = data._store
    slices: dict[str, Any] = store.__dict__.get("_slice_dict", {})
    noted: dict[str, tuple[str, Any]] = store.__dict__.get(_NOTED, {})
    # No slices of edges: the edges came after batching, as torch_cluster.knn_graph makes them.
    edge_slices: Tensor = slices["edge_index"] if "edge_index" in slices else graph.edge_ptr.cpu()
    found: dict[str, str] = {}
    for key in store.keys():  # a PyG storage is no dict
        if key in STRUCTURE:
            continue
        value = store[key]
        if is_sparse(value):
            anew = f"delete data.{key} and make it anew from edge_index after the augmentation"
            raise ValueError(
                f"expected dense attributes, got the sparse {key!r}, which cannot follow nodes and edges; "
                + ("write data.x = data.x.to_dense()" if key == "x" else anew)
            )
        # x_batch and x_ptr are what follow_batch makes of x.
        source = key if key in slices else key.removesuffix("_batch")
        if key in noted and _still_holds(data, key, graph, *noted[key]):
            found[key] = noted[key][0]
        elif isinstance(value, Mapping) or _holds_tensors(value):
            bounds = (node_slices, edge_slices) if key in slices else None
            found[key] = _level_of_nested(key, value, slices.get(key), bounds, graph)
        elif isinstance(value, list | tuple | np.ndarray):
            found[key] = _level_of_list(data, key, value, graph)
        elif not isinstance(value, Tensor) or (key.endswith("_ptr") and key.removesuffix("_ptr") in slices):
            found[key] = "graph"
        elif is_of_links(store, key):
            found[key] = "graph"
        elif key == "n_id" and value.shape[:1] == (graph.num_nodes,):
            found[key] = "node"
        elif source in slices:
            found[key] = _level_by_slices(source, slices[source], node_slices, edge_slices)
        else:
            found[key] = _level_by_size(data, key, graph)
    return found


def _level_by_slices(key: str, slices: Any, node_slices: Tensor, edge_slices: Tensor) -> str:
    if not isinstance(slices, Tensor) or slices.dim() != 1:
        return "graph"
    if torch.equal(slices, edge_slices):
        # Where every graph has one edge, or as many as nodes, only the name can tell.
        if "edge" in key:
            return "edge"
        one_each = torch.equal(slices, torch.arange(slices.numel()))
        return "graph" if one_each else "node" if torch.equal(slices, node_slices) else "edge"
    return "node" if torch.equal(slices, node_slices) else "graph"


def _level_of_list(data: Data, key: str, value: Any, graph: Graph) -> str:
    """Whether the lists have an entry for each node, or for each edge, of their graphs: all of them, or none."""
    sizes, (of_nodes, of_edges) = _sizes(data, key, value), _counts(data, key, graph)
    # Where every graph has one edge, or as many as nodes, only the name can tell.
    if sizes == of_edges and ("edge" in key or any(e not in (1, n) for n, e in zip(of_nodes, of_edges, strict=True))):
        return "edges"
    return "nodes" if sizes == of_nodes else "graph"


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], Tensor)


def _level_of_nested(key: str, value: Any, slices: Any, bounds: tuple[Tensor, Tensor] | None, graph: Graph) -> str:
    """The level of the first tensor inside that has a row for each of several nodes or edges."""
    if isinstance(value, Mapping):
        parts = [(f"{key}.{name}", part, (slices or {}).get(name)) for name, part in value.items()]
    elif _holds_tensors(value):
        apart = slices if isinstance(slices, list | tuple) else [None] * len(value)
        parts = [(key, part, own) for part, own in zip(value, apart, strict=True)]
    else:
        level = "graph"
        if bounds is not None:
            level = _level_by_slices(key, slices, *bounds)
        elif isinstance(value, Tensor) and value.dim() > 0 and value.size(0) > 1:
            of_edges = value.size(0) == graph.num_edges and ("edge" in key or graph.num_edges != graph.num_nodes)
            level = "edge" if of_edges else "node" if value.size(0) == graph.num_nodes else "graph"
        return level if level == "graph" else f"nested {level}"
    levels = [_level_of_nested(*part, bounds, graph) for part in parts]
    return next((level for level in levels if level != "graph"), "graph")


def refuse_nested(data: Data, level: dict[str, str], *, nodes: bool) -> None:
    """``ValueError`` where something nested would have to follow edges, or nodes if they change too."""
    for key, kind in level.items():
        if kind == "nested edge" or (kind == "nested node" and nodes):
            what = kind.removeprefix("nested ")
            raise ValueError(
                f"expected what belongs to {what}s as attributes of their own, got a {type(data._store[key]).__name__} "
                f"{key!r} with a row for every {what}, which would be left behind; give each a name in the data, or "
                f"delete data.{key} before the augmentation"
            )


def has_lists(data: Data, key: str) -> bool:
    """Whether an attribute is a list of the graphs' lists, as PyG joins them, and not one of its own."""
    return isinstance(data._store.__dict__.get("_slice_dict", {}).get(key), Tensor)


def _counts(data: Data, key: str, graph: Graph) -> tuple[list[int], list[int]]:
    """The numbers of nodes and of edges for each list."""
    if not has_lists(data, key):
        return [graph.num_nodes], [graph.num_edges]
    return graph.sizes.tolist(), graph.edge_counts.tolist()


def _level_by_size(data: Data, key: str, graph: Graph) -> str:
    if key == "graph_id":
        return "graph"
    if data.is_node_attr(key):
        return "node"
    one_each = graph.num_edges == graph.num_graphs and "edge" not in key
    return "edge" if data.is_edge_attr(key) and not one_each else "graph"


def note_levels(out: Data, level: dict[str, str]) -> None:
    """Note what the attributes belong to, for the next view and, of a single graph, for PyG.

    Sizes would mislead them: of a graph that has lost edges, so that there are as many as nodes, for instance.
    """
    store = out._store
    known = {key for key, kind in level.items() if key in store and not kind.startswith("nested")}
    store.__dict__[_NOTED] = {key: (kind, _sizes(out, key, store[key])) for key, kind in level.items() if key in known}
    if "_slice_dict" not in store.__dict__:
        kinds = {"node": AttrType.NODE, "edge": AttrType.EDGE, "graph": AttrType.OTHER}
        noted: defaultdict[AttrType, set[str]] = defaultdict(set)
        for key, kind in level.items():
            if kind in kinds:
                noted[kinds[kind]].add(key)
        store.__dict__["_cached_attr"] = noted


def _sizes(data: Data, key: str, value: Any) -> Any:
    """How many rows a tensor has, or entries each of the lists; what else there may be has none."""
    if isinstance(value, Tensor):
        return value.size(data.__cat_dim__(key, value, data._store) or 0) if value.dim() else None
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    return [len(entries) if is_list(entries) else None for entries in (value if has_lists(data, key) else [value])]


def _still_holds(data: Data, key: str, graph: Graph, kind: str, before: Any) -> bool:
    """Whether what was noted of an attribute may still be so: something of another size may stand there now."""
    now = _sizes(data, key, data._store[key])
    if kind in ("node", "edge"):
        return bool(now == (graph.num_nodes if kind == "node" else graph.num_edges))
    if kind in ("nodes", "edges"):
        return bool(now == _counts(data, key, graph)[kind == "edges"])
    return bool(now == before)


def is_list(value: Any) -> bool:
    """Whether it may have an entry per node or edge; a list of tensors has not."""
    return isinstance(value, list | tuple | np.ndarray) and not (len(value) > 0 and isinstance(value[0], Tensor))
