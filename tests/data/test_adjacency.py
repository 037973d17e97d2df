"""Edges sorted by one end, and what is refused."""

import pytest
import torch
from torch_geometric.data import Data

from graphcl.data._adjacency import Adjacency, check_nodes, check_structure


def test_edges_lie_together_in_their_order() -> None:
    edge_index = torch.tensor([[3, 0, 2, 0, 1], [1, 3, 1, 3, 0]])
    entering = Adjacency.of(edge_index[1], edge_index[0], 5)
    assert entering.ptr.tolist() == [0, 1, 3, 3, 5, 5]
    assert entering.other.tolist() == [1, 3, 2, 0, 0]
    assert entering.edge.tolist() == [4, 0, 2, 1, 3]
    assert entering.num_nodes == 5
    assert entering.positions(torch.tensor([3, 1]), torch.tensor([2, 1]), 3).tolist() == [3, 4, 1]


def test_check_structure() -> None:
    edges = torch.tensor([[0, 1], [1, 2]])
    assert check_structure(Data(edge_index=edges, num_nodes=4))[1] == 4
    computed = [
        check_structure(Data(edge_index=edges, num_nodes=edges.max() + 1))[1],
        check_structure(Data(edge_index=edges, num_nodes=edges.numpy().max() + 1))[1],
    ]
    assert computed == [3, 3] and {type(count) for count in computed} == {int}
    with pytest.raises(ValueError, match="expected a graph with nodes, got none"):
        check_structure(Data(edge_index=edges[:, :0], num_nodes=0))
    with pytest.raises(ValueError, match="from 0 to 3 in edge_index, got -1"):
        check_structure(Data(edge_index=edges - 1, num_nodes=4))


def test_check_nodes() -> None:
    check_nodes("roots", torch.tensor([0, 2]), 3)
    with pytest.raises(ValueError, match="expected roots from 0 to 2, got 3"):
        check_nodes("roots", torch.tensor([3]), 3)
