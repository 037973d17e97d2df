"""Diffusion against dense float64 algebra, the push method against its bound, the cache against mistaken identity."""

import copy
import pickle
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from graphcl.augment import HeatDiffusion, PPRDiffusion
from graphcl.augment import diffusion as module
from graphcl.augment._cache import Cache, names
from graphcl.augment._graph import Graph
from graphcl.augment._matrices import Matrices

Diffusion = PPRDiffusion | HeatDiffusion
Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]

KINDS = pytest.mark.parametrize("kind", ["ppr", "heat"])
NORMALISATIONS = pytest.mark.parametrize("normalisation", ["sym", "rw"])
METHODS = pytest.mark.parametrize("method", ["exact", "push"])
ALMOST_ALL = 1e-9


def build(kind: str, **arguments: Any) -> Diffusion:
    arguments = {"threshold": ALMOST_ALL, **arguments}
    if arguments.get("top_k"):
        del arguments["threshold"]
    return PPRDiffusion(0.2, **arguments) if kind == "ppr" else HeatDiffusion(2.0, **arguments)


def graph(n: int, pairs: list[tuple[int, int]], *, directed: bool = False, weight: list[float] | None = None) -> Data:
    edges = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t()
    values = torch.ones(edges.size(1)).double() if weight is None else torch.tensor(weight).double()
    if not directed:
        edges, values = torch.cat([edges, edges.flip(0)], 1), values.repeat(2)
    return Data(edge_index=edges, num_nodes=n, edge_weight=values)


def random_graph(n: int, m: int, seed: int, *, directed: bool = False, weighted: bool = True) -> Data:
    generator = torch.Generator().manual_seed(seed)
    # Numbers are squared, so that some nodes have many edges and some none.
    ends = (torch.rand(2, m, generator=generator) ** 2 * n).long()
    ends = ends[:, ends[0] != ends[1]]
    weight = torch.rand(ends.size(1), generator=generator).tolist() if weighted else None
    return graph(n, ends.t().tolist(), directed=directed, weight=weight)


def transition(data: Data, normalisation: str, self_loops: bool) -> tuple[Tensor, Tensor]:
    """T and d, literally."""
    n = data.num_nodes
    assert n is not None
    a = torch.zeros(n, n, dtype=torch.float64)
    for i, j, w in zip(*data.edge_index.tolist(), data.edge_weight.tolist()):
        a[i, j] += w
    a += torch.eye(n) * self_loops
    d = a.sum(0)
    inverse = torch.where(d > 0, 1 / d, 0.0)
    return (a * inverse if normalisation == "rw" else inverse.sqrt()[:, None] * a * inverse.sqrt()), d


def truth(data: Data, kind: str, normalisation: str, *, self_loops: bool = True) -> Tensor:
    t, _ = transition(data, normalisation, self_loops)
    one = torch.eye(t.size(0), dtype=torch.float64)
    return 0.2 * torch.linalg.inv(one - 0.8 * t) if kind == "ppr" else torch.matrix_exp(-2.0 * (one - t))


def dense(view: Data) -> Tensor:
    n = view.num_nodes
    assert n is not None
    s = torch.zeros(n, n, dtype=torch.float64)
    assert view.is_coalesced()
    s[view.edge_index[0], view.edge_index[1]] = view.edge_weight.double()
    return s


GRAPHS = {
    "path": graph(3, [(0, 1), (1, 2)]),
    "two parts and an isolated node": graph(6, [(0, 1), (1, 2), (3, 4)]),
    "loops and duplicates": graph(4, [(0, 0), (0, 1), (0, 1), (1, 2), (2, 2), (3, 3)]),
    "directed": graph(5, [(0, 1), (1, 2), (2, 0), (2, 3), (4, 0)], directed=True),
    "weighted": graph(4, [(0, 1), (1, 2), (2, 3), (3, 0)], weight=[0.5, 2.0, 7.0, 0.0]),
    "one node": graph(1, []),
    "no edges": graph(3, []),
    "random": random_graph(150, 400, 0),
    "random and directed": random_graph(90, 250, 1, directed=True),
}
every_graph = pytest.mark.parametrize("name", list(GRAPHS))


