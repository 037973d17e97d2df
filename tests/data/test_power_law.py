"""The generated graphs: exact counts, a heavy tail, classes that edges and features tell, and the same graph again."""

from typing import Any

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import contains_self_loops, is_undirected, scatter

from graphcl.data import power_law_graph


@pytest.fixture(scope="module")
def graph() -> Data:
    return power_law_graph(20_000, 100_000, num_features=16, num_classes=5)


def test_counts_are_exact(graph: Data) -> None:
    assert (graph.num_nodes, graph.num_edges, graph.num_features) == (20_000, 200_000, 16)
    assert graph.x.dtype == torch.float32 and graph.y.unique().tolist() == [0, 1, 2, 3, 4]
    assert is_undirected(graph.edge_index) and not contains_self_loops(graph.edge_index)
    code = graph.edge_index[0] * 20_000 + graph.edge_index[1]
    assert bool((code.diff() > 0).all())  # sorted, none twice


def test_degrees_follow_a_power_law(graph: Data) -> None:
    degree = torch.bincount(graph.edge_index[0], minlength=20_000).double()
    assert degree.max() > 30 * degree.mean()
    # Hill's estimate of the tail's exponent, from the two per cent with the most edges.
    tail = degree.sort(descending=True).values[:400]
    exponent = 1 + 1 / (tail / tail[-1]).log().mean().item()
    assert 2.2 < exponent < 2.8


def test_the_share_of_edges_within_a_class(graph: Data) -> None:
    source, target = graph.edge_index
    within = (graph.y[source] == graph.y[target]).double().mean().item()
    # 60 % by choice; of the others a fifth by chance. Hubs of small classes meet themselves, which takes some away.
    assert abs(within - (0.6 + 0.4 / 5)) < 0.03
    mixed = power_law_graph(5000, 20_000, num_features=1, num_classes=5, mixing=1.0)
    source, target = mixed.edge_index
    assert abs((mixed.y[source] == mixed.y[target]).double().mean().item() - 0.2) < 0.02


def test_features_tell_the_class(graph: Data) -> None:
    means = scatter(graph.x, graph.y, reduce="mean")
    assert abs(torch.pdist(means).mean().item() - 2.0) < 0.5
    assert abs((graph.x - means[graph.y]).std().item() - 1.0) < 0.01
    guess = torch.cdist(graph.x, means).argmin(1)
    assert 0.5 < (guess == graph.y).double().mean() < 0.9
    silent = power_law_graph(2000, 100, num_features=4, num_classes=2, signal=0.0)
    assert scatter(silent.x, silent.y, reduce="mean").abs().max() < 0.15


def test_the_seed_decides() -> None:
    one, again, other = (power_law_graph(500, 2000, num_features=3, num_classes=3, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in ("x", "edge_index", "y"))
    assert not torch.equal(one.edge_index, other.edge_index)


def test_dense_and_empty_graphs() -> None:
    assert power_law_graph(6, 15, num_features=1, num_classes=1).num_edges == 30  # the complete graph
    assert power_law_graph(4, 0, num_features=1, num_classes=2).num_edges == 0


def test_full_features_past_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = power_law_graph(100, 50, num_features=2, num_classes=2)
    monkeypatch.setattr("graphcl.data.power_law._ROWS", 7)
    assert torch.equal(power_law_graph(100, 50, num_features=2, num_classes=2).x, whole.x)


@pytest.mark.slow
def test_arxiv_scale() -> None:
    graph = power_law_graph()
    assert (graph.num_nodes, graph.num_edges, graph.num_features) == (169_343, 2_332_486, 128)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_nodes": 1}, "expected num_nodes of at least 2, got 1"),
        ({"num_edges": -1}, "expected num_edges of at least 0"),
        ({"num_classes": 2.5}, "expected num_classes as a whole number, got 2.5"),
        ({"num_edges": 46}, "no more edges than the pairs of 10 nodes, got 46"),
        ({"num_classes": 11}, "no more classes than the 10 nodes, got 11"),
        ({"num_features": 0}, "expected num_features"),
        ({"exponent": 2.0}, "expected exponent above 2"),
        ({"mixing": 1.5}, r"expected mixing within \[0, 1\], got 1.5"),
        ({"signal": -1.0}, "expected signal of at least 0"),
        ({"signal": float("inf")}, "expected signal of at least 0, and finite"),
        ({"num_classes": 5, "num_edges": 45, "mixing": 0.0}, "expected room for 45 edges, got stuck at"),
    ],
)
def test_refuses(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"num_nodes": 10, "num_edges": 5, "num_features": 2, "num_classes": 2} | change
    with pytest.raises(ValueError, match=words):
        power_law_graph(**arguments)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    power_law_graph(50, 60, num_features=2, num_classes=2)
    assert torch.equal(state, torch.get_rng_state())
