"""What the attributes of a ``Data`` or ``Batch`` belong to, and how they follow its nodes and edges.

The level of an attribute is read from the slices where PyG has collated a batch, which cannot mistake one label per
graph for one per node. Elsewhere PyG's own rules decide.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.storage import AttrType, BaseStorage
from torch_geometric.utils import is_sparse

from graphcl import _host
from graphcl._links import is_of_links
from graphcl.augment._graph import Graph

__all__ = [
    "STRUCTURE",
    "check_ids",
    "entries_at",
    "holds_edge_ids",
    "holds_node_ids",
    "is_list",
    "levels",
    "like_first",
    "note_levels",
    "refuse_nested",
    "renumber",
    "seeds_kept",
    "take",
    "take_list",
]

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


def _has_lists(data: Data, key: str) -> bool:
    """Whether an attribute is a list of the graphs' lists, as PyG joins them, and not one of its own."""
    return isinstance(data._store.__dict__.get("_slice_dict", {}).get(key), Tensor)


def _counts(data: Data, key: str, graph: Graph) -> tuple[list[int], list[int]]:
    """The numbers of nodes and of edges for each list."""
    if not _has_lists(data, key):
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
    return [len(entries) if is_list(entries) else None for entries in (value if _has_lists(data, key) else [value])]


def _still_holds(data: Data, key: str, graph: Graph, kind: str, before: Any) -> bool:
    """Whether what was noted of an attribute may still be so: something of another size may stand there now."""
    now = _sizes(data, key, data._store[key])
    if kind in ("node", "edge"):
        return bool(now == (graph.num_nodes if kind == "node" else graph.num_edges))
    if kind in ("nodes", "edges"):
        return bool(now == _counts(data, key, graph)[kind == "edges"])
    return bool(now == before)


def seeds_kept(store: BaseStorage, keep: Tensor) -> dict[str, Any]:
    """What a loader's batch says of its seeds, its first ``batch_size`` nodes, after nodes were dropped."""
    count = store.get("batch_size")
    if not isinstance(count, int) or "n_id" not in store:
        return {}
    alive, names = keep[:count], store.get("input_id")
    kept = {"batch_size": int(alive.sum())}
    return kept if not isinstance(names, Tensor) or names.shape != alive.shape else {**kept, "input_id": names[alive]}


def take(data: Data, key: str, value: Tensor, index: Tensor) -> Tensor:
    """The rows of ``value`` at ``index``, along the dimension in which PyG joins this attribute."""
    return _host.take(value, index, data.__cat_dim__(key, value, data._store) or 0)


def take_list(data: Data, key: str, value: Any, index: Tensor, ptr: Tensor) -> Any:
    """A Python list with an entry per node or edge follows them; in a batch, each of the list's lists does."""
    if not _has_lists(data, key):
        return entries_at(value, index.tolist())
    return [entries_at(entries, own) for entries, own in zip(value, _own(index, ptr), strict=True)]


def _own(index: Tensor, ptr: Tensor) -> list[list[int]]:
    """Per graph, the positions within it that ``index`` names."""
    home = torch.searchsorted(ptr, index, right=True) - 1
    counts = torch.bincount(home, minlength=ptr.numel() - 1)
    return [part.tolist() for part in torch.split(index - ptr[home], counts.tolist())]


def is_list(value: Any) -> bool:
    """Whether it may have an entry per node or edge; a list of tensors has not."""
    return isinstance(value, list | tuple | np.ndarray) and not (len(value) > 0 and isinstance(value[0], Tensor))


def entries_at(value: Any, index: list[int]) -> Any:
    """The entries of a list, a tuple or an array at ``index``, as one of its kind."""
    return value[index] if isinstance(value, np.ndarray) else type(value)(value[i] for i in index)