# --- the matrix -------------------------------------------------------------------------------------------------------


def test_ppr_of_two_nodes_by_hand() -> None:
    # T = [[1, 1], [1, 1]] / 2 = T^2, hence S = alpha I + (1 - alpha) T.
    view = PPRDiffusion(alpha=0.2, top_k=2)(graph(2, [(0, 1)]))
    assert view.edge_index.tolist() == [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert torch.allclose(view.edge_weight, torch.tensor([0.6, 0.4, 0.4, 0.6]).double(), atol=1e-15)


def test_heat_of_two_nodes_by_hand() -> None:
    # exp(-t (I - T)) = e^-t I + (1 - e^-t) T for T = T^2.
    view = HeatDiffusion(t=1.5, top_k=2)(graph(2, [(0, 1)]))
    away = (1 - np.exp(-1.5)) / 2
    assert torch.allclose(view.edge_weight, torch.tensor([1 - away, away, away, 1 - away]).double(), atol=1e-15)


def test_the_direction_of_edges() -> None:
    # The only edge is 0 -> 1: a walk from 1 goes back to 0, so that 1 receives from 0.
    s = dense(PPRDiffusion(0.2, threshold=ALMOST_ALL, normalisation="rw")(graph(2, [(0, 1)], directed=True)))
    assert s[0, 1] == pytest.approx(0.4 / 0.6)
    assert s[1, 0] == 0


@KINDS
@NORMALISATIONS
@every_graph
@pytest.mark.parametrize("self_loops", [True, False])
def test_every_entry_is_that_of_the_formula(kind: str, normalisation: str, name: str, self_loops: bool) -> None:
    data = GRAPHS[name]
    expected = truth(data, kind, normalisation, self_loops=self_loops)
    expected = torch.where(expected > 5e-10, expected, 0.0)
    s = dense(build(kind, normalisation=normalisation, self_loops=self_loops, method="exact")(data))
    assert (s - expected).abs().max() < 2e-9


@KINDS
@pytest.mark.parametrize("strength", ["little", "much"])
def test_extreme_parameters(kind: str, strength: str) -> None:
    data = GRAPHS["random"]
    t, _ = transition(data, "rw", True)
    one = torch.eye(t.size(0), dtype=torch.float64)
    if kind == "ppr":
        alpha = {"little": 0.999, "much": 1e-4}[strength]
        s, expected = PPRDiffusion(alpha, top_k=150, normalisation="rw")(data), None
        expected = alpha * torch.linalg.inv(one - (1 - alpha) * t)
    else:
        time = {"little": 1e-3, "much": 300.0}[strength]
        s, expected = HeatDiffusion(time, top_k=150, normalisation="rw")(data), torch.matrix_exp(-time * (one - t))
    assert (dense(s) - expected).abs().max() < 2e-9


@KINDS
def test_columns_sum_to_one_and_symmetric_form_is_symmetric(kind: str) -> None:
    data = GRAPHS["random"]
    assert torch.allclose(dense(build(kind, normalisation="rw")(data)).sum(0), torch.ones(150).double(), atol=1e-6)
    s = dense(build(kind, normalisation="sym")(data))
    assert torch.equal(s, s.t())
    _, d = transition(data, "sym", True)
    assert torch.allclose(s @ d.sqrt(), d.sqrt(), atol=1e-5)  # d^(1/2) is the fixed point


def test_where_nothing_comes_in() -> None:
    for normalisation in ("sym", "rw"):
        view = build("ppr", normalisation=normalisation, self_loops=False)(graph(3, []))
        assert torch.equal(dense(view), 0.2 * torch.eye(3).double())
        view = build("ppr", normalisation=normalisation)(graph(3, []))
        assert torch.allclose(dense(view), torch.eye(3).double(), atol=1e-15)
        assert build("heat", normalisation=normalisation)(graph(0, [])).num_edges == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64])
