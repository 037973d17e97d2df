"""Edge dropping and perturbation: rates, exact numbers, and new edges that are new, uniform and inside their graph."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from graphcl.augment import EdgeDrop, EdgePerturb, _by_hashes
from graphcl.augment._absent import Absent
from graphcl.augment._by_hashes import choose_by_hashes
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs

Edges = set[tuple[int, int]]


def graph(n: int, edges: list[tuple[int, int]], *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    edge_index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return Data(edge_index=edge_index, num_nodes=n, edge_attr=torch.arange(edge_index.size(1)) * 10)


def path(n: int, *, directed: bool = False) -> Data:
    return graph(n, [(i, i + 1) for i in range(n - 1)], directed=directed)


def copies(data: Data, count: int) -> Batch:
    return Batch.from_data_list([data] * count)


def edges_of(data: Data) -> Edges:
    return {(a, b) for a, b in data.edge_index.t().tolist()}


def added(view: Data, data: Data) -> Edges:
    return edges_of(view) - edges_of(data)


# --- dropping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("directed", [False, True])
def test_edges_are_dropped_at_their_rate_and_one_by_one(drop: float, directed: bool) -> None:
    view = EdgeDrop(drop=drop, directed=directed).view(copies(path(5, directed=directed), 4000), 0)
    left = torch.tensor([sum(a < b for a, b in edges_of(part)) for part in view.to_data_list()])
    expected = stats.binom.pmf(range(5), 4, 1 - drop) * 4000
    counts = torch.bincount(left, minlength=5).double()
    # Chi-square wants five expected cases per cell: the rare ends are counted together.
    rare = expected < 5
    observed = [
        *counts[~torch.tensor(rare)].tolist(),
        *([float(counts[torch.tensor(rare)].sum())] if rare.any() else []),
    ]
    wanted = [*expected[~rare], *([expected[rare].sum()] if rare.any() else [])]
    assert stats.chisquare(observed, np.array(wanted) * sum(observed) / sum(wanted)).pvalue > 1e-3


def test_both_directions_and_duplicates_share_one_fate() -> None:
    data = graph(4, [(0, 1), (0, 1), (2, 1), (2, 3), (3, 3)])
    fates = Counter()
    for key in range(200):
        view = EdgeDrop(drop=0.5).view(data, key)
        left = Counter((a, b) for a, b in view.edge_index.t().tolist())
        assert left[0, 1] == left[1, 0]
        assert left[0, 1] in (0, 2)
        assert left[1, 2] == left[2, 1]
        fates[left[0, 1] > 0, left[1, 2] > 0, left[3, 3] > 0] += 1
    assert len(fates) == 8


def test_directed_edges_are_drawn_for_themselves() -> None:
    fates = Counter(
        frozenset(edges_of(EdgeDrop(drop=0.5, directed=True).view(graph(2, [(0, 1)]), key))) for key in range(100)
    )
    assert len(fates) == 4


def test_dropping_none_and_all() -> None:
    data = path(6)
    assert torch.equal(EdgeDrop(drop=0.0).view(data, 0).edge_index, data.edge_index)
    view = EdgeDrop(drop=1.0).view(data, 0)
    assert (view.num_nodes, view.num_edges) == (6, 0)
    assert view.edge_attr.shape == (0,)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("count", ["round", "floor"])
@pytest.mark.parametrize("m", [0, 1, 4, 5, 6, 19])
@pytest.mark.parametrize("drop", [0.0, 0.1, 0.3, 1.0])
def test_an_exact_share_is_dropped(drop: float, m: int, count: str, directed: bool) -> None:
    data = path(m + 1, directed=directed)
    view = EdgeDrop(drop=drop, count=count, directed=directed).view(data, 0)
    gone = round(drop * m) if count == "round" else int(drop * m + 1e-9)
    assert view.num_edges == (m - gone) * (1 if directed else 2)
    assert edges_of(view) <= edges_of(data)
    # It is the first half of perturbing.
    half = EdgePerturb(drop=drop, add=0.0, count=count, directed=directed).view(data, 0)
    assert torch.equal(view.edge_attr, half.edge_attr)


def test_every_graph_of_a_batch_loses_its_own_share_uniformly() -> None:
    data = path(6)
    view = EdgeDrop(drop=0.4, count="round").view(copies(data, 4000), 0)
    kept = Counter(frozenset(e for e in edges_of(part) if e[0] < e[1]) for part in view.to_data_list())
    assert len(kept) == comb(5, 2)
    assert stats.chisquare(list(kept.values())).pvalue > 1e-3


def test_one_large_graph_is_dropped_as_in_a_batch() -> None:
    # Above 65,536 edges a long column is worked off in blocks.
    large, small = path(50_000), path(7)
    for aug in (EdgeDrop(drop=0.3), EdgeDrop(drop=0.3, directed=True), EdgeDrop(drop=0.3, count="round")):
        for data in (large, small):
            data.graph_id = torch.tensor([data.num_nodes])
        alone = aug.view(large, 5)
        both = aug.view(Batch.from_data_list([small, large]), 5)
        assert torch.equal(both[1].edge_index, alone.edge_index)
        assert alone.num_edges / large.num_edges == pytest.approx(0.7, abs=0.01)
        assert aug.directed or is_undirected(alone.edge_index)


def test_a_count_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="expected count to be 'bernoulli', 'round' or 'floor', got 'ceil'"):
        EdgeDrop(count="ceil")


# --- perturbation: how many -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("count", ["round", "floor"])
@pytest.mark.parametrize("m", [0, 1, 4, 5, 6, 19])
@pytest.mark.parametrize(("drop", "add"), [(0.1, 0.1), (0.3, 0.0), (0.0, 0.5), (1.0, 1.0)])
def test_the_numbers_are_exact(drop: float, add: float, m: int, count: str, directed: bool) -> None:
    data = path(m + 1, directed=directed)
    whole = {"round": round, "floor": lambda value: int(value + 1e-9)}[count]
    view = EdgePerturb(drop=drop, add=add, directed=directed, count=count).view(data, 0)
    new = added(view, data)
    free = m * (m + 1) - m if directed else m * (m + 1) // 2 - m
    per_edge = 1 if directed else 2
    assert len(new) == per_edge * min(whole(add * m), free)
    assert view.num_edges - len(new) == per_edge * (m - whole(drop * m))


def test_self_loops_and_duplicates_are_edges_that_can_be_dropped() -> None:
    data = graph(3, [(0, 1), (0, 1), (2, 2)])
    left = Counter(frozenset(edges_of(EdgePerturb(drop=0.5, add=0.0).view(data, key))) for key in range(50))
    assert set(left) == {frozenset({(0, 1), (1, 0)}), frozenset({(2, 2)})}


@pytest.mark.parametrize("directed", [False, True])
def test_dropped_edges_are_uniform(directed: bool) -> None:
    data = path(6, directed=directed)
    view = EdgePerturb(drop=0.4, add=0.0, directed=directed).view(copies(data, 4000), 0)
    kept = Counter(frozenset(e for e in edges_of(part) if e[0] < e[1]) for part in view.to_data_list())
    assert len(kept) == comb(5, 2)
    assert stats.chisquare(list(kept.values())).pvalue > 1e-3


# --- perturbation: which edges are added ------------------------------------------------------------------------------


@pytest.mark.parametrize("add", [0.2, 0.4, 0.6])  # 1 of 10 free pairs and 2 (drawn), 3 (listed)
def test_added_edges_are_uniform_over_the_absent_pairs(add: float) -> None:
    data = path(6)
    view = EdgePerturb(drop=0.0, add=add).view(copies(data, 4000), 0)
    sets = Counter(frozenset(e for e in added(part, data) if e[0] < e[1]) for part in view.to_data_list())
    absent = [e for e in combinations(range(6), 2) if e[1] > e[0] + 1]
    assert set(sets) == {frozenset(chosen) for chosen in combinations(absent, round(5 * add))}
    assert stats.chisquare(list(sets.values())).pvalue > 1e-3


@pytest.mark.parametrize("add", [1 / 3, 2 / 3, 1.0])  # 1 and 2 of 9 free pairs (drawn), 3 (listed)
def test_added_directed_edges_are_uniform(add: float) -> None:
    data = path(4, directed=True)
    view = EdgePerturb(drop=0.0, add=add, directed=True).view(copies(data, 6000), 0)
    sets = Counter(frozenset(added(part, data)) for part in view.to_data_list())
    absent = sorted(set(permutations(range(4), 2)) - edges_of(data))
    assert {e for chosen in sets for e in chosen} == set(absent)
    assert len(sets) == comb(9, round(3 * add))
    assert stats.chisquare(list(sets.values())).pvalue > 1e-3


def test_a_new_edge_copies_a_uniform_edge_whatever_its_ends() -> None:
    data = path(6)
    view = EdgePerturb(drop=0.0, add=0.2).view(copies(data, 8000), 0)
    pairs = Counter()
    for part in view.to_data_list():
        assert part.num_edges == 12
        assert part.edge_attr[10] == part.edge_attr[11]
        pairs[tuple(sorted(part.edge_index[:, 10].tolist())), int(part.edge_attr[10])] += 1
    assert len(pairs) == 100
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3


def test_a_complete_graph_gets_no_edges() -> None:
    for n in (1, 2, 5):
        data = graph(n, list(combinations(range(n), 2)))
        assert edges_of(EdgePerturb(drop=0.0, add=1.0).view(data, 0)) == edges_of(data)
        assert EdgePerturb(drop=1.0, add=1.0).view(data, 0).num_edges == 0
    # A loop is no free pair, and one direction alone occupies a pair unless directions count.
    loop = graph(2, [(0, 1), (0, 0), (1, 1)], directed=True)
    assert added(EdgePerturb(drop=0.0, add=1.0).view(loop, 0), loop) == set()
    assert added(EdgePerturb(drop=0.0, add=1.0, directed=True).view(loop, 0), loop) == {(1, 0)}


def test_with_few_pairs_left_all_are_joined() -> None:
    data = graph(5, [e for e in combinations(range(5), 2) if e != (1, 3)])
    assert added(EdgePerturb(drop=0.0, add=1.0).view(data, 0), data) == {(1, 3), (3, 1)}
    half = graph(20, list(combinations(range(20), 2))[::2] + [(0, 2)])
    assert EdgePerturb(drop=0.0, add=1.0).view(half, 0).num_edges == 20 * 19


@pytest.mark.parametrize("directed", [False, True])
def test_new_edges_are_new_and_stay_in_their_graph(directed: bool) -> None:
    graphs = [
        path(9, directed=directed),
        graph(7, [(0, 0), (0, 1), (0, 1), (5, 6), (2, 2)], directed=directed),
        graph(4, [], directed=directed),
        graph(0, []),
        path(40, directed=directed),
        graph(6, [e for e in combinations(range(6), 2) if sum(e) != 5], directed=directed),
    ]
    for key in range(40):
        batch = Batch.from_data_list(graphs)
        view = EdgePerturb(drop=0.3, add=1.0, directed=directed).view(batch, key)
        assert torch.equal(view.batch[view.edge_index[0]], view.batch[view.edge_index[1]])
        for part, data in zip(view.to_data_list(), graphs, strict=True):
            before, after = Counter(map(tuple, data.edge_index.t().tolist())), Counter()
            after.update(map(tuple, part.edge_index.t().tolist()))
            for (a, b), times in after.items():
                assert times == before[a, b] or (before[a, b] == 0 and times == 1 and a != b)
                if not directed:
                    assert after[b, a] == times
                    assert before[a, b] or not before[b, a]
            assert set(part.edge_attr.tolist()) <= set(data.edge_attr.tolist())


def test_old_edges_keep_their_order_and_attributes_and_new_ones_follow() -> None:
    data = path(12)
    view = EdgePerturb(drop=0.3, add=0.3).view(Batch.from_data_list([data, path(5), data]), 1)
    for part in (view[0], view[2]):
        old = edges_of(data)
        fresh = [e not in old for e in map(tuple, part.edge_index.t().tolist())]
        assert fresh == sorted(fresh)
        kept = part.edge_attr[: fresh.index(True)]
        assert (kept.diff() > 0).all()
        assert torch.equal(data.edge_index[:, kept // 10], part.edge_index[:, : len(kept)])


def test_many_edges_of_one_large_graph() -> None:
    data = path(3000)
    view = EdgePerturb(drop=0.5, add=0.5).view(data, 0)
    assert len(added(view, data)) == 2 * round(0.5 * 2999)
    assert view.num_edges == 5998
    assert is_undirected(view.edge_index)


# --- the numbering of pairs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_absent_pairs_are_counted_off(directed: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    graphs = []
    for n in (5, 1, 0, 7, 2, 6):
        edges = torch.randint(n * n, (n + seed,), generator=generator) if n else torch.empty(0, dtype=torch.int64)
        graphs.append(graph(n, [(int(e) // n, int(e) % n) for e in edges], directed=directed))
    structure = Graph.of(Batch.from_data_list(graphs))
    absent = Absent(structure, Pairs.find(structure, directed=directed))
    expected = []
    for g, data in enumerate(graphs):
        begin, n = int(structure.ptr[g]), data.num_nodes
        joined = edges_of(data)
        if directed:
            free = [(u, v) for u in range(n) for v in range(n) if u != v and (u, v) not in joined]
        else:
            free = [(a, b) for b in range(n) for a in range(b) if not {(a, b), (b, a)} & joined]
        assert int(absent.counts[g]) == len(free)
        assert int(absent.first[g]) == len(expected)
        expected += [(begin + u, begin + v, g) for u, v in free]
    home = torch.tensor([g for _, _, g in expected])
    pairs = absent.at(torch.arange(len(expected)), home)
    assert pairs.t().tolist() == [[u, v] for u, v, _ in expected]


def test_pairs_of_a_graph_too_large_for_an_exact_square_root() -> None:
    n, none = 2**31, torch.empty(0, dtype=torch.int64)
    structure = Graph(none.view(2, 0), none, torch.tensor([0, n]), torch.tensor([0]), None)
    absent = Absent(structure, Pairs(structure, none, none, directed=False))
    generator = torch.Generator().manual_seed(0)
    majors = torch.cat(
        [torch.tensor([1, 2, 94_906_267, n - 2]), torch.randint(2**28, n - 1, (5000,), generator=generator)]
    )
    for offset in (-2, -1, 0, 1):
        place = (majors * (majors - 1) // 2 + offset).clamp(min=0)
        low, high = absent.at(place, torch.zeros_like(place))
        assert ((0 <= low) & (low < high) & (high < n)).all()
        assert torch.equal(high * (high - 1) // 2 + low, place)


@pytest.mark.parametrize("directed", [False, True])
def test_pairs_name_each_edge_once(directed: bool) -> None:
    data = Batch.from_data_list([graph(4, [(0, 1), (1, 0), (3, 3), (2, 0)], directed=True), path(3)])
    structure = Graph.of(data)
    pairs = Pairs.find(structure, directed=directed)
    assert pairs.counts.tolist() == ([4, 4] if directed else [3, 2])
    for e, (u, v) in enumerate(data.edge_index.t().tolist()):
        p = pairs.of_edge[e]
        begin = structure.ptr[pairs.graph[p]]
        ends = tuple(int(begin + end[p]) for end in pairs.ends)
        assert ends == ((u, v) if directed else (max(u, v), min(u, v)))


def ordered(n: int, m: int, *, loops: int) -> Data:
    """Edges in the order of source and target, with the given number of loops."""
    generator = torch.Generator().manual_seed(m)
    edges = torch.randint(n, (2, m), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    loop = torch.arange(loops).expand(2, -1)
    return Data(edge_index=torch.unique(torch.cat([edges, edges.flip(0), loop], 1), dim=1), num_nodes=n)


def through_pairs(data: Data, key: int, share: float, *, directed: bool) -> Tensor:
    pairs = Pairs.find(Graph.of(data), directed=directed)
    return pairs.choose(pairs.hashes(key), share, "round").index_select(0, pairs.of_edge)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("loops", "directed"), [(0, False), (500, False), (0, True), (500, True)])
def test_different_edges_are_chosen_by_their_hashes_alone(
    loops: int, directed: bool, shuffled: bool, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ordered(2000, 60_000, loops=loops)
    if shuffled:
        order = torch.randperm(data.num_edges, generator=torch.Generator().manual_seed(0))
        data.edge_index = data.edge_index[:, order]
    expected = through_pairs(data, 7, share, directed=directed)
    monkeypatch.setattr(Pairs, "find", None)
    kept = EdgeDrop(share, count="round", directed=directed).view(data, 7)
    assert torch.equal(kept.edge_index, data.edge_index[:, ~expected])


def one_direction_missing(data: Data) -> Tensor:
    return torch.cat([data.edge_index[:, :100], data.edge_index[:, 101:]], 1)


def as_many_up_as_down(data: Data) -> Tensor:
    """An edge less that goes up, and another one less that goes down."""
    up, down = ((data.edge_index.diff(dim=0)[0] * sign > 0).nonzero()[50] for sign in (1, -1))
    keep = torch.ones(data.num_edges, dtype=torch.bool)
    keep[torch.cat([up, down])] = False
    return data.edge_index[:, keep]


def one_edge_twice(data: Data) -> Tensor:
    return data.edge_index[:, torch.tensor([0, *range(data.num_edges)])]


def every_edge_twice_in_no_order(data: Data) -> Tensor:
    return torch.cat([data.edge_index, data.edge_index.flip(1)], 1)


@pytest.mark.parametrize(
    "change",
    [one_direction_missing, as_many_up_as_down, one_edge_twice, every_edge_twice_in_no_order],
    ids=lambda f: f.__name__,
)
def test_pairs_are_looked_for_where_the_edges_do_not_tell(change: Callable[[Data], Tensor]) -> None:
    data = ordered(2000, 30_000, loops=3)
    data.edge_index = change(data)
    assert choose_by_hashes(Graph.of(data), 7, 0.3, "round", directed=False) is None
    expected = through_pairs(data, 7, 0.3, directed=False)
    assert torch.equal(EdgeDrop(0.3, count="round").view(data, 7).edge_index, data.edge_index[:, ~expected])


def test_equal_upper_halves_leave_the_choice_to_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ordered(2000, 30_000, loops=0)
    monkeypatch.setattr(_by_hashes, "upper_half", lambda hashes: np.zeros(hashes.size, np.uint32))
    assert choose_by_hashes(Graph.of(data), 7, 0.3, "round", directed=False) is None
    assert EdgeDrop(0.5, count="round").view(data, 7).num_edges == data.num_edges - 2 * round(data.num_edges / 4)
