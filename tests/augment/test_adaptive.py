"""GCA's probabilities against the paper's formula written out, and views that have them."""

import math
from typing import Any

import networkx
import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import AdaptiveEdgeDrop, AdaptiveFeatureMask, centrality
from graphcl.augment._graph import Graph
from graphcl.augment.adaptive import edge_probabilities, feature_probabilities

KINDS = ("degree", "pagerank", "eigenvector")


def graph(n: int, edges: Any, *, directed: bool = False, **attributes: Any) -> Data:
    both = list(edges) if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return Data(edge_index=index, num_nodes=n, **attributes)


def karate() -> Data:
    data = graph(34, networkx.karate_club_graph().edges())
    data.x = torch.randn(34, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 2, 1, 0.5, 0.1, 0.01])
    return data


def by_the_formula(weights: list[float], mean: float, cutoff: float) -> list[float]:
    scores = [math.log(w) for w in weights]
    largest, average = max(scores), sum(scores) / len(scores)
    return [min((largest - s) / (largest - average) * mean, cutoff) for s in scores]


HOUSE = graph(6, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (4, 5)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize(("drop", "cutoff"), [(0.3, 0.7), (0.6, 0.7), (0.4, 0.2), (0.0, 0.7)])
def test_edges_have_the_probabilities_of_the_paper(kind: str, directed: bool, drop: float, cutoff: float) -> None:
    members = [karate(), HOUSE, graph(5, [(0, 1), (1, 2), (1, 1), (1, 2)])]
    got = edge_probabilities(
        Graph.of(Batch.from_data_list([graph(d.num_nodes, d.edge_index.t().tolist(), directed=True) for d in members])),
        drop=drop,
        centrality=kind,
        cutoff=cutoff,
        directed=directed,
    )
    expected = []
    for data in members:
        phi = centrality(data, kind).tolist()
        weights = [phi[b] if directed else (phi[a] + phi[b]) / 2 for a, b in data.edge_index.t().tolist()]
        expected += by_the_formula(weights, drop, cutoff)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_dense_and_one_hot_features_have_the_probabilities_of_the_paper(kind: str) -> None:
    dense, hot = karate(), karate()
    hot.x = torch.nn.functional.one_hot(torch.arange(34) % 6, 6)
    for x in (dense.x, dense.x.double(), dense.x.half(), hot.x, hot.x.bool()):
        data = Data(x=x, edge_index=dense.edge_index)
        phi = centrality(data, kind)
        weights = (x.double().abs() * phi[:, None]).sum(0).tolist()
        got = feature_probabilities(Graph.of(data), mask=0.4, centrality=kind, cutoff=0.7)
        assert got.shape == (1, 6)
        torch.testing.assert_close(
            got[0], torch.tensor(by_the_formula(weights, 0.4, 0.7), dtype=torch.float64), rtol=1e-9, atol=1e-12
        )


def test_each_graph_of_a_batch_is_weighed_by_itself() -> None:
    members = [karate(), graph(3, [(0, 1), (1, 2)], x=torch.eye(3, 6)), graph(0, [], x=torch.ones(0, 6))]
    whole = Graph.of(Batch.from_data_list([Data(x=d.x, edge_index=d.edge_index) for d in members]))
    for kind in KINDS:
        edges = torch.cat([edge_probabilities(Graph.of(d), drop=0.3, centrality=kind) for d in members])
        features = torch.cat([feature_probabilities(Graph.of(d), mask=0.3, centrality=kind) for d in members])
        assert torch.equal(edge_probabilities(whole, drop=0.3, centrality=kind), edges)
        assert torch.equal(feature_probabilities(whole, mask=0.3, centrality=kind), features)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_follow_a_renumbering(kind: str) -> None:
    data, order = karate(), torch.randperm(34, generator=torch.Generator().manual_seed(1))
    back = torch.argsort(order)
    moved = Data(x=data.x[back], edge_index=order[data.edge_index])
    one, two = (edge_probabilities(Graph.of(d), drop=0.3, centrality=kind) for d in (data, moved))
    torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-10)
    one, two = (feature_probabilities(Graph.of(d), mask=0.3, centrality=kind) for d in (data, moved))
    torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-10)


def test_central_edges_stay_more_often() -> None:
    data = karate()
    for kind in KINDS:
        chances = edge_probabilities(Graph.of(data), drop=0.3, centrality=kind)
        weight = centrality(data, kind)[data.edge_index].sum(0)
        assert float(chances[torch.argsort(weight)].diff().max()) < 1e-9
        assert len(set(chances.tolist())) > 5
        assert float(chances.mean()) == pytest.approx(0.3, abs=0.02)  # the cutoff takes a little


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_dropped_as_often_as_their_probabilities_say(kind: str) -> None:
    count = 6000
    view = AdaptiveEdgeDrop(drop=0.4, centrality=kind).view(Batch.from_data_list([HOUSE] * count), 0)
    chances = edge_probabilities(Graph.of(HOUSE), drop=0.4, centrality=kind)[:7]  # the first direction of each
    local = view.edge_index - view.ptr[view.batch[view.edge_index[0]]]
    for (a, b), chance in zip(HOUSE.edge_index.t().tolist()[:7], chances.tolist(), strict=True):
        hits, back = (int(((local[0] == p) & (local[1] == q)).sum()) for p, q in ((a, b), (b, a)))
        assert hits == back
        if chance == 0:
            assert hits == count
        else:
            assert stats.binomtest(count - hits, count, chance).pvalue > 1e-4


