"""Ego networks: exactly what lies within so many steps, and the nearest first where that is too much."""

import networkx
import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import EgoSubgraph
from graphcl.augment._graph import Graph
from graphcl.augment._rings import nearest


def graph(n: int, edges: list[tuple[int, int]], *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    return Data(edge_index=torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous(), num_nodes=n)


def random_graph(n: int, m: int, seed: int) -> Data:
    drawn = torch.randint(n, (m, 2), generator=torch.Generator().manual_seed(seed))
    return graph(n, [(a, b) for a, b in drawn.tolist()])


def path(n: int) -> Data:
    return graph(n, [(i, i + 1) for i in range(n - 1)])


def steps_from(data: Data, root: int) -> dict[int, int]:
    whole = networkx.DiGraph(data.edge_index.t().tolist())
    whole.add_nodes_from(range(data.num_nodes))
    return networkx.single_source_shortest_path_length(whole, root)


@pytest.mark.parametrize("hops", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_keeps_what_lies_within_the_steps(hops: int, seed: int) -> None:
    members = [random_graph(25, 26, seed), path(12), graph(8, [(i, i + 1) for i in range(7)], directed=True)]
    for root in (0, 3, 7):
        view = EgoSubgraph(hops=hops, root=root).view(Batch.from_data_list(members), 0)
        for part, data in zip(view.to_data_list(), members, strict=True):
            assert part.n_id.tolist() == sorted(v for v, d in steps_from(data, root).items() if d <= hops)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_the_nearest_stay_where_there_is_a_limit(keep: float) -> None:
    members = [random_graph(25, 40, seed) for seed in range(6)]
    for key in range(4):
        view = EgoSubgraph(hops=3, keep=keep, root=4).view(Batch.from_data_list(members), key)
        for part, data in zip(view.to_data_list(), members, strict=True):
            near = {v: d for v, d in steps_from(data, 4).items() if d <= 3}
            k = min(max(round(25 * keep), 1), len(near))
            kept = part.n_id.tolist()
            assert len(kept) == k
            assert sorted(near[v] for v in kept) == sorted(near.values())[:k]
            assert 4 in kept


def test_the_ring_that_does_not_fit_is_cut_at_random() -> None:
    star = graph(9, [(0, i) for i in range(1, 9)])
    view = EgoSubgraph(hops=2, keep=4 / 9, root=0).view(Batch.from_data_list([star] * 4000), 0)
    hits = view.n_id.bincount(minlength=9)
    assert int(hits[0]) == 4000
    # Three of eight leaves: the variance of a count is that of a draw without replacement.
    spread = ((hits[1:].double() - 1500) ** 2 / (4000 * 3 / 8 * 5 / 8) * 7 / 8).sum()
    assert stats.chi2.sf(float(spread), 7) > 1e-3


def test_a_graph_may_have_very_many_rings() -> None:
    # A road of 40,000 nodes, one per ring, that ends in a square of 100.
    ring = torch.cat([torch.arange(40_000), torch.full((100,), 40_000)])
    road = Graph.of(Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=40_100))
    chosen = nearest(road, 0, ring, torch.tensor([40_050]))
    assert bool(chosen[:40_000].all()) and int(chosen.sum()) == 40_050


def test_roots_are_uniform() -> None:
    view = EgoSubgraph(hops=0).view(Batch.from_data_list([path(7)] * 7000), 0)
    assert view.num_nodes == 7000
    assert stats.chisquare(view.n_id.bincount(minlength=7).numpy()).pvalue > 1e-3


def test_an_isolated_root_is_alone() -> None:
    view = EgoSubgraph(hops=3).view(Batch.from_data_list([graph(5, [(2, 2)])] * 50), 0)
    assert view.ptr.diff().tolist() == [1] * 50


def test_empty_graphs_need_no_root() -> None:
    view = EgoSubgraph(hops=1, root=2).view(Batch.from_data_list([graph(0, []), path(4), graph(0, [])]), 0)
    assert view.ptr.tolist() == [0, 0, 3, 3]


def test_refuses_a_root_that_a_graph_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"node 3 to be the root, got one of 2 node\(s\)"):
        EgoSubgraph(hops=1, root=3).view(Batch.from_data_list([path(4), path(2)]), 0)


@pytest.mark.parametrize("name", ["hops", "root"])
def test_refuses_what_is_no_whole_number(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected {name} of at least 0, got -1"):
        EgoSubgraph(**{name: -1})
    for wrong in (1.5, True, "2"):
        with pytest.raises(TypeError, match=f"expected {name} as a whole number"):
            EgoSubgraph(**{name: wrong})


@pytest.mark.parametrize(("keep", "error"), [(1.5, ValueError), (-0.1, ValueError), ("0.5", TypeError)])
def test_refuses_a_limit_that_is_no_share(keep: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected keep"):
        EgoSubgraph(keep=keep)
