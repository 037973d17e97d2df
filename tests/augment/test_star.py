"""The published code's subgraph, against that code's rule written out, and how it differs from a walk."""

import random
from collections import Counter, defaultdict

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import RandomWalkSubgraph, StarSubgraph


def graph(n: int, edges: list[tuple[int, int]]) -> Data:
    both = [*edges, *((b, a) for a, b in edges if a != b)]
    return Data(edge_index=torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous(), num_nodes=n)


def by_the_rule(targets: dict[int, set[int]], n: int, wanted: int, source: random.Random) -> tuple[int, ...]:
    """Draw from the start's neighbours, with replacement, until ``wanted`` new ones are in or ``n`` draws are made."""
    kept = [source.randrange(n)]
    near = sorted(targets[kept[0]])
    for _ in range(n if near else 0):
        if len(kept) > wanted:
            break
        node = source.choice(near)
        if node not in kept:
            kept.append(node)
    return tuple(sorted(kept))


WHEEL = graph(7, [*[(0, i) for i in range(1, 7)], *[(i, i % 6 + 1) for i in range(1, 7)]])
LOOPS = graph(6, [(0, 1), (0, 1), (0, 2), (0, 3), (3, 4), *[(i, i) for i in range(5)]])  # duplicates, self-loops


@pytest.mark.parametrize("data", [WHEEL, LOOPS], ids=["wheel", "self-loops"])
@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_the_kept_set_has_the_law_of_the_published_code(data: Data, wanted: int) -> None:
    targets, source, count = defaultdict(set), random.Random(wanted), 10_000
    for a, b in data.edge_index.t().tolist():
        targets[a].add(b)
    n = data.num_nodes
    literal = Counter(by_the_rule(targets, n, wanted, source) for _ in range(count))
    view = StarSubgraph(keep=wanted / n).view(Batch.from_data_list([data] * count), 0)
    ours = Counter(tuple(part.tolist()) for part in view.n_id.split(view.ptr.diff().tolist()))
    common = [s for s in literal if literal[s] + ours[s] >= 10]
    rare = [sum(c.values()) - sum(c[s] for s in common) for c in (literal, ours)]
    table = [[c[s] for s in common] for c in (literal, ours)]
    if sum(rare) >= 10:
        table = [[*row, left] for row, left in zip(table, rare, strict=True)]
    assert sum(rare) < 0.02 * count
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_golden_a_path_of_60_nodes_keeps_at_most_3_of_13() -> None:
    path = graph(60, [(i, i + 1) for i in range(59)])
    batch = Batch.from_data_list([path] * 300)
    star, walk = (aug.view(batch, 0).ptr.diff() for aug in (StarSubgraph(keep=0.2), RandomWalkSubgraph(keep=13 / 60)))
    assert set(walk.tolist()) == {13}
    assert set(star.tolist()) == {2, 3}  # 2 at the ends of the path


def test_it_never_grows_beyond_the_neighbours() -> None:
    generator = torch.Generator().manual_seed(0)
    tree = graph(30, [(int(torch.randint(i, (), generator=generator)), i) for i in range(1, 30)])
    for part in StarSubgraph(keep=0.5).view(Batch.from_data_list([tree] * 100), 0).to_data_list():
        joined = part.edge_index.t().tolist()
        assert any(all([hub, v] in joined for v in range(part.num_nodes) if v != hub) for hub in range(part.num_nodes))


def test_a_large_star_has_the_wanted_number() -> None:
    hub = graph(50, [(0, i) for i in range(1, 50)])
    sizes = StarSubgraph(keep=0.2).view(Batch.from_data_list([hub] * 500), 0).ptr.diff()
    assert set(sizes.tolist()) == {2, 11}


def test_isolated_nodes_and_empty_graphs() -> None:
    members = [graph(4, []), graph(0, []), graph(1, [(0, 0)])]
    assert StarSubgraph(keep=1.0).view(Batch.from_data_list(members), 0).ptr.diff().tolist() == [1, 0, 1]


def test_the_view_does_not_depend_on_how_many_graphs_there_are() -> None:
    # Above 65,536 graphs, fewer bits are left to tell apart the nodes of one.
    spokes, count = graph(13, [(0, i) for i in range(1, 13)]), (1 << 16) + 1
    first = 13 * torch.arange(count)
    many = Data(
        edge_index=(spokes.edge_index[:, None, :] + first[:, None]).reshape(2, -1),
        batch=torch.arange(count).repeat_interleave(13),
        ptr=13 * torch.arange(count + 1),
        num_nodes=13 * count,
    )
    few = Batch.from_data_list([spokes] * 500)
    expected = StarSubgraph(keep=0.3).view(few, 0).n_id
    assert torch.equal(StarSubgraph(keep=0.3).view(many, 0).n_id[: expected.numel()], expected)