def test_the_dtype_of_weights(dtype: torch.dtype) -> None:
    data = GRAPHS["path"].clone()
    data.edge_weight = data.edge_weight.to(dtype)
    expected = dtype if dtype.is_floating_point else torch.float32
    assert PPRDiffusion(top_k=2)(data).edge_weight.dtype == expected
    data.edge_weight = data.edge_weight[:, None]
    assert PPRDiffusion(top_k=2)(data).edge_weight.dtype == expected
    del data.edge_weight
    assert PPRDiffusion(top_k=2)(data).edge_weight.dtype == torch.float32


# --- what is kept -----------------------------------------------------------------------------------------------------


@KINDS
@NORMALISATIONS
@METHODS
@every_graph
@pytest.mark.parametrize("k", [1, 3, 1000])
def test_top_k_of_each_column(kind: str, normalisation: str, method: str, name: str, k: int) -> None:
    data = GRAPHS[name]
    arguments = {"normalisation": normalisation, "method": method, "tolerance": 1e-9}
    whole = truth(data, kind, normalisation)
    s = dense(build(kind, top_k=k, directed=True, **arguments)(data))
    for got, column in zip(s.t(), whole.t(), strict=True):
        order = sorted(
            (i for i in range(len(column)) if column[i] > 1e-6), key=lambda i: (-round(float(column[i]), 7), i)
        )
        if k == 1000:
            assert set(order) <= set(got.nonzero().flatten().tolist())
        else:
            assert set(got.nonzero().flatten().tolist()) >= set(order[:k]) or len(order) < k
            assert int((got > 0).sum()) <= k
        kept = got > 0
        assert (got - column)[kept].abs().max() < 1e-6
    # Undirected: what is kept in one direction is kept in both.
    both = dense(build(kind, top_k=k, **arguments)(data))
    if "directed" in name:
        assert torch.equal(both, s)
    else:
        assert torch.equal(both > 0, (s > 0) | (s > 0).t())
        assert (both - whole)[both > 0].abs().max() < 1e-6


@METHODS
def test_ties_go_to_the_smaller_number(method: str) -> None:
    # A ring: left and right neighbours are alike. A star's leaves are alike.
    ring = graph(9, [(i, (i + 1) % 9) for i in range(9)])
    s = dense(PPRDiffusion(top_k=2, directed=True, method=method, tolerance=1e-6)(ring))
    expected = torch.eye(9, dtype=torch.bool)
    for j in range(9):
        expected[min((j - 1) % 9, (j + 1) % 9), j] = True
    assert torch.equal(s > 0, expected)
    star = graph(30, [(0, i) for i in range(1, 30)])
    s = dense(HeatDiffusion(top_k=5, directed=True, method=method, tolerance=1e-6)(star))
    assert s[:, 0].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]


@METHODS
def test_threshold(method: str) -> None:
    data = GRAPHS["random"]
    whole = truth(data, "ppr", "rw")
    s = dense(build("ppr", threshold=0.01, normalisation="rw", directed=True, method=method, tolerance=1e-8)(data))
    assert ((s > 0) == (whole >= 0.01))[(whole - 0.01).abs() > 1e-6].all()
    view = build("ppr", threshold=0.01, normalisation="rw", method=method, tolerance=1e-8)(data)
    assert is_undirected(view.edge_index, num_nodes=view.num_nodes)
    assert build("ppr", threshold=2.0, method=method)(data).num_edges == 0


@METHODS
@every_graph
def test_renormalised(method: str, name: str) -> None:
    data = GRAPHS[name]
    s = dense(build("heat", top_k=3, normalisation="rw", method=method, renormalise=True)(data))
    assert torch.allclose(s.sum(0), torch.ones(s.size(0)).double())
    raw = dense(build("heat", top_k=3, method=method)(data))
    d = raw.sum(0).sqrt()
    s = dense(build("heat", top_k=3, method=method, renormalise=True)(data))
    assert torch.allclose(s, raw / d / d[:, None])


