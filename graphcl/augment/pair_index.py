"""Names for the pairs of nodes that edges join, kept on the graph so that no view has to sort its edges."""

from graphcl._random import Key
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs
from graphcl.augment.base import EditAugmentation

__all__ = ["PairIndex", "pair_names"]


def pair_names(graph: Graph) -> Edit:
    """Give each edge the number of its unordered pair of nodes among the pairs of its graph."""
    pairs = Pairs.find(graph, directed=False, trust_names=False)
    names = pairs.of_edge
    if graph.num_graphs > 1:
        first = pairs.counts.cumsum(0) - pairs.counts
        names = names - first.index_select(0, graph.edge_batch)
    return Edit(edge_pair=names)


class PairIndex(EditAugmentation):
    """The graph as it is, with an edge attribute ``edge_pair`` that names each edge's unordered pair of nodes.

    Views that count undirected edges (``EdgeDrop(count="round")``, :class:`EdgePerturb`, :class:`EdgeRewire`,
    :class:`EdgeMask`) must know which edges belong together, and sort them to find out. With the names they need not:
    on a large graph that is used for many views, apply this once. The views are the same, with or without.

    A name is the number of the pair, in the order of its larger, then its smaller node, among the pairs of its graph;
    so the attribute may be batched, sliced and subset like any other. It is never believed blindly: who reads it makes
    sure, in one pass, that edges of one name join one pair and that names rise with their pairs, and sorts the edges
    where that does not hold (edges were added, nodes put in another order). For one large graph the answer is kept
    until ``edge_index`` or ``edge_pair`` is replaced or written to through torch. Dropping edges or nodes leaves names
    true; a view that adds edges to a graph sets the names of all its edges to -1, which says unknown.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> PairIndex()(path).edge_pair
        tensor([0, 0, 1, 1])
    """

    def edit(self, graph: Graph, key: Key) -> Edit:
        return pair_names(graph)