def holds_node_ids(data: Data, key: str, value: Any, first_nodes: Tensor) -> bool:
    """Whether PyG counts the attribute up by the number of nodes when it joins graphs; other increments are left alone.

    ``first_nodes`` is ``[G]``, on the host.
    """
    if (
        not isinstance(value, Tensor)
        or value.is_floating_point()
        or value.dtype == torch.bool
        or _tells_graphs(data, key)
    ):
        return False
    added = data._store.__dict__.get("_inc_dict", {}).get(key)
    if isinstance(added, Tensor) and int(first_nodes[-1]) > 0:
        # Most attributes are not counted up at all, which the last graph tells at once.
        same = added.numel() > 0 and int(added.reshape(-1)[-1]) == int(first_nodes[-1])
        return same and torch.equal(added, like_first(added, first_nodes))
    return _is_all(data.__inc__(key, value, data._store), data.num_nodes or 0)


def holds_edge_ids(data: Data, key: str, value: Any, num_edges: int) -> bool:
    """Whether PyG counts the attribute up by the number of edges: the number of an edge's reverse, or of two in a row.

    Where there are as many nodes as edges, :func:`holds_node_ids` says the same and is to be believed.
    """
    if not isinstance(value, Tensor) or value.dtype != torch.int64 or _tells_graphs(data, key):
        return False
    hidden = data._store.__dict__
    added = hidden.get("_inc_dict", {}).get(key)
    if isinstance(added, Tensor) and added.numel() > 0 and (last := int(added.reshape(-1)[-1])) > 0:
        slices = hidden["_slice_dict"].get("edge_index")
        same = slices is not None and last == int(slices[-2])
        return same and torch.equal(added, like_first(added, slices[:-1]))
    return _is_all(data.__inc__(key, value, data._store), num_edges)


def _tells_graphs(data: Data, key: str) -> bool:
    """Whether an attribute says which graph something is of, as those do that follow_batch makes: even of an index."""
    return "batch" in key or (key.endswith("_ptr") and key.removesuffix("_ptr") in data._store)


def _is_all(increment: Any, count: int) -> bool:
    """Whether an increment, a number or a tensor of them, is the ``count`` of nodes or edges, which is not 0."""
    if isinstance(increment, int):
        return increment == count > 0
    increment = torch.as_tensor(increment)
    return count > 0 and increment.numel() > 0 and bool((increment == count).all())


def like_first(added: Tensor, first: Tensor) -> Tensor:
    """``first`` [G], nodes or edges, in the shape of what PyG has added to an attribute: [G, ...]."""
    return first.reshape(-1, *[1] * (added.dim() - 1)).expand_as(added).contiguous()


def check_ids(data: Data, key: str, ptr: Tensor, *, what: str = "nodes") -> None:
    """``ValueError`` unless the attribute, taken for ids, names nodes (or edges) of the graph that it belongs to.

    Where it counts something else, such as molecules of a data set, a node would be renumbered that it does not mean.

    Args:
        ptr: ``[G + 1]`` the first node (edge) of each graph.
    """
    value, slices = data._store[key], data._store.__dict__.get("_slice_dict", {}).get(key)
    first, end = ptr.new_zeros(()), ptr[-1]
    dim = data.__cat_dim__(key, value, data._store) or 0
    if isinstance(slices, Tensor) and value.dim() > 0 and value.size(dim) == int(slices[-1]):
        home = torch.repeat_interleave(slices.diff().to(ptr.device))
        shape = [1] * value.dim()
        shape[dim] = -1
        first, end = (bound.index_select(0, home).view(shape) for bound in (ptr[:-1], ptr[1:]))
    wrong = (value < first) | (value >= end)
    if bool(wrong.any()):
        raise ValueError(
            f"expected {key!r} to hold numbers of {what} of its graph, as PyG counts it up by the number of {what}, "
            f"got {int((value - first)[wrong][0])}; give it a name without 'index' if it counts something else, or "
            f"delete data.{key} before the augmentation"
        )


def renumber(key: str, value: Tensor, keep: Tensor, number: Tensor, *, what: str = "nodes") -> Tensor:
    """Ids of nodes, or of edges, after some were dropped or others put between them."""
    lost = ~keep[value]
    if bool(lost.any()):
        others = "NodeMask, EdgeDrop" if what == "nodes" else "NodeMask, EdgeAdd"
        raise ValueError(
            f"expected {key!r} to refer to kept {what}, got {int(lost.sum())} reference(s) to {what} that this view "
            f"dropped; delete data.{key} before the augmentation, or use one that keeps all {what} ({others})"
        )
    return number[value]
