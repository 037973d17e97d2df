"""Names of pairs: what they are, that views are the same with them, and that a stale one is never believed."""

import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import AddSelfLoops, ToUndirected
from torch_geometric.utils import coalesce

from graphcl.augment import (
    Augmentation,
    EdgeAdd,
    EdgeDrop,
    EdgeMask,
    EdgePerturb,
    EdgeRewire,
    NodeDrop,
    PairIndex,
    RandomChoice,
    _pairs,
)
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs
from graphcl.data import PackedDataset


def random_graph(n: int, m: int, seed: int = 0) -> Data:
    """Undirected, with self-loops and duplicates, in no order."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(n, (2, m), generator=generator)
    edges = torch.cat([edges, edges[:, edges[0] != edges[1]].flip(0)], 1)
    edges = edges[:, torch.randperm(edges.size(1), generator=generator)]
    weight = (torch.maximum(*edges) * n + torch.minimum(*edges)).float()
    return Data(edge_index=edges, edge_attr=weight[:, None], num_nodes=n, graph_id=torch.tensor([seed]))


def without(data: Data) -> Data:
    out = data.clone()
    if "edge_pair" in out:
        del out.edge_pair
    return out


def same(one: Data, other: Data) -> bool:
    return torch.equal(one.edge_index, other.edge_index) and torch.equal(one.edge_attr, other.edge_attr)


USERS: list[Augmentation] = [
    EdgeDrop(drop=0.3),
    EdgeDrop(drop=0.3, count="round"),
    EdgeDrop(drop=0.3, count="round", directed=True),
    EdgeAdd(add=0.3),
    EdgePerturb(drop=0.3, add=0.3),
    EdgeRewire(share=0.3),
    EdgeMask(mask=0.3, fill=-1.0),
    RandomChoice([EdgeDrop(drop=0.5, count="floor"), EdgeRewire(share=0.5), EdgeAdd(add=0.5)]),
]
users = pytest.mark.parametrize("aug", USERS, ids=lambda aug: type(aug).__name__)


def refuse_to_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    sort = _pairs._by_sorting

    def refuse(graph: Graph, *, directed: bool) -> tuple[Tensor, Tensor]:
        assert graph.num_edges == 0, "the edges were sorted, although their pairs have names"
        return sort(graph, directed=directed)

    monkeypatch.setattr(_pairs, "_by_sorting", refuse)


def test_names_number_the_pairs_of_each_graph() -> None:
    one = Data(edge_index=torch.tensor([[2, 0, 1, 1, 3, 2], [1, 1, 2, 0, 3, 1]]), num_nodes=4)
    # In the order of the larger node, then the smaller: (0, 1), (1, 2), (3, 3).
    assert PairIndex()(one).edge_pair.tolist() == [1, 0, 1, 0, 2, 1]
    assert PairIndex()(Batch.from_data_list([one, one])).edge_pair.tolist() == [1, 0, 1, 0, 2, 1] * 2


@users
def test_views_are_the_same_with_names(aug: Augmentation) -> None:
    graphs = [random_graph(30, 50, seed) for seed in range(3)]
    for data in (graphs[0], Batch.from_data_list(graphs)):
        named = PairIndex()(data)
        for key in range(5):
            assert same(aug.view(named, key), aug.view(data, key))
            # Once more, as what was found is kept.
            assert same(aug.view(named, key), aug.view(data, key))


@pytest.mark.parametrize("aug", [USERS[1], *USERS[3:]], ids=lambda aug: type(aug).__name__)
def test_names_spare_the_sorting(aug: Augmentation, monkeypatch: pytest.MonkeyPatch) -> None:
    named = PairIndex()(Batch.from_data_list([random_graph(30, 50, seed) for seed in range(3)]))
    views = [named, named.get_example(1), NodeDrop(drop=0.2).view(named, 1), EdgeDrop(drop=0.4).view(named, 1)]
    refuse_to_sort(monkeypatch)
    for data in views:
        aug.view(data, 0)
    del views[0].edge_pair
    with pytest.raises(AssertionError, match="sorted"):
        aug.view(views[0], 0)


@pytest.mark.parametrize(
    "first",
    [
        EdgeDrop(drop=0.4),
        EdgeDrop(drop=0.4, directed=True),
        EdgeDrop(drop=0.95),
        NodeDrop(drop=0.3),
        NodeDrop(drop=0.3, remove=False),
        NodeDrop(drop=1.0),
    ],
    ids=repr,
)
@users
def test_names_stay_true_when_nodes_and_edges_are_dropped(aug: Augmentation, first: Augmentation) -> None:
    for data in (random_graph(30, 50), Batch.from_data_list([random_graph(30, 50, seed) for seed in range(3)])):
        view = first.view(PairIndex()(data), 3)
        assert int(view.edge_pair.min() if view.num_edges else 0) >= 0
        for key in range(3):
            assert same(aug.view(view, key), aug.view(without(view), key))


def test_a_view_with_new_edges_forgets_the_names_of_their_graphs() -> None:
    bare = Data(edge_index=torch.empty(2, 0).long(), edge_attr=torch.empty(0, 1), num_nodes=3)
    bare.graph_id = torch.tensor([9])
    named = PairIndex()(Batch.from_data_list([random_graph(20, 30), bare, random_graph(20, 30, 1)]))
    choice = RandomChoice([EdgeAdd(add=0.5), EdgeDrop(drop=0.5)])
    told = set()
    for key in range(8):
        view = choice.view(named, key)
        for part, data in zip(view.to_data_list(), named.to_data_list(), strict=True):
            grown = part.num_edges > data.num_edges
            told.add(grown)
            assert (part.edge_pair == -1).all() if grown else (part.edge_pair >= 0).all()
        for aug in USERS:
            assert same(aug.view(view, key), aug.view(without(view), key))
    assert told == {False, True}


def relabelled(data: Data) -> Data:
    order = torch.randperm(data.num_nodes, generator=torch.Generator().manual_seed(1))
    out = data.clone()
    out.edge_index = order[data.edge_index]
    return out


def one_end_moved(data: Data) -> Data:
    out = data.clone()
    out.edge_index[0, 0] = (out.edge_index[0, 0] + 1) % data.num_nodes
    return out


def shuffled_names(data: Data) -> Data:
    out = data.clone()
    out.edge_pair = out.edge_pair.flip(0)
    return out


def two_names_for_a_pair(data: Data) -> Data:
    out = data.clone()
    out.edge_pair[0] = int(out.edge_pair.max()) + 1
    return out


def joined_twice(data: Data) -> Data:
    """The graph beside a copy of itself on the same nodes, whose names begin anew."""
    out = data.clone()
    for name in ("edge_index", "edge_attr", "edge_pair"):
        out[name] = torch.cat([data[name], data[name]], 1 if name == "edge_index" else 0)
    out.edge_pair[data.num_edges :] += int(data.edge_pair.max()) + 1
    return out


def summed_up(data: Data) -> Data:
    names = ("edge_attr", "edge_pair")
    edge_index, values = coalesce(data.edge_index, [data[name].float() for name in names], data.num_nodes, "sum")
    return Data(edge_index=edge_index, edge_attr=values[0], edge_pair=values[1].long(), num_nodes=data.num_nodes)


def garbage(data: Data) -> Data:
    out = data.clone()
    out.edge_pair = out.edge_pair * 1_000_000_000
    return out


def of_another_type(data: Data) -> Data:
    out = data.clone()
    out.edge_pair = out.edge_pair.float()
    return out


STALE: list[Callable[[Data], Data]] = [
    relabelled,
    one_end_moved,
    shuffled_names,
    two_names_for_a_pair,
    joined_twice,
    summed_up,
    garbage,
    of_another_type,
    ToUndirected(reduce="add"),
    AddSelfLoops(attr="edge_attr"),
]


@pytest.mark.parametrize("change", STALE, ids=lambda f: getattr(f, "__name__", type(f).__name__))
def test_names_that_no_longer_hold_are_not_believed(change: Callable[[Data], Data]) -> None:
    data = random_graph(30, 50)
    data.edge_index = torch.cat([data.edge_index, torch.tensor([[3], [29]])], 1)
    data.edge_attr = torch.cat([data.edge_attr, torch.tensor([[5.0]])])
    stale = change(PairIndex()(data))
    for aug in USERS:
        if "edge_pair" in stale and stale.edge_pair.size(0) == stale.num_edges:
            assert same(aug.view(stale, 0), aug.view(without(stale), 0))
    pairs, truth = (Pairs.find(Graph.of(d), directed=False) for d in (stale, without(stale)))
    assert torch.equal(pairs.cell, truth.cell)
    assert torch.equal(pairs.of_edge, truth.of_edge)


def test_what_was_found_is_forgotten_when_edges_are_written_to() -> None:
    named = PairIndex()(random_graph(30, 50))
    aug = EdgeDrop(drop=0.5, count="round")
    aug.view(named, 0)
    assert any(id(named.edge_pair) == place for place in _pairs._known)
    named.edge_index[:, 0] = torch.tensor([29, 3])
    assert same(aug.view(named, 0), aug.view(without(named), 0))
    named.edge_pair[:] = named.edge_pair.flip(0)
    assert same(aug.view(named, 0), aug.view(without(named), 0))


def test_nothing_is_kept_of_graphs_that_are_gone() -> None:
    before = set(_pairs._known)
    named = PairIndex()(random_graph(30, 50))
    EdgeDrop(drop=0.5, count="round").view(named, 0)
    assert set(_pairs._known) - before == {id(named.edge_pair)}
    del named
    gc.collect()
    assert set(_pairs._known) <= before


def test_batches_are_cut_and_joined_with_their_names() -> None:
    graphs = [random_graph(10 + i, 20, i) for i in range(6)]
    named = [PairIndex()(data) for data in graphs]
    packed = PackedDataset(named).batch([4, 1, 5])
    joined = Batch.from_data_list([named[i] for i in (4, 1, 5)])
    fresh = PairIndex()(Batch.from_data_list([graphs[i] for i in (4, 1, 5)]))
    for batch in (packed, joined):
        assert torch.equal(batch.edge_pair, fresh.edge_pair)
        for aug in USERS:
            assert same(aug.view(batch, 0), aug.view(without(batch), 0))
    for part, i in zip(joined.to_data_list(), (4, 1, 5), strict=True):
        assert torch.equal(part.edge_pair, named[i].edge_pair)


def test_numbers_too_large_for_one_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two nodes and an edge no longer fit 63 bits: the slower way finds the same pairs.
    small = random_graph(50, 100)
    large = Graph.of(Data(edge_index=small.edge_index, num_nodes=50))
    truth = Pairs.find(large, directed=False)
    ends = truth.ends
    monkeypatch.setattr(_pairs, "width", lambda graph: 31)
    found = Pairs.find(large, directed=False)
    assert torch.equal(found.of_edge, truth.of_edge)
    assert all(torch.equal(a, b) for a, b in zip(found.ends, ends, strict=True))
