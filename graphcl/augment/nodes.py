"""Node dropping and attribute masking."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl._random import Key, hash_ids, normal
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["NodeDrop", "NodeMask", "drop_nodes", "mask_nodes"]

Fill = float | Literal["mean", "gaussian"]


def drop_nodes(graph: Graph, key: Key, *, drop: float, count: Count = "round") -> Edit:
    """Drop a share of each graph's nodes, chosen uniformly, with their edges; one node always stays."""
    k = torch.minimum(how_many(drop, graph.sizes, count), (graph.sizes - 1).clamp(min=0))
    return Edit(keep_nodes=~smallest_k(graph.node_hashes(key), graph.batch, k, graph.sizes))


def mask_nodes(graph: Graph, key: Key, *, mask: float, fill: Fill = "mean", count: Count = "round") -> Edit:
    """Replace the features of a share of each graph's nodes; the nodes and edges stay."""
    x = graph.features
    if x is None:
        raise ValueError(
            "expected node features to mask, got data without x; choose features when loading (features='constant') "
            "or use an augmentation of the structure"
        )
    if not x.is_floating_point() and (isinstance(fill, str) or fill != int(fill)):
        raise TypeError(
            f"expected floating-point x for fill={fill!r}, got {x.dtype}; give a whole number as mask token"
        )
    hashes = graph.node_hashes(key)
    index = smallest_k(hashes, graph.batch, how_many(mask, graph.sizes, count), graph.sizes).nonzero().squeeze(1)
    shape = (index.numel(), *x.shape[1:])
    if fill == "mean":
        rows = _means(graph).index_select(0, graph.batch.index_select(0, index)).reshape(shape)
    elif fill == "gaussian":
        columns = torch.arange(math.prod(x.shape[1:]), device=x.device)
        noise = normal(hash_ids(hashes.index_select(0, index)[:, None], columns))
        rows = noise.mul_(0.5).add_(0.5).to(x.dtype).reshape(shape)
    else:
        rows = x.new_full(shape, fill)
    return Edit(rows={"x": (index, rows)})


def _means(graph: Graph) -> Tensor:
    """``[G, F]`` the mean features of each graph, added up in the same order on every device."""
    x, rows = graph.features, graph.rows
    assert x is not None
    if x.size(0) == 0:
        return x.new_zeros(graph.num_graphs, math.prod(x.shape[1:]))
    rows = torch.arange(graph.num_nodes, device=x.device) if rows is None else rows
    flat = x.reshape(x.size(0), -1)
    total = F.embedding_bag(rows, flat, graph.ptr, mode="sum", include_last_offset=True)
    return total / graph.sizes.clamp(min=1)[:, None].to(x.dtype)


class NodeDrop(EditAugmentation):
    """Drop a share of each graph's nodes with the edges at them, and renumber the rest.

    The number is exact, ``count(drop * n)`` of a graph's ``n`` nodes; which ones is uniform. A graph that had nodes
    keeps at least one. The view carries ``n_id``, each node's number in its input graph.

    Args:
        drop: The share of nodes to drop, within [0, 1].
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``drop`` lies outside [0, 1], or an attribute refers to a node that was dropped.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> NodeDrop(drop=0.4)(path).num_nodes
        2

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020, table 1.
    """

    def __init__(self, drop: float = 0.1, *, count: Count = "round") -> None:
        self.drop = check_share("drop", drop)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return drop_nodes(graph, key, drop=self.drop, count=self.count)


class NodeMask(EditAugmentation):
    """Replace the features of a share of each graph's nodes (attribute masking); nodes and edges stay.

    Args:
        mask: The share of nodes to mask, within [0, 1]; the number is exact.
        fill: What a masked row becomes: a number; ``"mean"``, the mean row of the graph; or ``"gaussian"``, noise with
            mean 0.5 and standard deviation 0.5, as in the authors' code.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``mask`` lies outside [0, 1], or the data have no ``x``.
        TypeError: ``fill`` is no number, or not a whole one for features that are not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.ones(4, 2), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> int(NodeMask(mask=0.5, fill=0.0)(data).x.sum())
        4

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, table 1.
    """

    def __init__(self, mask: float = 0.1, *, fill: Fill = "mean", count: Count = "round") -> None:
        self.mask = check_share("mask", mask)
        if isinstance(fill, str) and fill not in ("mean", "gaussian"):
            raise ValueError(f"expected fill to be a number, 'mean' or 'gaussian', got {fill!r}")
        if not isinstance(fill, str | int | float) or isinstance(fill, bool):
            raise TypeError(f"expected fill to be a number, 'mean' or 'gaussian', got {fill!r}")
        self.fill = fill
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return mask_nodes(graph, key, mask=self.mask, fill=self.fill, count=self.count)
