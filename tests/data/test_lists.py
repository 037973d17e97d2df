"""A data set from a list."""

import pytest
import torch
from torch_geometric.data import Data

from graphcl.data import ListDataset


def graph(n: int) -> Data:
    return Data(x=torch.full((n, 2), float(n)), edge_index=torch.tensor([[0], [1]]), y=torch.tensor([n]))


def test_graphs_come_back_in_order() -> None:
    dataset = ListDataset([graph(2), graph(3)], name="two")
    assert repr(dataset) == "two(2)"
    assert [item.num_nodes for item in dataset] == [2, 3]
    assert torch.equal(dataset[1].x, graph(3).x)
    assert dataset._data.x.shape == (5, 2)
    assert repr(dataset[:1]) == "two(1)"


def test_one_graph_is_kept_whole() -> None:
    dataset = ListDataset([graph(4)], name="one")
    assert len(dataset) == 1
    assert dataset.slices is None
    assert dataset[0].num_nodes == 4


def test_no_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one graph, got none"):
        ListDataset([], name="none")
