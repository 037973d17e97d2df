"""Spectral changes against finite differences of the spectrum, whatever basis the solver returns."""

import sys
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import SpectralEdgeDrop
from graphcl.augment._graph import Graph
from graphcl.augment.spectral import spectral_changes, spectral_probabilities


def graph(n: int, edges: Any, *, directed: bool = False) -> Data:
    both = list(edges) if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    return Data(edge_index=torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous(), num_nodes=n)


def of_networkx(whole: Any) -> Data:
    return graph(whole.number_of_nodes(), networkx.convert_node_labels_to_integers(whole).edges())


def spectrum(weights: np.ndarray) -> np.ndarray:
    scale = 1 / np.sqrt(weights.sum(1))
    return np.linalg.eigvalsh(np.eye(len(weights)) - scale[:, None] * weights * scale)


def by_differences(data: Data, a: int, b: int) -> float:
    """How fast the eigenvalues move as the weight of an edge falls, sorted eigenvalues compared one by one."""
    weights = np.zeros((data.num_nodes,) * 2)
    weights[tuple(data.edge_index.numpy())] = 1
    step = 1e-5
    moved = []
    for change in (step, -step):
        now = weights.copy()
        now[a, b] = now[b, a] = 1 - change
        moved.append(spectrum(now))
    # One-sided slopes: sorted, the branches of an eigenvalue with several eigenvectors cross at the graph itself.
    return float(np.linalg.norm(moved[0] - spectrum(weights)) / step)


CONNECTED = {
    "house": graph(6, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (4, 5)]),
    "karate": of_networkx(networkx.karate_club_graph()),
    "path": of_networkx(networkx.path_graph(9)),
    "complete": of_networkx(networkx.complete_graph(6)),  # one eigenvalue with five eigenvectors
    "ring": of_networkx(networkx.cycle_graph(8)),  # pairs
    "petersen": of_networkx(networkx.petersen_graph()),
    "lollipop": of_networkx(networkx.lollipop_graph(5, 4)),
    "tree": of_networkx(networkx.balanced_tree(2, 3)),
}


@pytest.mark.parametrize("name", list(CONNECTED))
def test_changes_are_the_slopes_of_the_spectrum(name: str) -> None:
    data = CONNECTED[name]
    got = spectral_changes(Graph.of(data))
    for (a, b), change in list(zip(data.edge_index.t().tolist(), got.tolist(), strict=True))[::3]:
        assert change == pytest.approx(by_differences(data, a, b), rel=1e-3, abs=2e-4)


def test_a_graph_does_not_depend_on_its_batch() -> None:
    members = [*CONNECTED.values(), graph(0, []), graph(3, []), graph(1, [(0, 0)]), graph(4, [(0, 1), (2, 2)])]
    alone = [spectral_changes(Graph.of(data)) for data in members]
    for order in (range(12), reversed(range(12)), (4, 1, 4)):
        chosen = list(order)
        together = spectral_changes(Graph.of(Batch.from_data_list([members[i] for i in chosen])))
        assert torch.equal(together, torch.cat([alone[i] for i in chosen]))


@pytest.mark.parametrize("name", list(CONNECTED))
def test_it_follows_a_renumbering_whatever_the_basis(name: str) -> None:
    data = CONNECTED[name]
    n = data.num_nodes
    for seed in range(3):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        moved = Graph.of(Data(edge_index=order[data.edge_index], num_nodes=n))
        torch.testing.assert_close(spectral_changes(moved), spectral_changes(Graph.of(data)), rtol=1e-7, atol=1e-9)
        for change in ("large", "small"):
            settings = {"drop": 0.3, "change": change, "cutoff": 0.7, "limit": 512}
            one, two = (spectral_probabilities(whole, **settings) for whole in (moved, Graph.of(data)))
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-7)


def test_components_and_isolated_nodes_change_nothing_for_each_other() -> None:
    house = CONNECTED["house"]
    both = torch.cat(
        [house.edge_index, house.edge_index + 7], 1
    )  # twice, every eigenvalue double, and two lonely nodes
    got = spectral_changes(Graph.of(Data(edge_index=both, num_nodes=14)))
    once = spectral_changes(Graph.of(house))
    torch.testing.assert_close(got, torch.cat([once, once]), rtol=1e-7, atol=1e-9)