@METHODS
@every_graph
def test_renormalised_by_the_largest_of_each_source(method: str, name: str) -> None:
    raw = dense(build("ppr", top_k=3, method=method)(GRAPHS[name]))
    s = dense(build("ppr", top_k=3, method=method, renormalise="max")(GRAPHS[name]))
    rows = raw.amax(1) > 0
    torch.testing.assert_close(s[rows], raw[rows] / raw[rows].amax(1, keepdim=True))
    assert (s[~rows] == 0).all()


@KINDS
@METHODS
@pytest.mark.parametrize("directed", [False, True])
def test_numbering_does_not_matter(kind: str, method: str, directed: bool) -> None:
    data = random_graph(60, 150, 3, directed=directed)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    turned = Data(edge_index=order[data.edge_index], num_nodes=60, edge_weight=data.edge_weight)
    aug = build(kind, top_k=6, method=method, tolerance=1e-8)
    assert torch.allclose(dense(aug(turned))[order][:, order], dense(aug(data)), atol=1e-7)


# --- large graphs -----------------------------------------------------------------------------------------------------


@KINDS
@NORMALISATIONS
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("shape", ["sparse", "dense", "hub", "weighted", "no loops"])
def test_push_keeps_its_bound(kind: str, normalisation: str, tolerance: float, shape: str) -> None:
    data = {
        "sparse": random_graph(250, 300, 4, weighted=False),
        "dense": random_graph(120, 3000, 5, weighted=False),
        "hub": graph(200, [(0, i) for i in range(1, 200)] + [(i, i + 1) for i in range(1, 150)]),
        "weighted": random_graph(250, 600, 6),
        "no loops": random_graph(250, 600, 7),
    }[shape]
    self_loops = shape != "no loops"
    arguments = {"normalisation": normalisation, "self_loops": self_loops, "directed": True}
    s = dense(build(kind, method="push", tolerance=tolerance, **arguments)(data))
    whole = truth(data, kind, normalisation, self_loops=self_loops)
    _, d = transition(data, normalisation, self_loops)
    w = torch.where(d > 0, d, 1.0) / d[d > 0].mean()
    bound = (w.sqrt() if normalisation == "sym" else w)[:, None]
    missing = (whole - s) / bound
    assert missing.min() > -1e-12
    assert missing.max() <= tolerance + 2e-9
    if tolerance == 1e-2:
        assert missing.max() > 1e-7  # it did leave something out


@NORMALISATIONS
def test_push_in_directed_graphs(normalisation: str) -> None:
    data = random_graph(150, 500, 8, directed=True, weighted=False)
    s = dense(build("ppr", method="push", tolerance=1e-3, normalisation="rw")(data))
    whole = truth(data, "ppr", "rw")
    _, d = transition(data, "rw", True)
    missing = whole - s
    assert missing.min() > -1e-12
    assert (missing <= 1e-3 * (whole @ (d / d.mean()))[:, None] + 2e-9).all()


@KINDS
def test_the_way_is_chosen_by_size(kind: str, monkeypatch: pytest.MonkeyPatch, differences: Compare) -> None:
    small, large = random_graph(20, 40, 1), random_graph(40, 90, 2)
    aug = build(kind, top_k=5, cache_bytes=0)
    forced = [build(kind, top_k=5, method=method, cache_bytes=0) for method in ("exact", "push")]
    monkeypatch.setattr("graphcl.augment._diffuse.EXACT_UP_TO", 30)
    assert differences(aug(small), forced[0](small)) == []
    assert differences(aug(large), forced[1](large)) == []
    assert differences(aug(large), forced[0](large)) != []
    mixed = [large, small, large, small, small]
    assert differences(aug(Batch.from_data_list(mixed)), Batch.from_data_list([aug(data) for data in mixed])) == []


