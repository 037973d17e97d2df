"""Adding edges: exact numbers, only what is new, uniformly; and what the attributes of a new edge become."""

from collections import Counter
from itertools import combinations, permutations

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from graphcl.augment import EdgeAdd, EdgePerturb


def graph(n: int, edges: list[tuple[int, int]], *, directed: bool = False) -> Data:
    both = edges if directed else [*edges, *((b, a) for a, b in edges if a != b)]
    edge_index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return Data(edge_index=edge_index, num_nodes=n, edge_attr=torch.arange(1.0, edge_index.size(1) + 1))


def path(n: int, *, directed: bool = False) -> Data:
    return graph(n, [(i, i + 1) for i in range(n - 1)], directed=directed)


def edges_of(data: Data) -> list[tuple[int, int]]:
    return [(a, b) for a, b in data.edge_index.t().tolist()]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("count", ["round", "floor"])
@pytest.mark.parametrize("m", [1, 4, 5, 6, 19])
@pytest.mark.parametrize("add", [0.0, 0.1, 0.5, 1.0])
def test_the_numbers_are_exact(add: float, m: int, count: str, directed: bool) -> None:
    data = path(m + 1, directed=directed)
    view = EdgeAdd(add=add, directed=directed, count=count).view(data, 0)
    wanted = round(add * m) if count == "round" else int(add * m + 1e-9)
    free = (m + 1) * m - m if directed else (m + 1) * m // 2 - m
    assert view.num_edges - data.num_edges == min(wanted, free) * (1 if directed else 2)
    assert torch.equal(view.edge_index[:, : data.num_edges], data.edge_index)


@pytest.mark.parametrize("directed", [False, True])
def test_new_edges_are_uniform_over_what_is_free(directed: bool) -> None:
    data = path(5, directed=directed)
    view = EdgeAdd(add=0.5, directed=directed).view(Batch.from_data_list([data] * 4000), 0)
    old = set(edges_of(data))
    sets: Counter[frozenset[tuple[int, int]]] = Counter()
    for part in view.to_data_list():
        sets[frozenset(e for e in edges_of(part) if e not in old and (directed or e[0] < e[1]))] += 1
    free = [e for e in permutations(range(5), 2) if e not in old and (directed or e[0] < e[1])]
    assert set(sets) == {frozenset(pair) for pair in combinations(free, 2)}
    assert stats.chisquare(list(sets.values())).pvalue > 1e-3


@pytest.mark.parametrize("directed", [False, True])
def test_nothing_old_no_loop_no_other_graph(directed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    graphs = []
    for n in (6, 1, 0, 9, 25, 4):
        drawn = torch.randint(max(n, 1), (3 * n, 2), generator=generator).tolist()
        graphs.append(graph(n, [(a, b) for a, b in drawn], directed=directed))
    for key in range(20):
        view = EdgeAdd(add=1.0, directed=directed).view(Batch.from_data_list(graphs), key)
        assert torch.equal(view.batch[view.edge_index[0]], view.batch[view.edge_index[1]])
        for part, data in zip(view.to_data_list(), graphs, strict=True):
            before, after = Counter(edges_of(data)), Counter(edges_of(part))
            new = after - before
            assert all(times == 1 and a != b and (a, b) not in before for (a, b), times in new.items())
            if not directed:
                assert all((b, a) in new and (b, a) not in before for a, b in new)
                assert is_undirected(part.edge_index, num_nodes=part.num_nodes) or part.num_edges == 0


def test_a_graph_without_edges_gets_none() -> None:
    bare = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), edge_attr=torch.empty(0), num_nodes=5)
    for fill in ("copy", 0):
        view = EdgeAdd(add=1.0, fill=fill).view(Batch.from_data_list([bare, path(4), bare]), 0)
        assert [part.num_edges for part in (view[0], view[2])] == [0, 0]


# --- what their attributes become -------------------------------------------------------------------------------------


def with_attributes(n: int) -> Data:
    data = path(n)
    data.edge_attr = torch.rand(data.num_edges, 2, generator=torch.Generator().manual_seed(0)) + 1
    data.edge_weight = data.edge_attr[:, 0].double()
    data.edge_type = torch.arange(data.num_edges) + 5
    data.edge_label = [f"bond {i}" for i in range(data.num_edges)]
    return data


def test_a_copy_is_of_one_edge_of_the_graph() -> None:
    data = with_attributes(10)
    view = EdgeAdd(add=1.0).view(data, 0)
    like = view.edge_type - 5
    assert torch.equal(view.edge_attr, data.edge_attr[like])
    assert torch.equal(view.edge_weight, data.edge_weight[like])
    assert view.edge_label == [data.edge_label[i] for i in like.tolist()]
    assert torch.equal(like[18:27], like[27:])  # both directions are of one
    assert like[18:27].unique().numel() > 3


@pytest.mark.parametrize("fill", [0, 7, 2.0])
def test_a_number_fills_every_column(fill: float) -> None:
    data = with_attributes(10)
    view = EdgeAdd(add=0.3, fill=fill).view(data, 0)
    assert view.num_edges == 18 + 6
    for name in ("edge_attr", "edge_weight", "edge_type"):
        assert torch.equal(view[name][:18], data[name])
        assert (view[name][18:] == fill).all()
        assert view[name].dtype == data[name].dtype
    assert len(view.edge_label) == 24


def test_the_input_keeps_its_attributes_where_views_are_filled() -> None:
    data = with_attributes(10)
    before = data.clone()
    EdgeAdd(add=1.0, fill=0).view(data, 0)
    assert torch.equal(data.edge_attr, before.edge_attr)
    assert torch.equal(data.edge_type, before.edge_type)


def test_perturbing_fills_as_adding_does() -> None:
    view = EdgePerturb(drop=0.5, add=0.5, fill=-1).view(with_attributes(9), 0)
    assert int((view.edge_type == -1).sum()) == 8
    assert torch.equal(view.edge_type == -1, view.edge_attr[:, 0] == -1)


def test_fractions_do_not_fit_whole_numbers() -> None:
    with pytest.raises(TypeError, match=r"whole number as fill.*'edge_type' holds torch.int64.*0.5"):
        EdgeAdd(add=0.5, fill=0.5).view(with_attributes(6), 0)
    data = with_attributes(6)
    for fill in (float("inf"), 2.0**63):
        with pytest.raises(TypeError, match="'edge_type' holds torch.int64"):
            EdgeAdd(add=0.5, fill=fill).view(data, 0)
    data.edge_type = data.edge_type.to(torch.uint8)
    with pytest.raises(TypeError, match=r"'edge_type' holds torch.uint8, got -1.0; give one from 0 to 255"):
        EdgeAdd(add=0.5, fill=-1).view(data, 0)
    data.edge_type = data.edge_type > 2
    with pytest.raises(TypeError, match="'edge_type' holds torch.bool, got 3.0"):
        EdgeAdd(add=0.5, fill=3).view(data, 0)
    assert EdgeAdd(add=0.5, fill=1).view(data, 0).edge_type[10:].all()
    del data.edge_type
    assert (EdgeAdd(add=0.5, fill=0.5).view(data, 0).edge_weight[10:] == 0.5).all()


@pytest.mark.parametrize("kind", [EdgeAdd, EdgePerturb])
def test_what_fill_may_be(kind: type) -> None:
    for fill in ("mean", float("nan")):
        with pytest.raises(ValueError, match="expected fill to be a number or 'copy'"):
            kind(fill=fill)
    for wrong in (None, True, [0.0]):
        with pytest.raises(TypeError, match="expected fill to be a number or 'copy'"):
            kind(fill=wrong)
