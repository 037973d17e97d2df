"""Node dropping and attribute masking."""

import torch
from torch import Tensor

from graphcl._host import where
from graphcl._random import Key
from graphcl.augment._edit import Edit
from graphcl.augment._fill import Fill, check_fill, fill_rows, means
from graphcl.augment._graph import Graph
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["NodeDrop", "NodeMask", "drop_nodes", "mask_nodes"]


def drop_nodes(graph: Graph, key: Key, *, drop: float, remove: bool = True, count: Count = "round") -> Edit:
    """Drop a share of each graph's nodes, chosen uniformly, with their edges; one node always stays.

    Of a view in which some nodes count no more, a share of the others.
    """
    hashes, sizes, counting = graph.node_hashes(key), graph.sizes, _counting(graph)
    if counting is not None:
        sizes = torch.zeros_like(sizes).index_add_(0, graph.batch, counting.long())
        hashes = hashes.masked_fill(~counting, -1)  # the largest: smallest_k compares without sign
    k = torch.minimum(how_many(drop, sizes, count), (sizes - 1).clamp(min=0))
    keep = ~smallest_k(hashes, graph.batch, k, graph.sizes)
    if remove:
        return Edit(keep_nodes=keep)
    src, dst = graph.edge_index
    return Edit(keep_edges=keep.index_select(0, src) & keep.index_select(0, dst), node_mask=keep)


def _counting(graph: Graph) -> Tensor | None:
    """``[N]`` which nodes still count, where ``NodeDrop(remove=False)`` has said so."""
    mask = graph.stored.get("node_mask")
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        return None
    mask = mask if graph.rows is None else mask.index_select(0, graph.rows)
    return mask if mask.shape == graph.batch.shape else None


def mask_nodes(graph: Graph, key: Key, *, mask: float, fill: Fill = "mean", count: Count = "round") -> Edit:
    """Replace the features of a share of each graph's nodes; the nodes and edges stay."""
    x = graph.stored_features("mask")
    hashes = graph.node_hashes(key)
    index = where(smallest_k(hashes, graph.batch, how_many(mask, graph.sizes, count), graph.sizes))

    def mean() -> Tensor:
        return means(x, graph.rows, graph.ptr).index_select(0, graph.batch.index_select(0, index))

    rows = fill_rows("x", x, fill, index.numel(), mean=mean, noise=lambda: hashes.index_select(0, index))
    return Edit(rows={"x": (index, rows)})


class NodeDrop(EditAugmentation):
    """Drop a share of each graph's nodes with the edges at them, and renumber the rest.

    The number is exact, ``count(drop * n)`` of a graph's ``n`` nodes; which ones is uniform. A graph that had nodes
    keeps at least one. The view carries ``n_id``, each node's number in its input graph.

    With ``remove=False`` dropped nodes lose their edges but stay as rows, nothing is renumbered and no features are
    copied: the cheap form for a large graph. The view then carries ``node_mask``, a bool per node that is false for the
    dropped ones. Nothing in the package reads it: no neighbour hears of the dropped nodes, as they are isolated, but
    their features and other attributes stay as they are, so an encoder embeds them and its readouts (mean, sum, max),
    the statistics of BatchNorm and losses over nodes count them. To embed graphs, remove them, or pool with
    ``h[view.node_mask]`` and ``view.batch[view.node_mask]``. Both forms drop the same nodes. In a view that has a
    ``node_mask`` already, only nodes that count are dropped, a share of these, and one of them stays.

    Args:
        drop: The share of nodes to drop, within [0, 1].
        remove: Take the nodes out; if not, mark them in ``node_mask`` and leave it to the caller to count them out.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``drop`` lies outside [0, 1]; an attribute refers to a node that was removed; ``node_mask`` is
            there, but no bool per node.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> NodeDrop(drop=0.4)(path).num_nodes
        2
        >>> NodeDrop(drop=0.4, remove=False)(path).node_mask.sum()
        tensor(2)

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (node
    dropping).
    """

    def __init__(self, drop: float = 0.1, *, remove: bool = True, count: Count = "round") -> None:
        self.drop = check_share("drop", drop)
        self.remove = remove
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return drop_nodes(graph, key, drop=self.drop, remove=self.remove, count=self.count)


class NodeMask(EditAugmentation):
    """Replace the features of a share of each graph's nodes (attribute masking); nodes and edges stay.

    Args:
        mask: The share of nodes to mask, within [0, 1]; the number is exact.
        fill: What a masked row becomes: a number; a row, as a list of one number per column or as a tensor of the shape
            of a row, for instance a learned token, which then gets a gradient; ``"mean"``, the mean row of the graph;
            or ``"gaussian"``, noise with mean 0.5 and standard deviation 0.5, as in the authors' code. Features that
            are not floating point (categories) take whole numbers only.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``mask`` lies outside [0, 1]; the data have no ``x``; ``fill`` has not the shape of a row.
        TypeError: ``fill`` is none of these, or not whole for features that are not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.ones(4, 2), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> int(NodeMask(mask=0.5, fill=0.0)(data).x.sum())
        4
        >>> token = torch.zeros(2, requires_grad=True)
        >>> NodeMask(mask=0.5, fill=token)(data).x.sum().backward()
        >>> token.grad
        tensor([2., 2.])

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (attribute
    masking).
    """

    def __init__(self, mask: float = 0.1, *, fill: Fill = "mean", count: Count = "round") -> None:
        self.mask = check_share("mask", mask)
        self.fill = check_fill(fill)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return mask_nodes(graph, key, mask=self.mask, fill=self.fill, count=self.count)