@KINDS
def test_blocks_of_starts_do_not_matter(kind: str, monkeypatch: pytest.MonkeyPatch, differences: Compare) -> None:
    data = random_graph(100, 300, 9)
    aug = build(kind, top_k=7, method="push", tolerance=1e-4, cache_bytes=0)
    expected = aug(data)
    for cells in (1, 300, 1700):
        monkeypatch.setattr("graphcl.augment._push.CELLS", cells)
        assert differences(aug(data), expected) == []


def test_a_hub_keeps_as_many_as_others() -> None:
    # Its entries are all small, and would be missed if every start were followed equally far.
    data = graph(3000, [(0, i) for i in range(1, 3000)])
    view = PPRDiffusion(top_k=16, directed=True, method="push")(data)
    assert int((view.edge_index[1] == 0).sum()) == 16


def test_memory_does_not_grow_with_the_square_of_nodes() -> None:
    n = 10_000
    half = torch.randint(0, n, (2, 3 * n), generator=torch.Generator().manual_seed(0))
    data = Data(edge_index=torch.cat([half, half.flip(0)], 1), num_nodes=n)
    tracemalloc.start()
    view = PPRDiffusion(0.5, top_k=4, tolerance=2e-2, cache_bytes=0)(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert view.num_edges > 3 * n
    assert 2**20 < peak < 60 * 2**20  # one N x N matrix has 763 MiB


# --- a batch is its graphs --------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("threads", [1, 2])
def test_the_bits_do_not_depend_on_the_batch(kind: str, threads: int, differences: Compare) -> None:
    sizes = [5, 8, 9, 40, 64, 65, 130, 40, 8, 17, 39, 200]
    members = [random_graph(n, 3 * n, n) for n in sizes]
    aug = build(kind, top_k=6, cache_bytes=0)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        singles = [aug(data) for data in members]
        for order in (range(12), [3], [7, 3], [11, 0, 3, 5], [3] * 40):
            view = aug(Batch.from_data_list([members[i] for i in order]))
            assert differences(view, Batch.from_data_list([singles[i] for i in order])) == []
    finally:
        torch.set_num_threads(before)


def test_stacks_do_not_matter(monkeypatch: pytest.MonkeyPatch, differences: Compare) -> None:
    batch = Batch.from_data_list([random_graph(n, 2 * n, n) for n in (30, 31, 32, 12, 29)])
    aug = build("heat", top_k=6, cache_bytes=0)
    expected = aug(batch)
    monkeypatch.setattr("graphcl.augment._exact.CELLS", 1100)
    assert differences(aug(batch), expected) == []


@st.composite
def graphs(draw: st.DrawFn) -> Data:
    n = draw(st.integers(1, 9))
    node = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=14))
    weight = draw(
        st.lists(st.floats(0, 5).filter(lambda w: w == 0 or w > 1e-3), min_size=len(pairs), max_size=len(pairs))
    )
    return graph(n, pairs, directed=draw(st.booleans()), weight=weight)


@KINDS
@settings(max_examples=30)
@given(data=graphs(), normalisation=st.sampled_from(["sym", "rw"]), self_loops=st.booleans())
def test_any_graph(kind: str, data: Data, normalisation: str, self_loops: bool) -> None:
    expected = truth(data, kind, normalisation, self_loops=self_loops)
    arguments = {"normalisation": normalisation, "self_loops": self_loops}
    exact = dense(build(kind, method="exact", **arguments)(data))
    push = dense(build(kind, method="push", tolerance=1e-9, **arguments)(data))
    scale = max(1.0, float(expected.max()))
    assert (exact - expected).abs().max() < 2e-9 * scale
    assert (push - expected).abs().max() < 1e-5 * scale


# --- what a view carries ----------------------------------------------------------------------------------------------


