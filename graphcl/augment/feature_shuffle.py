"""Shuffling of features: a corruption that keeps the structure and every row, but not which node has it."""

import torch
from torch import Tensor

from graphcl._random import Key, hash_ids
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._select import sort_keys
from graphcl.augment.base import EditAugmentation

__all__ = ["FeatureShuffle", "shuffle_features"]


def shuffle_features(graph: Graph, key: Key, *, across: bool = False) -> Edit:
    """Permute the rows of the features, within each graph or across all of them."""
    x = graph.stored_features("change")
    order = _across(graph, key) if across else _within(graph, key)
    rows = order if graph.rows is None else graph.rows.index_select(0, order)
    return Edit(values={"x": x.index_select(0, rows)})


def _within(graph: Graph, key: Key) -> Tensor:
    """``[N]`` a permutation of the nodes that keeps every graph's among themselves: all graphs in one sort."""
    return _sorted(sort_keys(graph.node_hashes(key), graph.batch, graph.num_graphs))


def _across(graph: Graph, key: Key) -> Tensor:
    """``[N]`` a permutation of all nodes, by place rather than by name: a graph may lie in a batch twice."""
    return _sorted(hash_ids(key, torch.arange(graph.num_nodes, device=graph.device)))


def _sorted(code: Tensor) -> Tensor:
    """``[N]`` the positions of the numbers in ascending order; the same on every device, because stable."""
    if code.device.type == "cpu":  # torch's threads wait for each other where cores are shared
        return torch.from_numpy(code.numpy().argsort(kind="stable"))
    return torch.argsort(code, stable=True)


class FeatureShuffle(EditAugmentation):
    """Give the feature rows of each graph to its nodes in random order; edges and all other attributes stay.

    Every permutation is equally likely, the one that changes nothing among them.

    Args:
        across: Shuffle the rows of the whole batch, so that nodes get rows of other graphs. The one augmentation whose
            view of a graph depends, by its nature, on the batch that the graph lies in and on its place there.

    Raises:
        ValueError: The data have no ``x``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.arange(4.0)[:, None], edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> FeatureShuffle()(data).x.flatten().sort().values
        tensor([0., 1., 2., 3.])

    Source: Velickovic, Fedus, Hamilton, Lio, Bengio, Hjelm, "Deep Graph Infomax", ICLR 2019 (the corruption of a single
    graph by shuffling its rows).
    """

    def __init__(self, *, across: bool = False) -> None:
        self.across = across

    def edit(self, graph: Graph, key: Key) -> Edit:
        return shuffle_features(graph, key, across=self.across)

    @property
    def keyed_by_graph(self) -> bool:
        return not self.across
