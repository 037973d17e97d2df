"""The random walk really walks: its law, its connected views, and what happens where it cannot see enough nodes."""

from collections import Counter, defaultdict

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.utils import degree

from graphcl.augment import RandomWalkSubgraph

Edges = list[tuple[int, int]]


def graph(n: int, edges: Edges, *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    edge_index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return Data(edge_index=edge_index, num_nodes=n)


def path(n: int) -> Data:
    return graph(n, [(i, i + 1) for i in range(n - 1)])


def copies(data: Data, count: int) -> Batch:
    return Batch.from_data_list([data] * count)


def is_connected(data: Data) -> bool:
    reached, edges = {0}, data.edge_index.t().tolist()
    for _ in range(data.num_nodes):
        reached |= {b for a, b in edges if a in reached}
    return len(reached) == data.num_nodes


def law_of_the_walk(data: Data, k: int, steps: int) -> dict[tuple[int, ...], float]:
    """The probability of each set of the first ``k`` distinct nodes, walk by walk as the paper tells it."""
    targets = defaultdict(list)
    for a, b in data.edge_index.t().tolist():
        targets[a].append(b)
    n = data.num_nodes
    states = {(frozenset([start]), start): 1 / n for start in range(n)}
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for _ in range(steps):
        after: dict[tuple[frozenset[int], int], float] = defaultdict(float)
        for (seen, at), chance in states.items():
            for to in targets[at]:
                now = seen | {to}
                if len(now) == k:
                    law[tuple(sorted(now))] += chance / len(targets[at])
                else:
                    after[now, to] += chance / len(targets[at])
        states = after
    return law


HOUSE = graph(6, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (4, 5)])
DOUBLE = graph(4, [(0, 1), (0, 1), (1, 2), (0, 2), (2, 3), (3, 3)])  # two edges side by side, and a self-loop
ARROWS = graph(5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 0)], directed=True)


@pytest.mark.parametrize("data", [HOUSE, DOUBLE, ARROWS], ids=["house", "parallel edges", "directed"])
@pytest.mark.parametrize("k", [2, 3])
def test_the_kept_set_has_the_law_of_a_walk(data: Data, k: int) -> None:
    law = law_of_the_walk(data, k, steps=4 * k + 16)
    # Next to no walk is cut short, so that filling plays no part.
    assert sum(law.values()) > 0.99
    view = RandomWalkSubgraph(keep=k / data.num_nodes).view(copies(data, 6000), 0)
    sets = Counter(tuple(ids) for ids in view.n_id.view(6000, k).tolist())
    assert set(sets) <= set(law)
    expected = [6000 * p / sum(law.values()) for p in law.values()]
    assert stats.chisquare([sets[s] for s in law], expected).pvalue > 1e-3


def test_a_walk_goes_far_where_the_authors_code_draws_a_star() -> None:
    # On a path the start and its neighbours are three nodes. GraphCL's published code keeps at most these.
    view = RandomWalkSubgraph(keep=0.2).view(copies(path(60), 200), 0)
    for part in view.to_data_list():
        assert part.num_nodes == 12
        assert is_connected(part)
        assert (part.n_id.diff() == 1).all()
        assert int(degree(part.edge_index[0]).max()) == 2


@pytest.mark.parametrize("keep", [0.0, 0.05, 0.2, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("count", ["round", "floor"])
def test_the_number_is_exact_and_the_view_connected(keep: float, count: str) -> None:
    generator = torch.Generator().manual_seed(1)
    tree = graph(37, [(int(torch.randint(i, (), generator=generator)), i) for i in range(1, 37)])
    ring = graph(24, [(i, (i + 1) % 24) for i in range(24)])
    whole = {"round": round, "floor": lambda value: int(value + 1e-9)}[count]
    graphs = [tree, ring, path(50), HOUSE, graph(1, [])]
    for key in range(5):
        parts = RandomWalkSubgraph(keep=keep, count=count).view(Batch.from_data_list(graphs), key).to_data_list()
        for part, data in zip(parts, graphs, strict=True):
            assert part.num_nodes == max(whole(keep * data.num_nodes), 1)
            assert is_connected(part)


def test_the_view_is_the_induced_subgraph() -> None:
    for key in range(20):
        view = RandomWalkSubgraph(keep=0.7).view(HOUSE, key)
        kept = view.n_id.tolist()
        inside = [e for e in HOUSE.edge_index.t().tolist() if e[0] in kept and e[1] in kept]
        assert [[kept[a], kept[b]] for a, b in view.edge_index.t().tolist()] == inside


def test_starts_are_uniform() -> None:
    view = RandomWalkSubgraph(keep=0.0).view(copies(path(7), 7000), 0)
    assert view.num_nodes == 7000
    assert stats.chisquare(view.n_id.bincount(minlength=7).numpy()).pvalue > 1e-3


def test_a_small_component_is_kept_whole() -> None:
    # A triangle, an edge, a lonely node, and a path that is long enough.
    data = graph(16, [(0, 1), (1, 2), (2, 0), (3, 4), *[(i, i + 1) for i in range(6, 15)]])
    outcomes = Counter()
    for key in range(200):
        kept = RandomWalkSubgraph(keep=0.5).view(data, key).n_id.tolist()
        outcomes[len(kept)] += 1
        assert kept in ([0, 1, 2], [3, 4], [5]) or (len(kept) == 8 and kept[0] >= 6 and kept[-1] - kept[0] == 7)
    assert set(outcomes) == {1, 2, 3, 8}


def test_an_isolated_start_is_kept_alone() -> None:
    view = RandomWalkSubgraph(keep=0.8).view(copies(graph(5, []), 50), 0)
    assert view.ptr.diff().tolist() == [1] * 50


def test_a_walk_follows_directed_edges() -> None:
    arrow = graph(30, [(i, i + 1) for i in range(29)], directed=True)
    for part in RandomWalkSubgraph(keep=0.2).view(copies(arrow, 100), 0).to_data_list():
        start = int(part.n_id[0])
        assert part.n_id.tolist() == list(range(start, min(start + 6, 30)))


def test_the_order_of_edges_within_a_node_may_be_anything() -> None:
    shuffled = HOUSE.clone()
    shuffled.edge_index = shuffled.edge_index[:, torch.randperm(14, generator=torch.Generator().manual_seed(0))]
    law = law_of_the_walk(HOUSE, 3, steps=28)
    view = RandomWalkSubgraph(keep=0.5).view(copies(shuffled, 4000), 3)
    sets = Counter(tuple(ids) for ids in view.n_id.view(4000, 3).tolist())
    assert stats.chisquare([sets[s] for s in law], [4000 * p / sum(law.values()) for p in law.values()]).pvalue > 1e-3


def test_a_walk_is_not_longer_in_large_company() -> None:
    # Nearly the whole path: most walks reach their limit, and that must not be the limit of the large graph.
    small, large = path(8), path(60)
    for data, name in ((small, 1), (large, 2)):
        data.graph_id = torch.tensor([name])
    aug = RandomWalkSubgraph(keep=0.9)
    for key in range(50):
        alone = aug.view(small, key)
        together = aug.view(Batch.from_data_list([small, large]), key)[0]
        assert torch.equal(alone.n_id, together.n_id)


def test_a_long_path_does_not_take_forever() -> None:
    view = RandomWalkSubgraph(keep=0.2).view(path(10_000), 0)
    assert view.num_nodes == 2000
    assert (view.n_id.diff() == 1).all()