def test_what_belongs_to_edges_is_left_out(make: Make) -> None:
    data = make(6, [(0, 1), (1, 2), (2, 3), (3, 4)], graph_id=3)
    data.bonds = ["single"] * 8
    data.atoms = ["C"] * 6
    for source in (data, Batch.from_data_list([data, data], follow_batch=["edge_attr", "edge_index", "x"])):
        view = PPRDiffusion(top_k=2)(source)
        gone = {"edge_attr", "edge_type", "bonds", "edge_attr_batch", "edge_attr_ptr"}
        assert set(source.keys()) - gone == set(view.keys())
        assert view.is_edge_attr("edge_weight") and view.edge_weight.numel() == view.num_edges
        if isinstance(view, Batch):
            assert torch.equal(view.edge_index_batch, view.batch[view.edge_index[0]])
            assert view.edge_index_ptr.tolist() == [0, view.num_edges // 2, view.num_edges]


def test_an_empty_list_of_bonds_goes_from_a_graph_without_any(make: Make, differences: Compare) -> None:
    members = [make(6, [(0, 1), (1, 2), (2, 3), (3, 4)], graph_id=3), make(4, graph_id=5)]
    for data in members:
        data.bonds = ["single"] * data.num_edges
    views = [PPRDiffusion(top_k=2)(data) for data in members]
    assert all("bonds" not in view for view in views)
    assert differences(PPRDiffusion(top_k=2)(Batch.from_data_list(members)), Batch.from_data_list(views)) == []


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many graphs each call has really computed."""
    log: list[int] = []
    diffuse = module.diffuse

    def logged(a: Matrices, *args: Any, **kwargs: Any) -> Matrices:
        log.append(a.sizes.size)
        return diffuse(a, *args, **kwargs)

    monkeypatch.setattr(module, "diffuse", logged)
    return log


@KINDS
def test_nothing_is_computed_twice(kind: str, computed: list[int], differences: Compare) -> None:
    members = [random_graph(n, 2 * n, n) for n in (5, 30, 12, 30, 40, 9)]
    aug, plain = build(kind, top_k=4), build(kind, top_k=4, cache_bytes=0)
    expected = [plain(data) for data in members]
    computed.clear()
    for order in ([0, 1], [1, 2, 0, 2], [5, 4, 3, 2, 1, 0], [3, 0], [1, 1, 1]):
        view = aug(Batch.from_data_list([members[i] for i in order]))
        assert differences(view, Batch.from_data_list([expected[i] for i in order])) == []
    assert computed == [2, 1, 2]  # the two of 30 nodes are the same graph


def test_a_name_of_the_graph_is_no_name_of_its_content(computed: list[int], differences: Compare) -> None:
    aug, plain = PPRDiffusion(top_k=3), PPRDiffusion(top_k=3, cache_bytes=0)
    for seed in range(4):
        data = random_graph(12, 30, seed)
        data.graph_id = torch.tensor([7])
        assert differences(aug(data), plain(data)) == []
    assert len(computed) == 8


@pytest.mark.parametrize("change", ["edge", "direction", "weight", "order", "size", "one less", "split"])
def test_a_changed_graph_is_another_graph(change: str, computed: list[int], differences: Compare) -> None:
    data = random_graph(12, 20, 0)
    aug, plain = PPRDiffusion(top_k=3), PPRDiffusion(top_k=3, cache_bytes=0)
    aug(data)
    other = copy.deepcopy(data)
    if change == "edge":
        other.edge_index[1, 3] = (other.edge_index[1, 3] + 1) % 12
    elif change == "direction":
        other.edge_index[:, 4] = other.edge_index[:, 4].flip(0)
    elif change == "weight":
        other.edge_weight[5] *= 1 + 2**-50
    elif change == "order":
        other.edge_index, other.edge_weight = other.edge_index.flip(1), other.edge_weight.flip(0)
    elif change == "size":
        other.num_nodes = 13
    elif change == "one less":
        other.edge_index, other.edge_weight = other.edge_index[:, :-1], other.edge_weight[:-1]
    else:
        other = Batch.from_data_list([graph(12, [(0, 1)]), graph(12, [(2, 3)])])
    computed.clear()
    assert differences(aug(other), plain(other)) == []
    assert len(computed) == 2


def test_changed_arguments_are_other_arguments(differences: Compare) -> None:
    data = random_graph(12, 20, 0)
    aug = PPRDiffusion(top_k=3)
    aug(data)
    aug.alpha, aug.normalisation = 0.5, "rw"
    assert differences(aug(data), PPRDiffusion(0.5, top_k=3, normalisation="rw")(data)) == []


def test_names_are_distinct_and_do_not_depend_on_the_batch() -> None:
    members = [graph(n, [(i, j)], directed=True) for n in range(2, 12) for i in range(n) for j in range(n)]
    members += [graph(n, []) for n in range(12)]
    a = Matrices.join([Matrices.of(Graph.of(data), data.edge_weight) for data in members])
    name = names(a, 5)
    assert len({tuple(row) for row in name.tolist()}) == len(members)
    assert len(set(name[:, 0].tolist())) == len(set(name[:, 1].tolist())) == len(members)
    some = np.array([7, 3, 3, 150])
    assert np.array_equal(names(a.pick(some), 5), name[some])
    assert not (names(a, 6) == name).any()


def test_the_cache_is_bounded_and_forgets_the_oldest(computed: list[int]) -> None:
    members = [random_graph(30, 60, seed) for seed in range(40)]
    aug = PPRDiffusion(top_k=8, cache_bytes=40_000)
    for data in members:
        aug(members[0])
        aug(data)
        assert aug._cache.nbytes <= 40_000
        assert sum(column.nbytes for column in (aug._cache.row, aug._cache.col, aug._cache.value)) <= 40_000
    computed.clear()
    aug(members[0])
    aug(members[-1])
    assert computed == []
    aug(members[1])
    assert computed == [1]
    tiny = PPRDiffusion(top_k=8, cache_bytes=10)
    assert tiny(members[0]).num_edges > 0
    assert tiny._cache.nbytes == 0


def test_reading_and_writing_many() -> None:
    rng = np.random.default_rng(0)
    cache, kept = Cache(60_000), {}
    for _ in range(60):
        counts = rng.integers(0, 30, 5)
        m = int(counts.sum())
        s = Matrices(rng.integers(30, 40, 5), counts, rng.integers(0, 30, m), rng.integers(0, 30, m), rng.random(m))
        name = rng.integers(-(2**62), 2**62, (5, 2))
        cache.write(name, s)
        kept.update({tuple(row): (s, i) for i, row in enumerate(name.tolist())})
        asked = np.array([list(kept)[i] for i in rng.integers(0, len(kept), 20)])
        at = cache.find(asked)
        read = cache.read(at[at >= 0])
        for i, row in enumerate(asked[at >= 0].tolist()):
            s, j = kept[tuple(row)]
            for got, expected in zip(vars(read.pick(np.array([i]))).values(), vars(s.pick(np.array([j]))).values()):
                assert np.array_equal(got, expected)
        assert (cache.find(name) >= 0).all()
        assert (cache.find(rng.integers(-(2**62), 2**62, (3, 2))) == -1).all()
        assert cache.nbytes <= cache.limit


def test_threads_may_share_a_cache() -> None:
    members = [random_graph(8, 12, seed) for seed in range(40)]
    plain = PPRDiffusion(top_k=3, cache_bytes=0)
    expected = [plain(data) for data in members]
    aug = PPRDiffusion(top_k=3, cache_bytes=4000)  # room for a few only: matrices come, go and move all the time

    def wrong(seed: int) -> int:
        order = np.random.default_rng(seed).integers(0, len(members), 200).tolist()
        views = [(aug(members[i]), expected[i]) for i in order]
        same = (torch.equal(a.edge_index, b.edge_index) and torch.equal(a.edge_weight, b.edge_weight) for a, b in views)
        return sum(not equal for equal in same)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(wrong, range(4))) == [0, 0, 0, 0]
    finally:
        sys.setswitchinterval(interval)


def test_what_another_thread_has_kept_is_not_kept_twice() -> None:
    aug = PPRDiffusion(top_k=3)
    aug(random_graph(8, 12, 0))
    name, size = aug._cache.name.copy(), aug._cache.nbytes
    aug._cache.write(name, aug._cache.recall(name)[1])
    assert aug._cache.nbytes == size


def test_the_cache_stays_at_home(differences: Compare) -> None:
    data = random_graph(12, 20, 0)
    aug = HeatDiffusion(top_k=3)
    expected = aug(data)
    assert aug._cache.nbytes > 0
    for again in (pickle.loads(pickle.dumps(aug)), copy.deepcopy(aug), copy.copy(aug)):
        assert again._cache.nbytes == 0 and vars(again) == vars(aug) and repr(again) == repr(aug)
        assert differences(again(data), expected) == []
    assert "_cache" not in repr(aug) and "_cache" not in vars(aug)


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PPRDiffusion, HeatDiffusion])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either top_k or threshold"),
        ({"top_k": 3, "threshold": 0.1}, "either top_k or threshold"),
        ({"top_k": 0}, "top_k of at least 1"),
        ({"top_k": -2}, "top_k of at least 1"),
        ({"threshold": 0.0}, "threshold to be positive"),
        ({"threshold": -0.1}, "threshold to be positive"),
        ({"threshold": float("nan")}, "threshold to be positive"),
        ({"top_k": 3, "normalisation": "col"}, "'sym' or 'rw', got 'col'"),
        ({"top_k": 3, "renormalise": "sum"}, "renormalise to be a truth value or 'max', got 'sum'"),
        ({"top_k": 3, "method": "fast"}, "'exact' or 'push', got 'fast'"),
        ({"top_k": 3, "tolerance": 0.0}, "tolerance to be positive"),
        ({"top_k": 3, "cache_bytes": -1}, "cache_bytes of at least 0"),
    ],
)
def test_refuses_bad_arguments(kind: type, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


@pytest.mark.parametrize("kind", [PPRDiffusion, HeatDiffusion])
@pytest.mark.parametrize("name", ["top_k", "threshold", "tolerance", "cache_bytes"])
@pytest.mark.parametrize("value", ["3", True, [1]], ids=repr)
def test_refuses_what_is_no_number(kind: type, name: str, value: Any) -> None:
    arguments = {name: value} if name in ("top_k", "threshold") else {"top_k": 3, name: value}
    with pytest.raises(TypeError, match=f"expected {name} as"):
        kind(**arguments)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_alpha_lies_between_0_and_1(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        PPRDiffusion(alpha, top_k=3)


@pytest.mark.parametrize("t", [0.0, -1.0, float("inf"), float("nan")])
def test_t_is_positive(t: float) -> None:
    with pytest.raises(ValueError, match="t to be positive"):
        HeatDiffusion(t, top_k=3)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.ones(3), "one number for each of 4 edges, got \\[3\\]"),
        (torch.ones(4, 2), "got \\[4, 2\\]"),
        (torch.tensor([1.0, 1, -1, 1]), "negative or non-finite"),
        (torch.tensor([1.0, 1, float("nan"), 1]), "negative or non-finite"),
        (torch.tensor([1.0, 1, float("inf"), 1]), "negative or non-finite"),
    ],
)
def test_refuses_weights_that_no_walk_can_follow(weight: Tensor, message: str) -> None:
    data = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, edge_weight=weight)
    with pytest.raises(ValueError, match=message):
        PPRDiffusion(top_k=3)(data)


@pytest.mark.parametrize("t", [700.0, 760.0, 2000.0])
def test_pushing_heat_for_so_long_that_nothing_stays_at_first(t: float) -> None:
    path = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    graph = Data(edge_index=path, num_nodes=4)
    exact, pushed = (HeatDiffusion(t=t, top_k=2, method=way, directed=True).view(graph, 1) for way in ("exact", "push"))
    assert pushed.edge_index.size(1) == exact.edge_index.size(1) == 8
