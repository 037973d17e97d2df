"""Centralities against networkx, graph by graph, and what happens where there is nothing to divide by."""

import sys
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.augment import centrality

KINDS = ("degree", "pagerank", "eigenvector")


def graph(n: int, edges: Any, *, directed: bool = False) -> Data:
    both = list(edges) if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    return Data(edge_index=torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous(), num_nodes=n)


def of_networkx(whole: Any) -> Data:
    return graph(whole.number_of_nodes(), networkx.convert_node_labels_to_integers(whole).edges())


KARATE = networkx.karate_club_graph()
for _, _, tie in KARATE.edges(data=True):
    tie.clear()  # networkx would weigh by it
GRAPHS = {
    "karate": KARATE,
    "ladder": networkx.ladder_graph(5),
    "star": networkx.star_graph(6),
    "caveman": networkx.connected_caveman_graph(3, 5),
    "complete": networkx.complete_graph(6),
}
DIRECTED = graph(
    6, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2), (0, 4), (4, 4), (1, 5)], directed=True
)  # 5 is a sink


@pytest.mark.parametrize("name", list(GRAPHS))
def test_undirected_graphs_as_networkx(name: str) -> None:
    whole, data = GRAPHS[name], of_networkx(GRAPHS[name])
    n = data.num_nodes
    degree = [d for _, d in whole.degree()]
    assert centrality(data, "degree").tolist() == degree
    rank = networkx.pagerank(whole, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(centrality(data, "pagerank"), [rank[v] for v in whole], atol=1e-7)
    vector = networkx.eigenvector_centrality_numpy(whole)
    np.testing.assert_allclose(centrality(data, "eigenvector"), [vector[v] for v in whole], atol=1e-6)
    for kind in KINDS:
        assert centrality(data, kind).shape == (n,)
        assert centrality(data, kind).dtype == torch.float64


def test_directed_graphs_as_networkx() -> None:
    whole = networkx.DiGraph(DIRECTED.edge_index.t().tolist())
    rank = networkx.pagerank(whole, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(centrality(DIRECTED, "pagerank"), [rank[v] for v in range(6)], atol=1e-7)
    vector = networkx.eigenvector_centrality(whole, tol=1e-12, max_iter=10_000)
    np.testing.assert_allclose(centrality(DIRECTED, "eigenvector"), [vector[v] for v in range(6)], atol=1e-6)
    assert centrality(DIRECTED, "degree").tolist() == [d for _, d in sorted(whole.in_degree())]


def test_duplicates_count_as_often_as_they_stand_there() -> None:
    data = graph(3, [(0, 1), (0, 1), (1, 2)])
    whole = networkx.Graph([(0, 1, {"weight": 2}), (1, 2, {"weight": 1})])
    assert centrality(data, "degree").tolist() == [2, 3, 1]
    rank = networkx.pagerank(whole, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(centrality(data, "pagerank"), [rank[v] for v in range(3)], atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_does_not_depend_on_its_batch(kind: str) -> None:
    members = [of_networkx(whole) for whole in GRAPHS.values()]
    members += [graph(0, []), DIRECTED, graph(1, []), graph(5, [(0, 1)]), graph(3, [(1, 1)])]
    alone = [centrality(data, kind) for data in members]
    for order in (range(10), reversed(range(10)), (3, 8, 3)):
        chosen = list(order)
        together = centrality(Batch.from_data_list([members[i] for i in chosen]), kind)
        assert torch.equal(together, torch.cat([alone[i] for i in chosen]))


@pytest.mark.parametrize("kind", ["pagerank", "eigenvector"])
def test_both_ways_to_add_up_agree(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [of_networkx(whole) for whole in GRAPHS.values()]
    batch = Batch.from_data_list([*members, graph(0, []), DIRECTED, graph(5, [(0, 1)])])
    expected = centrality(batch, kind)
    module = sys.modules["graphcl.augment.centralities"]
    monkeypatch.setattr(module, "_inflow", lambda whole: module._Inflow(whole, is_sorted=True))
    torch.testing.assert_close(centrality(batch, kind), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_it_follows_a_renumbering(kind: str) -> None:
    data, order = of_networkx(KARATE), torch.randperm(34, generator=torch.Generator().manual_seed(0))
    moved = Data(edge_index=order[data.edge_index], num_nodes=34)
    torch.testing.assert_close(centrality(moved, kind)[order], centrality(data, kind), rtol=1e-10, atol=1e-12)


def test_pagerank_is_a_distribution_in_every_graph() -> None:
    members = [of_networkx(KARATE), DIRECTED, graph(4, []), graph(7, [(0, 1), (3, 3)])]
    batch = Batch.from_data_list(members)
    rank = centrality(batch, "pagerank")
    sums = torch.zeros(4, dtype=torch.float64).index_add_(0, batch.batch, rank)
    torch.testing.assert_close(sums, torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(rank[40:44], torch.full((4,), 0.25, dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_infinite_where_there_are_no_edges(kind: str) -> None:
    for data in (graph(0, []), graph(1, []), graph(4, []), graph(1, [(0, 0)])):
        values = centrality(data, kind)
        assert values.shape == (data.num_nodes,)
        assert values.isfinite().all()


def test_a_change_in_place_is_seen() -> None:
    data = of_networkx(networkx.path_graph(5))
    before = centrality(data, "pagerank")
    data.edge_index[:, 0] = torch.tensor([4, 0])
    after = centrality(data, "pagerank")
    assert not torch.equal(before, after)
    assert torch.equal(after, centrality(Data(edge_index=data.edge_index.clone(), num_nodes=5), "pagerank"))


def test_what_is_returned_may_be_changed() -> None:
    data = of_networkx(KARATE)
    before = centrality(data, "pagerank")
    centrality(data, "pagerank").zero_()
    assert torch.equal(centrality(data, "pagerank"), before)


def test_the_one_graph_of_a_training_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module, calls = sys.modules["graphcl.augment.centralities"], []
    compute = module._pagerank
    monkeypatch.setattr(module, "_pagerank", lambda g: calls.append(1) or compute(g))
    monkeypatch.setattr(module, "_memory", type(module._memory)())
    data = of_networkx(KARATE)
    for _ in range(3):
        centrality(data.clone(), "pagerank")
    assert len(calls) == 1
    data.num_nodes = 35  # one more, without edges
    assert centrality(data, "pagerank").shape == (35,)
    assert len(calls) == 2


def test_refuses_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match="'degree', 'pagerank' or 'eigenvector', got 'closeness'"):
        centrality(graph(2, [(0, 1)]), "closeness")
    with pytest.raises(TypeError, match="Data or Batch"):
        centrality(None)