def test_directions_duplicates_and_self_loops() -> None:
    simple = CONNECTED["house"]
    once = dict(zip(map(tuple, simple.edge_index.t().tolist()), spectral_changes(Graph.of(simple)).tolist()))
    edges = [(0, 1), (0, 1), (1, 0), (2, 1), (2, 3), (3, 0), (0, 4), (1, 4), (5, 4), (2, 2)]
    got = spectral_changes(Graph.of(graph(6, edges, directed=True))).tolist()
    assert got[:-1] == pytest.approx([once[edge] for edge in edges[:-1]])
    assert got[-1] == 0


@pytest.mark.parametrize("change", ["large", "small"])
def test_probabilities_are_in_proportion(change: str) -> None:
    data = CONNECTED["karate"]
    whole = Graph.of(data)
    amount = spectral_changes(whole)
    amount = amount if change == "large" else amount.max() - amount
    got = spectral_probabilities(whole, drop=0.2, change=change, cutoff=0.25, limit=512)
    torch.testing.assert_close(got, (amount / amount.mean() * 0.2).clamp(max=0.25))
    assert float(got.max()) == 0.25


def test_where_all_edges_matter_equally_the_share_is_their_probability() -> None:
    for name in ("ring", "complete", "petersen"):
        for change in ("large", "small"):
            got = spectral_probabilities(Graph.of(CONNECTED[name]), drop=0.3, change=change, cutoff=0.7, limit=512)
            torch.testing.assert_close(got, torch.full_like(got, 0.3))
    star = Graph.of(of_networkx(networkx.star_graph(5)))
    assert spectral_changes(star).tolist() == [0] * 10
    loops = Graph.of(graph(3, [(0, 1), (1, 1), (2, 2)]))
    for change in ("large", "small"):
        for whole, count in ((star, 10), (loops, 4)):
            got = spectral_probabilities(whole, drop=0.3, change=change, cutoff=0.7, limit=512)
            assert got.tolist() == pytest.approx([0.3] * count)


@pytest.mark.parametrize("change", ["large", "small"])
def test_edges_are_dropped_as_often_as_their_probabilities_say(change: str) -> None:
    data, count = CONNECTED["house"], 4000
    chances = spectral_probabilities(Graph.of(data), drop=0.3, change=change, cutoff=0.7, limit=512)[:7]
    view = SpectralEdgeDrop(drop=0.3, change=change).view(Batch.from_data_list([data] * count), 0)
    local = view.edge_index - view.ptr[view.batch[view.edge_index[0]]]
    for (a, b), chance in zip(data.edge_index.t().tolist()[:7], chances.tolist(), strict=True):
        hits, back = (int(((local[0] == p) & (local[1] == q)).sum()) for p, q in ((a, b), (b, a)))
        assert hits == back
        assert stats.binomtest(count - hits, count, chance).pvalue > 1e-4 if chance > 0 else hits == count


def test_many_edges_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [*CONNECTED.values()] * 2
    whole = Graph.of(Batch.from_data_list(members))
    expected = spectral_changes(whole)
    monkeypatch.setattr(sys.modules["graphcl.augment.spectral"], "_CHUNK", 100)
    assert torch.equal(spectral_changes(whole), expected)


def test_refusals() -> None:
    large = of_networkx(networkx.path_graph(40))
    with pytest.raises(ValueError, match="at most 39 nodes, got one of 40.*raise limit=.*AdaptiveEdgeDrop"):
        SpectralEdgeDrop(limit=39).view(large, 0)
    assert SpectralEdgeDrop(limit=40).view(large, 0).num_nodes == 40
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"expected limit of at least 1, got {wrong}"):
            SpectralEdgeDrop(limit=wrong)
    for wrong in (1.5, True):
        with pytest.raises(TypeError, match=f"expected limit as a whole number, got {wrong}"):
            SpectralEdgeDrop(limit=wrong)
    with pytest.raises(ValueError, match="expected change to be 'large' or 'small', got 'max'"):
        SpectralEdgeDrop(change="max")
    with pytest.raises(ValueError, match=r"expected cutoff within \[0, 1\]"):
        SpectralEdgeDrop(cutoff=-0.1)
