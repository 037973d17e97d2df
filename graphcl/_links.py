"""Attributes of links that are not the edges, which no rule on sizes can tell from those of nodes and edges."""

from torch import Tensor
from torch_geometric.data.storage import BaseStorage

__all__ = ["is_of_links"]


def is_of_links(store: BaseStorage, key: str) -> bool:
    """Whether an attribute tells of other links than the edges: of those to be predicted, or of a second edge_index.

    There may be just as many of them as edges, or as nodes. PyG's ``RandomLinkSplit`` makes one negative link for each
    positive one, which is two for each undirected edge; a tetrahedron has as many faces as corners.
    """
    name = key.removesuffix("_batch")
    if "index" in name and name != "edge_index" and ("edge" not in name or name.endswith("edge_index")):
        value = store.get(name)
        return isinstance(value, Tensor) and value.dim() > 1  # of one dimension it tells of each node or edge
    if name == "face":
        return True
    return "edge_label" in key and any("edge_label_index" in other for other in store.keys())
