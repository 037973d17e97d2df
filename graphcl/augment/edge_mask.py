"""Edge attribute masking."""

from collections.abc import Sequence

from torch import Tensor

from graphcl._host import where
from graphcl._random import Key, hash_ids
from graphcl.augment._edit import Edit, Rows
from graphcl.augment._fill import Fill, check_fill, fill_rows, means
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs
from graphcl.augment._select import Count, check_count, check_share
from graphcl.augment.base import EditAugmentation

__all__ = ["EdgeMask", "mask_edges"]


def mask_edges(
    graph: Graph,
    key: Key,
    *,
    mask: float,
    attr: Sequence[str] = ("edge_attr",),
    fill: Fill = "mean",
    directed: bool = False,
    count: Count = "round",
) -> Edit:
    """Replace attributes of a share of each graph's edges, both directions of an undirected one together."""
    values = {name: graph.stored_edges(name) for name in attr}
    pairs = Pairs.find(graph, directed=directed)
    hashes = pairs.hashes(key)
    index = where(pairs.choose(hashes, mask, count).index_select(0, pairs.of_edge))
    pair = pairs.of_edge.index_select(0, index)
    rows: Rows = {}
    for i, (name, value) in enumerate(values.items()):

        def mean(value: Tensor = value) -> Tensor:
            return means(value, graph.edge_rows, graph.edge_ptr).index_select(0, pairs.graph.index_select(0, pair))

        def noise(i: int = i) -> Tensor:
            # Of the pair, so that both directions get the same; hashed by attribute, so that two do not.
            own = hashes.index_select(0, pair)
            return own if i == 0 else hash_ids(own, own.new_tensor([-i]))

        rows[name] = (index, fill_rows(name, value, fill, index.numel(), mean=mean, noise=noise))
    return Edit(edge_rows=rows)


class EdgeMask(EditAugmentation):
    """Replace attributes of a share of each graph's edges; nodes, edges and all other attributes stay.

    The number is exact, ``count(mask * m)`` of a graph's ``m`` edges, both directions of an undirected edge counted as
    one and masked together, with the same values; which ones is uniform.

    Args:
        mask: The share of edges to mask, within [0, 1].
        attr: The edge attribute, or several, which are then masked at the same edges.
        fill: What a masked row becomes: a number; a row, as a list of one number per column or as a tensor of the shape
            of a row, for instance a learned token, which then gets a gradient; ``"mean"``, the mean row of the graph's
            edges; or ``"gaussian"``, noise with mean 0.5 and standard deviation 0.5, as :class:`NodeMask` has it.
            Attributes that are not floating point (bond types) take whole numbers only.
        directed: Treat the two directions of an edge as two edges.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``mask`` lies outside [0, 1]; the data have no such edge attribute; ``fill`` has not the shape of a
            row.
        TypeError: ``fill`` is none of these, or not whole for an attribute that is not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> bonds = torch.tensor([[1, 0], [1, 0], [2, 1], [2, 1]])
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), edge_attr=bonds, num_nodes=3)
        >>> view = EdgeMask(mask=0.5, fill=[5, 3])(path)
        >>> sorted(view.edge_attr.tolist())[2:]
        [[5, 3], [5, 3]]

    Source: Hu, Liu, Gomes, Zitnik, Liang, Pande, Leskovec, "Strategies for Pre-training Graph Neural Networks", ICLR
    2020 (attribute masking of edges), as a view.
    """

    def __init__(
        self,
        mask: float = 0.1,
        *,
        attr: str | Sequence[str] = "edge_attr",
        fill: Fill = "mean",
        directed: bool = False,
        count: Count = "round",
    ) -> None:
        self.mask = check_share("mask", mask)
        names = [attr] if isinstance(attr, str) else list(attr) if isinstance(attr, Sequence) else []
        if not names or not all(isinstance(name, str) for name in names):
            raise TypeError(f"expected attr to be the name of an edge attribute, or several, got {attr!r}")
        self.attr = attr if isinstance(attr, str) else names
        self.fill = check_fill(fill)
        self.directed = directed
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        names = [self.attr] if isinstance(self.attr, str) else self.attr
        return mask_edges(
            graph, key, mask=self.mask, attr=names, fill=self.fill, directed=self.directed, count=self.count
        )
