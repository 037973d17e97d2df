"""Random-walk batches: the walks' law, what a batch holds, and what it depends on."""

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

from graphcl.data import RandomWalkBatches, power_law_graph
from graphcl.data._adjacency import Adjacency
from graphcl.data.walks import random_walks


@pytest.fixture(scope="module")
def graph() -> Data:
    return power_law_graph(500, 1500, num_features=3, num_classes=3)


def test_a_walk_follows_edges_and_stays_at_a_dead_end() -> None:
    edge_index = torch.tensor([[0, 1, 2, 2, 4], [1, 2, 3, 4, 4]])  # 0 -> 1 -> 2 -> 3 or 4, which leads to itself
    leaving = Adjacency.of(edge_index[0], edge_index[1], 6)
    path = random_walks(leaving, torch.tensor([0, 3, 5, 4]), 5, 7)
    assert path.shape == (6, 4)
    assert path[:3, 0].tolist() == [0, 1, 2] and path[3, 0] in (3, 4) and len(set(path[3:, 0].tolist())) == 1
    assert path[:, 1:].unique(dim=0).tolist() == [[3, 5, 4]]


def test_steps_are_uniform_over_the_edges_that_leave() -> None:
    edge_index = torch.tensor([[0] * 6, [1, 2, 3, 4, 5, 5]])
    leaving = Adjacency.of(edge_index[0], edge_index[1], 6)
    ends = torch.bincount(random_walks(leaving, torch.zeros(12_000, dtype=torch.int64), 1, 3)[1], minlength=6)
    expected = torch.tensor([2000, 2000, 2000, 2000, 4000])
    assert ((ends[1:] - expected) ** 2 / expected).sum() < 4 + 4 * 8**0.5


def test_steps_of_a_walk_are_independent() -> None:
    both = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])
    path = random_walks(Adjacency.of(both[0], both[1], 2), torch.zeros(8000, dtype=torch.int64), 3, 1)
    cells = torch.bincount(path[1] * 4 + path[2] * 2 + path[3], minlength=8)
    assert ((cells - 1000) ** 2 / 1000).sum() < 7 + 4 * 14**0.5


def test_a_batch_is_the_subgraph_of_what_is_visited(graph: Data) -> None:
    batches = RandomWalkBatches(graph, roots=20, length=4, num_batches=5)
    assert len(list(batches)) == len(batches) == 5
    for batch in batches:
        assert 20 < batch.num_nodes <= 100 and bool((batch.n_id.diff() > 0).all())
        assert torch.equal(batch.x, graph.x[batch.n_id]) and torch.equal(batch.y, graph.y[batch.n_id])
        assert torch.equal(batch.n_id[batch.edge_index], graph.edge_index[:, batch.e_id])
        assert batch.num_edges == subgraph(batch.n_id, graph.edge_index, num_nodes=500)[0].size(1)
        assert batch.is_undirected()


def test_roots_are_uniform() -> None:
    few = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=20)
    batches = RandomWalkBatches(few, roots=1, length=0, num_batches=2000)
    counts = torch.bincount(torch.cat([batch.n_id for batch in batches]), minlength=20)
    assert ((counts - 100) ** 2 / 100).sum() < 19 + 4 * 38**0.5


def test_a_batch_is_a_function_of_seed_epoch_and_number(graph: Data) -> None:
    batches = RandomWalkBatches(graph, roots=20, length=4, seed=3)
    assert len(batches) == 25
    first = batches[7].n_id
    assert torch.equal(first, batches[7].n_id) and not torch.equal(first, batches[8].n_id)
    assert torch.equal(first, RandomWalkBatches(graph, roots=20, length=4, seed=3)[7].n_id)
    assert not torch.equal(first, RandomWalkBatches(graph, roots=20, length=4, seed=4)[7].n_id)
    batches.set_epoch(1)
    assert not torch.equal(first, batches[7].n_id)


def test_workers_change_nothing(graph: Data) -> None:
    batches = RandomWalkBatches(graph, roots=20, length=4, num_batches=6)
    for options in ({"num_workers": 2}, {"num_workers": 1, "persistent_workers": True}):
        loader = DataLoader(batches, batch_size=None, **options)
        for epoch in range(2):
            batches.set_epoch(epoch)
            for one, other in zip(batches, loader, strict=True):
                assert torch.equal(one.n_id, other.n_id) and torch.equal(one.edge_index, other.edge_index)
                assert torch.equal(one.x, other.x)


def test_a_graph_without_edges() -> None:
    bare = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=4)
    batch = RandomWalkBatches(bare, roots=3, length=2)[0]
    assert 1 <= batch.num_nodes <= 3 and batch.num_edges == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"roots": 0}, "expected roots of at least 1, got 0"),
        ({"roots": 2.5}, "expected roots as a whole number, got 2.5"),
        ({"length": -1}, "expected length of at least 0, got -1"),
        ({"num_batches": 0}, "expected num_batches of at least 1, got 0"),
        ({"seed": None}, "expected seed as a whole number, got None"),
    ],
)
def test_refuses(graph: Data, change: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        RandomWalkBatches(graph, **change)


def test_refuses_batches_that_are_none(graph: Data) -> None:
    batches = RandomWalkBatches(graph, num_batches=2)
    for item in (2, -1):
        with pytest.raises(IndexError, match=f"expected a batch from 0 to 1, got {item}"):
            batches[item]
    assert repr(batches) == "RandomWalkBatches(roots=3000, length=2, num_batches=2)"