def test_features_are_masked_as_often_as_their_probabilities_say() -> None:
    data, count = karate(), 3000
    view = AdaptiveFeatureMask(mask=0.4, centrality="pagerank").view(Batch.from_data_list([data] * count), 0)
    chances = feature_probabilities(Graph.of(data), mask=0.4, centrality="pagerank")[0]
    x = view.x.view(count, 34, 6)
    masked = (x == 0).all(1)
    # Whole columns or nothing.
    assert torch.equal(torch.where(masked[:, None], 0.0, data.x), x)
    for column, chance in enumerate(chances.tolist()):
        hits = int(masked[:, column].sum())
        assert stats.binomtest(hits, count, chance).pvalue > 1e-4 if chance > 0 else hits == 0
    # Columns are drawn independently.
    both = torch.corrcoef(masked[:, 2:].double().t()) - torch.eye(4)
    assert float(both.abs().max()) < 0.08


@pytest.mark.parametrize("kind", KINDS)
def test_where_all_edges_are_alike_the_share_is_their_probability(kind: str) -> None:
    ring = graph(9, [(i, (i + 1) % 9) for i in range(9)])
    star = graph(6, [(0, i) for i in range(1, 6)])
    bipartite = graph(7, [(a, b) for a in range(3) for b in range(3, 7)])
    for data in (ring, star, bipartite, graph(2, [(0, 1)]), graph(1, [(0, 0)])):
        chances = edge_probabilities(Graph.of(data), drop=0.3, centrality=kind)
        torch.testing.assert_close(chances, torch.full_like(chances, 0.3))
        capped = edge_probabilities(Graph.of(data), drop=0.9, centrality=kind)
        torch.testing.assert_close(capped, torch.full_like(capped, 0.7))


def test_features_that_no_node_has_get_the_cutoff() -> None:
    x = torch.tensor([[1.0, 0, 0, 3], [1, 0, 2, 0], [1, 0, 0, 0]])
    data = graph(3, [(0, 1), (1, 2)], x=x)
    chances = feature_probabilities(Graph.of(data), mask=0.3)[0].tolist()
    # Weights 4, 0, 4, 3: the zero stays out of maximum and mean.
    expected = by_the_formula([4, 4, 3], 0.3, 0.7)
    assert chances == pytest.approx([expected[0], 0.7, expected[1], expected[2]])
    # Without edges no node has a degree, and nothing tells the features apart.
    alone = feature_probabilities(Graph.of(graph(3, [], x=x)), mask=0.3)
    assert alone.tolist() == [pytest.approx([0.3] * 4)]


def test_complex_features_count_by_their_size() -> None:
    x = torch.tensor([[3 + 4j, 0 + 2j, 1], [0, 1j, 1]])
    edge_index = torch.tensor([[0, 1], [1, 0]])
    found, expected = (
        feature_probabilities(Graph.of(Data(x=features, edge_index=edge_index)), mask=0.4) for features in (x, x.abs())
    )
    assert torch.equal(found, expected)


def test_features_of_any_shape() -> None:
    for shape in ((5,), (5, 0), (5, 2, 3)):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        data = graph(5, [(0, 1), (1, 2), (3, 4)], x=x)
        view = AdaptiveFeatureMask(mask=0.5).view(data, 3)
        assert view.x.shape == shape
        assert view.x.dtype == torch.float64


def test_a_share_of_nothing_changes_nothing() -> None:
    data = karate()
    data.x[:, 3] = 0
    for key in range(5):
        assert torch.equal(AdaptiveEdgeDrop(drop=0).view(data, key).edge_index, data.edge_index)
        assert torch.equal(AdaptiveFeatureMask(mask=0).view(data, key).x, data.x)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="without x"):
        AdaptiveFeatureMask().view(HOUSE, 0)
    for kind in (AdaptiveEdgeDrop, AdaptiveFeatureMask):
        with pytest.raises(ValueError, match="expected centrality to be"):
            kind(centrality="betweenness")
        with pytest.raises(ValueError, match=r"expected cutoff within \[0, 1\]"):
            kind(cutoff=1.2)


def test_features_too_large_to_be_weighed_are_refused() -> None:
    data = Data(x=torch.tensor([[1.0, torch.inf], [1.0, 2.0]]), edge_index=torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="expected finite weights"):
        AdaptiveFeatureMask(mask=0.5).view(data, 0)
