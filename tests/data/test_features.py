"""Node features by choice: equal to a loop over graphs, and never by silence."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.transforms import NormalizeFeatures
from torch_geometric.utils import degree

from graphcl.data import ListDataset, load_tu, with_features
from graphcl.data.features import node_offsets
from graphcl.errors import DataError


def bare(edges: list[tuple[int, int]], n: int, **more: Tensor) -> Data:
    index = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).t()
    return Data(edge_index=torch.cat([index, index.flip(0)], dim=1), num_nodes=n, **more)


@pytest.fixture
def featureless() -> ListDataset:
    """A triangle with an isolated node, a graph without edges, a star of six."""
    graphs = [
        bare([(0, 1), (1, 2), (2, 0)], 4, y=torch.tensor([0])),
        bare([], 2, y=torch.tensor([1])),
        bare([(0, i) for i in range(1, 6)], 6, y=torch.tensor([0])),
    ]
    return ListDataset(graphs, name="bare")


def with_x(x: Tensor, edge_attr: Tensor | None = None) -> ListDataset:
    edge_index = torch.tensor([[0, 1], [1, 0]])
    graphs = [
        Data(x=x, edge_index=edge_index, edge_attr=edge_attr),
        Data(x=x, edge_index=edge_index, edge_attr=edge_attr),
    ]
    return ListDataset(graphs, name="pairs")


def assert_same_but_x(result: InMemoryDataset, original: InMemoryDataset) -> None:
    assert type(result) is type(original)
    assert repr(result) == repr(original)
    for new, old in zip(result, original, strict=True):
        assert torch.equal(new.edge_index, old.edge_index)
        assert new.y == old.y
        assert new.num_nodes == old.num_nodes


def test_constant(featureless: ListDataset) -> None:
    result = with_features(featureless, "constant")
    assert_same_but_x(result, featureless)
    assert [graph.x.shape for graph in result] == [(4, 1), (2, 1), (6, 1)]
    assert torch.equal(result._data.x, torch.ones(12, 1))


def test_normalized_is_pygs_of_each_graph() -> None:
    edge_index = torch.tensor([[0, 1], [1, 0]])
    graphs = [
        Data(x=torch.tensor([[1.0, 3.0], [2.0, 2.0]]), edge_index=edge_index),
        Data(x=torch.tensor([[-1.0, 0.5], [0.0, 4.0], [2.0, 2.0]]), edge_index=edge_index),
    ]
    result = with_features(ListDataset(graphs, name="two"), "normalized")
    for found, graph in zip(result, graphs, strict=True):
        torch.testing.assert_close(found.x, NormalizeFeatures()(graph.clone()).x)


def test_degrees_need_edges() -> None:
    with pytest.raises(DataError, match="lone has no edge_index, of which degrees could be counted"):
        with_features(ListDataset([Data(x=torch.ones(2, 1))], name="lone"), "degree")


def test_degree(featureless: ListDataset) -> None:
    result = with_features(featureless, "degree")
    assert_same_but_x(result, featureless)
    assert [graph.x.flatten().tolist() for graph in result] == [[2, 2, 2, 0], [0, 0], [5, 1, 1, 1, 1, 1]]


@pytest.mark.parametrize(("cap", "columns"), [(400, 6), (5, 6), (4, 5), (1, 2)])
def test_one_hot_degree_shares_the_last_column_above_the_cap(featureless: ListDataset, cap: int, columns: int) -> None:
    result = with_features(featureless, "degree-onehot", cap=cap)
    assert_same_but_x(result, featureless)
    for graph in result:
        counted = degree(graph.edge_index[0], graph.num_nodes, dtype=torch.long).clamp(max=columns - 1)
        assert torch.equal(graph.x, torch.nn.functional.one_hot(counted, columns).float())


@pytest.mark.parametrize("features", ["constant", "degree", "degree-onehot"])
def test_the_input_is_left_alone(featureless: ListDataset, features: str) -> None:
    before = [graph.to_dict() for graph in featureless]
    result = with_features(featureless, features)
    assert featureless._data.x is None
    assert "x" not in featureless.slices
    assert [graph.to_dict().keys() for graph in featureless] == [graph.keys() for graph in before]
    # A number of nodes beside x would outlive the dropping of nodes.
    assert "num_nodes" not in result._data
    assert "num_nodes" not in result[0]


def test_subsets_and_transforms_survive(featureless: ListDataset) -> None:
    featureless.transform = lambda graph: graph
    result = with_features(featureless[[2, 0]], "degree")
    assert [graph.num_nodes for graph in result] == [6, 4]
    assert result.transform is featureless.transform


def test_one_graph() -> None:
    result = with_features(ListDataset([bare([(0, 1)], 3)], name="one"), "degree")
    assert result[0].x.tolist() == [[1], [1], [0]]


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float64, torch.float16])
def test_own_features_become_float32(dtype: torch.dtype) -> None:
    original = with_x(torch.ones(2, 3, dtype=dtype))
    for features in (None, "original"):
        result = with_features(original, features)
        assert result._data.x.dtype == torch.float32
        assert torch.equal(result[1].x, torch.ones(2, 3))
    assert original._data.x.dtype == dtype


def test_a_feature_vector_becomes_a_matrix() -> None:
    assert with_features(with_x(torch.tensor([1.0, 2.0])))[0].x.tolist() == [[1], [2]]


def test_an_explicit_choice_replaces_own_features() -> None:
    original = with_x(torch.full((2, 3), torch.nan))
    result = with_features(original, "constant")  # what is wrong with x does not matter any more
    assert result[0].x.tolist() == [[1], [1]]
    assert original._data.x.shape == (4, 3)


@pytest.mark.parametrize("features", [None, "original"])
def test_no_features_and_no_choice_lists_the_choices(featureless: ListDataset, features: str | None) -> None:
    with pytest.raises(DataError, match="bare has no node features: choose some .*constant: .*degree: .*degree-onehot"):
        with_features(featureless, features)


def test_wrong_arguments(featureless: ListDataset) -> None:
    with pytest.raises(ValueError, match="expected features to be 'original', .* or '.*', got 'ones'"):
        with_features(featureless, "ones")
    with pytest.raises(ValueError, match="expected cap >= 1, got 0"):
        with_features(featureless, "degree-onehot", cap=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e300])
def test_features_that_are_not_finite_are_counted(value: float) -> None:
    x = torch.zeros(2, 3, dtype=torch.float64)
    x[1, :2] = value  # 1e300 is infinite in float32
    expected = r"pairs: x holds 4 values .* in 2 of 4 rows, the first in row 1 of graph 0"
    with pytest.raises(DataError, match=expected):
        with_features(with_x(x))


def test_edge_features_that_are_not_finite_are_counted() -> None:
    edge_attr = torch.tensor([[0.0], [torch.nan]])
    with pytest.raises(
        DataError, match=r"pairs: edge_attr holds 2 values .* in 2 of 4 rows, the first in row 1 of graph 0"
    ):
        with_features(with_x(torch.ones(2, 1), edge_attr))


def test_the_graph_of_a_late_fault_is_right() -> None:
    graphs = [Data(x=torch.ones(n, 1), edge_index=torch.tensor([[0], [0]])) for n in (2, 3, 1)]
    graphs[2].x[0] = torch.nan
    with pytest.raises(DataError, match="the first in row 0 of graph 2"):
        with_features(ListDataset(graphs, name="late"))


def test_node_counts_are_never_guessed_from_edges(featureless: ListDataset) -> None:
    assert node_offsets(featureless).tolist() == [0, 4, 6, 12]
    edge_index = torch.tensor([[0, 1], [1, 0]])
    for count in (1, 2):
        guess = ListDataset([Data(edge_index=edge_index)] * count, name="guess")
        with pytest.raises(DataError, match="guess does not say how many nodes"):
            with_features(guess, "constant")


def test_real_degrees(graphcl_home: Path) -> None:
    result = with_features(load_tu("IMDB-BINARY", graphcl_home), "degree-onehot")
    assert result.num_node_features == 136  # degrees 0 to 135
    for i in (0, 517, 999):
        graph = result[i]
        counted = degree(graph.edge_index[0], graph.num_nodes, dtype=torch.long)
        assert torch.equal(graph.x.argmax(dim=1), counted)
