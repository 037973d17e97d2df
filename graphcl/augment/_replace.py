"""Other edges for the same nodes, on a copy, with all of a batch's bookkeeping."""

import copy

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl.augment._attributes import holds_edge_ids, holds_node_ids
from graphcl.augment._graph import Graph, offsets
from graphcl.augment._levels import levels, note_levels, refuse_nested

__all__ = ["replace_edges"]


def replace_edges(data: Data, graph: Graph, edge_index: Tensor, edge_weight: Tensor, counts: Tensor) -> Data:
    """A new ``Data`` or ``Batch`` with the given edges and weights, ``counts`` [G] of them for each graph.

    What belongs to nodes and graphs is carried; what belonged to the old edges is left out. ``counts`` is on the host.
    """
    out = copy.copy(data)
    store = out._store
    old = graph.ptr.cpu()
    level = levels(out, graph, old)
    refuse_nested(data, level, nodes=False)
    gone = {key for key, kind in level.items() if kind in ("edge", "edges")}
    numbers = (key for key in level if holds_edge_ids(data, key, store[key], graph.num_edges))
    gone.update(key for key in numbers if not holds_node_ids(data, key, store[key], old[:-1]))
    gone.discard("edge_weight")
    followed = {f"{key}_ptr" for key in gone}
    for key in [key for key in store.keys() if key in gone or key in followed]:
        del store[key]
    store["edge_index"] = edge_index
    if "edge_weight" not in store and "batch" in store:
        # Before `batch` and `ptr`, which come last in a batch that PyG has collated from single views.
        last = {key: store[key] for key in ("batch", "ptr") if key in store}
        for key in last:
            del store[key]
        store["edge_weight"] = edge_weight
        store.update(last)
    else:
        store["edge_weight"] = edge_weight
    _update_bookkeeping(out, gone, counts)
    note_levels(out, {**level, "edge_weight": "edge"})
    return out


def _update_bookkeeping(out: Data, gone: set[str], counts: Tensor) -> None:
    """Bring ``_slice_dict``, ``_inc_dict`` and the vectors of ``follow_batch`` up to date, on copies."""
    store, hidden = out._store, out._store.__dict__
    if "_slice_dict" not in hidden:
        return
    slices, added = ({k: v for k, v in hidden[name].items() if k not in gone} for name in ("_slice_dict", "_inc_dict"))
    begin = offsets(counts)
    if "edge_index" in slices:
        slices["edge_index"] = slices["edge_weight"] = begin
        added["edge_weight"] = torch.zeros_like(begin[:-1])
    for key in ("edge_index", "edge_weight"):
        if f"{key}_ptr" in store:
            store[f"{key}_ptr"] = begin.to(store["edge_index"].device)
            store[f"{key}_batch"] = torch.repeat_interleave(counts).to(store["edge_index"].device)
    hidden["_slice_dict"], hidden["_inc_dict"] = slices, added
