"""How the attributes of a ``Data`` or ``Batch`` follow its nodes and edges, and the numbers of these that they hold."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.storage import BaseStorage

from graphcl import _host
from graphcl._arguments import plain
from graphcl.augment._levels import has_lists

__all__ = [
    "check_ids",
    "entries_at",
    "holds_edge_ids",
    "holds_node_ids",
    "like_first",
    "renumber",
    "seeds_kept",
    "take",
    "take_list",
]


def seeds_kept(store: BaseStorage, keep: Tensor) -> dict[str, Any]:
    """What a loader's batch says of its seeds, its first ``batch_size`` nodes, after nodes were dropped."""
    count = plain(store.get("batch_size"))
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
    if not has_lists(data, key):
        return entries_at(value, index.tolist())
    return [entries_at(entries, own) for entries, own in zip(value, _own(index, ptr), strict=True)]


def _own(index: Tensor, ptr: Tensor) -> list[list[int]]:
    """Per graph, the positions within it that ``index`` names."""
    home = torch.searchsorted(ptr, index, right=True) - 1
    counts = torch.bincount(home, minlength=ptr.numel() - 1)
    return [part.tolist() for part in torch.split(index - ptr[home], counts.tolist())]


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
