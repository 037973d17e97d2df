"""Rewiring: an exact number of edges, one end each, to uniform free nodes, with attributes and both directions."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import EdgeRewire, edge_rewire


def graph(n: int, edges: list[tuple[int, int]], *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    edge_index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    data = Data(edge_index=edge_index, num_nodes=n)
    # Each edge knows itself: the same number for both directions.
    data.edge_type = torch.tensor([i % len(edges) if not directed else i for i in range(len(both))], dtype=torch.int64)
    return data


def path(n: int, *, directed: bool = False) -> Data:
    return graph(n, [(i, i + 1) for i in range(n - 1)], directed=directed)


def places(data: Data) -> dict[int, set[tuple[int, int]]]:
    """Where each edge lies, by its number."""
    found: dict[int, set[tuple[int, int]]] = {}
    for (a, b), number in zip(data.edge_index.t().tolist(), data.edge_type.tolist(), strict=True):
        found.setdefault(number, set()).add((a, b))
    return found


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("count", ["round", "floor"])
@pytest.mark.parametrize("share", [0.0, 0.15, 0.5, 1.0])
@pytest.mark.parametrize("m", [9, 30])
def test_the_number_is_exact_and_attributes_follow(share: float, m: int, count: str, directed: bool) -> None:
    data = path(m + 1, directed=directed)
    for key in range(5):
        view = EdgeRewire(share=share, directed=directed, count=count).view(data, key)
        before, after = places(data), places(view)
        assert set(before) == set(after)
        moved = [i for i in before if before[i] != after[i]]
        assert len(moved) == (round(share * m) if count == "round" else int(share * m + 1e-9))
        for i in moved:
            # One end is what it was, in every direction of the edge.
            assert len(set(sum(before[i], ())) & set(sum(after[i], ()))) == 1
            assert len(after[i]) == len(before[i])
            if directed:
                ((a, b),), ((c, d),) = before[i], after[i]
                assert (a == c) != (b == d)


@pytest.mark.parametrize("directed", [False, True])
def test_no_loop_no_duplicate_no_old_place_no_other_graph(directed: bool) -> None:
    graphs = [
        path(7, directed=directed),
        graph(6, [e for e in combinations(range(6), 2) if sum(e) != 5], directed=directed),  # nearly complete
        graph(3, [(0, 1)], directed=directed),
        Data(edge_index=torch.empty(2, 0, dtype=torch.int64), edge_type=torch.empty(0, dtype=torch.int64), num_nodes=4),
        path(40, directed=directed),
    ]
    for key in range(40):
        view = EdgeRewire(share=0.8, directed=directed).view(Batch.from_data_list(graphs), key)
        assert torch.equal(view.batch[view.edge_index[0]], view.batch[view.edge_index[1]])
        for part, data in zip(view.to_data_list(), graphs, strict=True):
            edges, old = (
                Counter(map(tuple, part.edge_index.t().tolist())),
                set(map(tuple, data.edge_index.t().tolist())),
            )
            assert part.num_edges == data.num_edges
            assert all(times == 1 for times in edges.values())
            assert all(a != b for a, b in edges)
            if not directed:
                assert all((b, a) in edges for a, b in edges)
            moved = [i for i, place in places(part).items() if place != places(data)[i]]
            assert not any(place in old for i in moved for place in places(part)[i])


def test_the_edge_the_end_and_the_node_are_uniform() -> None:
    data = path(4)
    view = EdgeRewire(share=1 / 3).view(Batch.from_data_list([data] * 12_000), 0)
    moves: Counter[tuple[int, int, int]] = Counter()
    for part in view.to_data_list():
        before, after = places(data), places(part)
        (i,) = (i for i in before if before[i] != after[i])
        old, new = set(sum(before[i], ())), set(sum(after[i], ()))
        (stays,), (place,) = old & new, new - old
        moves[i, stays, place] += 1
    # Three edges, two ends, and of the other nodes those that are not joined to the end that stays.
    neighbours = {0: {1}, 1: {0, 2}, 2: {1, 3}, 3: {2}}
    expected = {}
    for i in range(3):
        for stays in (i, i + 1):
            free = [v for v in range(4) if v != stays and v not in neighbours[stays]]
            expected.update({(i, stays, v): 12_000 / 6 / len(free) for v in free})
    assert set(moves) == set(expected)
    assert stats.chisquare([moves[m] for m in expected], list(expected.values())).pvalue > 1e-3


def test_duplicates_move_together_and_loops_stay() -> None:
    edges = torch.tensor([[0, 1, 0, 2, 3, 4], [1, 0, 1, 2, 4, 3]])
    data = Data(edge_index=edges, edge_type=torch.tensor([0, 0, 0, 1, 2, 2]), num_nodes=8)
    for key in range(20):
        view = EdgeRewire(share=1.0).view(data, key)
        after = places(view)
        assert after[1] == {(2, 2)}
        assert len(after[0]) == 2
        assert after[0] != {(0, 1), (1, 0)}
        assert int((view.edge_type == 0).sum()) == 3


def test_a_complete_graph_stays_as_it_is() -> None:
    data = graph(5, list(combinations(range(5), 2)))
    assert torch.equal(EdgeRewire(share=1.0).view(data, 0).edge_index, data.edge_index)


def test_one_large_graph() -> None:
    data = path(20_000)
    view = EdgeRewire(share=0.5).view(data, 0)
    before, after = places(data), places(view)
    moved = [i for i in before if before[i] != after[i]]
    assert len(moved) == round(0.5 * 19_999)
    assert view.edge_index.unique(dim=1).size(1) == view.num_edges


@pytest.mark.parametrize("directed", [False, True])
def test_who_is_joined_to_all_others_draws_no_more(monkeypatch: pytest.MonkeyPatch, directed: bool) -> None:
    rounds: list[int] = []
    is_in = edge_rewire._is_in
    monkeypatch.setattr(
        edge_rewire, "_is_in", lambda codes, taken: (rounds.append(codes.numel()), is_in(codes, taken))[1]
    )
    complete = torch.cartesian_prod(torch.arange(5), torch.arange(5)).T
    complete = complete[:, complete[0] != complete[1]]
    view = EdgeRewire(share=1.0, directed=directed).view(Data(x=torch.ones(5, 1), edge_index=complete), 0)
    assert rounds == [] and torch.equal(view.edge_index, complete)
    # One place is left beside the middle of a star, and every one of its edges may want it: once taken, none draws.
    star = torch.stack([torch.zeros(5, dtype=torch.long), torch.arange(1, 6)])
    for key in range(20):
        EdgeRewire(share=1.0, directed=directed).view(
            Data(x=torch.ones(7, 1), edge_index=torch.cat([star, star.flip(0)], 1)), key
        )
    assert max(rounds) <= 10 and len(rounds) < 20 * 40
