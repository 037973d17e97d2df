"""Growth has the law of adding one border node after the other, and both ways to find its times agree to the bit."""

import random
from collections import Counter, defaultdict

import networkx
import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl._random import hash_ids
from graphcl.augment import GrowthSubgraph
from graphcl.augment._graph import Graph
from graphcl.augment.growth import NEVER, _by_dijkstra, _by_rounds, _clocks, random_roots

Edges = list[tuple[int, int]]


def graph(n: int, edges: Edges, *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    return Data(edge_index=torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous(), num_nodes=n)


def copies(data: Data, count: int) -> Batch:
    return Batch.from_data_list([data] * count)


def law_of_growth(data: Data, k: int) -> dict[tuple[int, ...], float]:
    """The probability of each set of ``k`` nodes, one uniform border node after the other."""
    targets = defaultdict(set)
    for a, b in data.edge_index.t().tolist():
        targets[a].add(b)
    n = data.num_nodes
    law = {frozenset([start]): 1 / n for start in range(n)}
    for _ in range(k - 1):
        after: dict[frozenset[int], float] = defaultdict(float)
        for kept, chance in law.items():
            border = {b for a in kept for b in targets[a]} - kept
            for node in border:
                after[kept | {node}] += chance / len(border)
            if not border:
                after[kept] += chance
        law = after
    return {tuple(sorted(kept)): chance for kept, chance in law.items()}


def grown_one_by_one(data: Data, k: int, source: random.Random) -> tuple[int, ...]:
    """The same as a loop, for graphs whose sets are too many to list."""
    edges = data.edge_index.t().tolist()
    kept = {source.randrange(data.num_nodes)}
    while len(kept) < k:
        border = sorted({b for a, b in edges if a in kept and b not in kept})
        if not border:
            break
        kept.add(source.choice(border))
    return tuple(sorted(kept))


HOUSE = graph(6, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (4, 5)])
DOUBLE = graph(5, [(0, 1), (0, 1), (1, 2), (0, 2), (2, 3), (3, 3), (3, 4)])  # two edges side by side, and a self-loop
ARROWS = graph(5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)], directed=True)  # 3 and 4 lead nowhere
STAR = graph(6, [(0, i) for i in range(1, 6)])
PARTS = graph(7, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5)])  # a triangle, a path, a lonely node


@pytest.mark.parametrize(
    "data", [HOUSE, DOUBLE, ARROWS, STAR, PARTS], ids=["house", "double", "directed", "star", "parts"]
)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_kept_set_has_the_law_of_growth(data: Data, k: int) -> None:
    law, count = law_of_growth(data, k), 8000
    view = GrowthSubgraph(keep=k / data.num_nodes).view(copies(data, count), 0)
    sets = Counter(tuple(part.tolist()) for part in view.n_id.split(view.ptr.diff().tolist()))
    assert set(sets) <= set(law)
    assert stats.chisquare([sets[s] for s in law], [count * p for p in law.values()]).pvalue > 1e-3


def test_a_larger_graph_grows_like_a_loop() -> None:
    generator = torch.Generator().manual_seed(2)
    data = graph(14, [(int(torch.randint(i, (), generator=generator)), i) for i in range(1, 14)])
    source, count = random.Random(0), 4000
    view = GrowthSubgraph(keep=0.5).view(copies(data, count), 1)
    assert view.ptr.diff().tolist() == [7] * count
    ours = view.n_id.view(count, 7)
    literal = torch.tensor([grown_one_by_one(data, 7, source) for _ in range(count)])
    for node in range(14):
        table = [[int((sets == node).any(1).sum()) for sets in (ours, literal)]]
        table.append([count - hits for hits in table[0]])
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_clocks_are_exponential_whole_numbers() -> None:
    clocks = _clocks(hash_ids(3, torch.arange(200_000)))
    assert clocks.dtype == torch.int64
    assert int(clocks.min()) >= 1
    assert stats.kstest(clocks.double().numpy() / 2**24, "expon").pvalue > 1e-3


@pytest.mark.parametrize("keep", [0.0, 0.05, 0.2, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("count", ["round", "floor"])
def test_the_number_is_exact_and_the_view_connected(keep: float, count: str) -> None:
    generator = torch.Generator().manual_seed(1)
    tree = graph(37, [(int(torch.randint(i, (), generator=generator)), i) for i in range(1, 37)])
    ring = graph(24, [(i, (i + 1) % 24) for i in range(24)])
    whole = {"round": round, "floor": lambda value: int(value + 1e-9)}[count]
    graphs = [tree, ring, HOUSE, graph(1, []), graph(0, [])]
    for key in range(5):
        parts = GrowthSubgraph(keep=keep, count=count).view(Batch.from_data_list(graphs), key).to_data_list()
        assert parts[-1].num_nodes == 0
        for part, data in zip(parts[:-1], graphs[:-1], strict=True):
            assert part.num_nodes == max(whole(keep * data.num_nodes), 1)
            inside = networkx.Graph(part.edge_index.t().tolist())
            inside.add_nodes_from(range(part.num_nodes))
            assert networkx.is_connected(inside)


def test_a_small_component_is_kept_whole() -> None:
    view = GrowthSubgraph(keep=0.6).view(copies(PARTS, 300), 0)
    sets = {tuple(part.tolist()) for part in view.n_id.split(view.ptr.diff().tolist())}
    assert sets == {(0, 1, 2), (3, 4, 5), (6,)}


def test_growth_follows_directed_edges() -> None:
    arrow = graph(30, [(i, i + 1) for i in range(29)], directed=True)
    for part in GrowthSubgraph(keep=0.2).view(copies(arrow, 100), 0).to_data_list():
        start = int(part.n_id[0])
        assert part.n_id.tolist() == list(range(start, min(start + 6, 30)))


def test_starts_are_uniform() -> None:
    view = GrowthSubgraph(keep=0.0).view(copies(HOUSE, 6000), 0)
    assert view.num_nodes == 6000
    assert stats.chisquare(view.n_id.bincount(minlength=6).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_both_ways_to_find_the_times_agree_to_the_bit(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    members = []
    for n in (0, 1, 5, 40, 7):
        edges = torch.randint(max(n, 1), (2, 2 * n), generator=generator)  # duplicates, self-loops, parts, no order
        members.append(Data(edge_index=edges, num_nodes=n))
    members.append(graph(60, [(i, i + 1) for i in range(59)]))
    whole = Graph.of(Batch.from_data_list(members))
    steps = _clocks(whole.node_hashes(seed))[whole.edge_index[1]]
    roots = random_roots(whole, seed)
    times = [find(whole, steps, roots) for find in (_by_dijkstra, _by_rounds)]
    assert torch.equal(*times)
    assert int(times[0][roots].max()) == 0
    assert int((times[0] == NEVER).sum()) > 0


def test_no_graph_at_all_has_no_times() -> None:
    whole = Graph.of(graph(0, []))
    nothing = torch.empty(0, dtype=torch.int64)
    for find in (_by_dijkstra, _by_rounds):
        assert find(whole, nothing, nothing).shape == (0,)


def test_a_long_path_does_not_take_forever() -> None:
    view = GrowthSubgraph(keep=0.2).view(graph(20_000, [(i, i + 1) for i in range(19_999)]), 0)
    assert view.num_nodes == 4000
    assert (view.n_id.diff() == 1).all()
