"""Packed batches equal PyG's own collation in every field, on every kind of set."""

import copy

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import Subset
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.datasets import TUDataset
from torch_geometric.loader import DataLoader

from graphcl.data.packed import PackedDataset, PackedLoader, shuffled
from graphcl.errors import DataError

# --- sets ------------------------------------------------------------------------------------------------------------


class InMemory(InMemoryDataset):
    """A set made of a list of graphs, held as PyG holds it."""

    def __init__(self, graphs, transform=None):
        super().__init__(None, transform)
        self._data, self.slices = self.collate(graphs)


def molecule(seed, nodes=None, edges=None, **more):
    generator = torch.Generator().manual_seed(seed)
    nodes = int(torch.randint(1, 9, (), generator=generator)) if nodes is None else nodes
    if edges is None:
        edges = int(torch.randint(0, 15, (), generator=generator)) if nodes else 0
    return Data(
        x=torch.randn(nodes, 3, generator=generator),
        edge_index=torch.randint(0, max(nodes, 1), (2, edges), generator=generator),
        edge_attr=torch.randn(edges, 2, generator=generator),
        y=torch.randint(0, 2, (1,), generator=generator),
        **more,
    )


def molecules(n=12):
    return [molecule(i) for i in range(n)]


class PairGraph(Data):
    """Two graphs in one, as PyG's documentation on batching has it."""

    def __inc__(self, key, value, *args):
        if key in ("edge_index_s", "edge_index_t"):
            return self["x" + key[-2:]].size(0)
        return super().__inc__(key, value, *args)


class BipartiteGraph(Data):
    """Ids of two node sets in one matrix, an attribute to stack, and one that follows along dimension 1."""

    def __cat_dim__(self, key, value, *args):
        if key == "target":
            return None
        return 1 if key == "wide" else super().__cat_dim__(key, value, *args)

    def __inc__(self, key, value, *args):
        if key == "edge_index":
            return torch.tensor([[self.x_s.size(0)], [self.x_t.size(0)]])
        if key == "target":  # stacked: PyG shows the value with its new dimension
            return 0 if value.shape == (1, 4) else 1
        return 7 * int(value.sum()) if key == "keyed" else super().__inc__(key, value, *args)


class OwnCount(Data):
    """Says itself how many nodes it has."""

    @property
    def num_nodes(self):
        return self.atoms.size(0)


class FirstOnly(Data):
    """The dimension along which `wide` follows depends on the graph."""

    def __cat_dim__(self, key, value, *args):
        return 1 if key == "wide" and float(self.x[0, 0]) else super().__cat_dim__(key, value, *args)


class OwnAttributes(Data):
    """Its constructor sets an attribute."""

    def __init__(self, **values):
        super().__init__(**values)
        self.extra = 1


class OwnPrivates(Data):
    """Its constructor sets a private attribute."""

    def __init__(self, **values):
        super().__init__(**values)
        self.__dict__["cache"] = {}


class OddIncrement(Data):
    """Increments that change the data type of what they are added to."""

    def __inc__(self, key, value, *args):
        if key == "at":
            return torch.tensor(self.by) if isinstance(self.by, list) else self.by
        return super().__inc__(key, value, *args)


def pair(seed):
    one, two = molecule(seed), molecule(seed + 100)
    return PairGraph(x_s=one.x, edge_index_s=one.edge_index, x_t=two.x, edge_index_t=two.edge_index, y=one.y)


def bipartite(seed):
    s, t, edges = seed % 4 + 1, seed % 3 + 2, seed % 5
    return BipartiteGraph(
        x_s=torch.randn(s, 2),
        x_t=torch.randn(t, 3),
        edge_index=torch.stack([torch.randint(0, s, (edges,)), torch.randint(0, t, (edges,))]),
        target=torch.randn(4),
        wide=torch.randn(2, s, 3),
        keyed=torch.arange(edges),
        num_nodes=s + t,
    )


def featureless(seed, nodes):
    generator = torch.Generator().manual_seed(seed)
    return Data(edge_index=torch.randint(0, nodes, (2, 2 * seed), generator=generator), num_nodes=nodes, y=seed % 2)


def sets():
    plain = molecules()
    yield "molecules", plain
    yield "float64", [data.update({"x": data.x.double(), "pos": data.x[:, :2].half()}) for data in molecules()]
    yield (
        "no edges, no nodes",
        [molecule(0), molecule(1, edges=0), molecule(2, nodes=0), molecule(3), molecule(4, 1, 0)],
    )
    yield "only empty graphs", [molecule(i, nodes=0) for i in range(3)]
    yield "featureless", [featureless(i, nodes=i + 2) for i in range(6)]
    yield "num_nodes in the middle", [Data(num_nodes=i + 1, edge_index=torch.zeros(2, i).long()) for i in range(4)]
    yield "strings", [molecule(i, smiles="C" * i, tags=["a"] * i, where=("x", i)) for i in range(5)]
    yield "numbers", [molecule(i, weight=i / 2, count=i, active=i > 2, root_index=i % 2) for i in range(5)]
    yield "zero-dimensional", [molecule(i, energy=torch.tensor(i / 3), anchor_index=torch.tensor(0)) for i in range(5)]
    yield "arrays", [molecule(i, fingerprint=np.arange(i)) for i in range(5)]
    yield "features as arrays", [Data(x=np.ones((i + 1, 2)), root_index=torch.tensor([i])) for i in range(5)]
    yield "number named x", [Data(x=i / 2, pos=torch.ones(i + 1, 2), root_index=torch.tensor([i])) for i in range(5)]
    yield "graph level", [molecule(i, emb=torch.randn(2, 3), mask=torch.rand(1, 4) > 0.5) for i in range(5)]
    yield "node ids", [molecule(i, nodes=4, n_id=torch.arange(4), pair_index=torch.tensor([0, 3])) for i in range(5)]
    yield "int32 ids", [molecule(i, nodes=4, near_index=torch.tensor([[0, 3]], dtype=torch.int32)) for i in range(5)]
    yield "face", [molecule(i, nodes=4, face=torch.tensor([[0], [1], [2]])) for i in range(5)]
    yield "batch in a name", [molecule(i, x_batch=torch.arange(i + 1)) for i in range(5)]
    yield "no nodes known", [Data(y=torch.tensor([i]), z=torch.randn(i, 2)) for i in range(4)]
    yield "node in a name", [Data(node_kind=torch.arange(i)) for i in range(4)]
    yield "dense adjacency", [Data(adj=torch.eye(3), y=torch.tensor([i])) for i in range(4)]
    yield "same size by chance", [molecule(i, nodes=4, edges=4) for i in range(4)]
    yield "one node each", [molecule(i, nodes=1, edges=2) for i in range(4)]
    yield "one graph", [molecule(0, name="only")]
    yield "one graph, num_nodes first", [Data(num_nodes=3, edge_index=torch.tensor([[0], [2]]), y=1.5)]
    yield "pairs", [pair(i) for i in range(6)]
    yield "bipartite", [bipartite(i) for i in range(6)]
    yield "own num_nodes", [OwnCount(atoms=torch.ones(i), root_index=torch.zeros(i).long()) for i in range(3)]


def fallbacks():
    yield "lists of tensors", [molecule(i, hops=[torch.ones(i, 1), torch.ones(2)]) for i in range(4)]
    yield "mappings", [molecule(i, extra={"a": torch.ones(i), "b": torch.ones(1)}) for i in range(4)]
    yield "sparse", [Data(x=torch.ones(2, 1), adj=torch.eye(2).to_sparse()) for i in range(4)]
    yield (
        "mixed types",
        [molecule(i).update({"x": torch.ones(2, 3, dtype=torch.float64)}) for i in range(2)] + molecules(2),
    )
    yield "mixed keys", [*molecules(3), molecule(3, extra=1)]
    yield "mixed classes", [molecules(1)[0], PairGraph(**molecules(1)[0].to_dict())]
    yield "mixed numbers", [molecule(0, weight=1), molecule(1, weight=1.5)]
    yield "other dimension", [FirstOnly(x=torch.full((2, 1), i % 2.0), wide=torch.ones(3, 3)) for i in range(3)]
    yield "edge index class", [Data(x=torch.ones(2, 1), edge_index=EdgeIndex([[0], [1]])) for _ in range(3)]
    yield "reserved name", [molecule(i, nodes=2, batch=torch.zeros(2).long()) for i in range(3)]
    yield "reserved name, skipped", [molecule(i, ptr=torch.tensor([i])) for i in range(3)]
    yield "own attributes", [OwnAttributes(x=torch.ones(i, 1)) for i in range(3)]
    yield "own private attributes", [OwnPrivates(x=torch.ones(i, 1)) for i in range(3)]
    yield "boolean ids", [molecule(i, nodes=3, index_mask=torch.tensor([True])) for i in range(3)]
    yield "gradients", [Data(x=torch.ones(2, 1, requires_grad=True)) for _ in range(3)]
    yield "num_nodes as a tensor", [Data(y=i, num_nodes=torch.tensor(i)) for i in range(3)]
    yield "float increments", [OddIncrement(x=torch.ones(2, 1), at=torch.ones(1), by=0.5) for _ in range(3)]
    yield "wide increments", [OddIncrement(x=torch.ones(2, 1), at=torch.ones(2).int(), by=[1]) for _ in range(3)]
    yield "float ids", [molecule(i, nodes=3, soft_index=torch.rand(2)) for i in range(3)]
    yield "batches", [Batch.from_data_list(molecules(2)) for _ in range(2)]
    hetero = HeteroData()
    hetero["a"].x = torch.ones(2, 1)
    yield "heterogeneous", [hetero, copy.copy(hetero)]


SETS, FALLBACKS = dict(sets()), dict(fallbacks())


# --- the comparison --------------------------------------------------------------------------------------------------


def assert_same(got, want, where="batch"):
    """Equal type, data type, device, shape, layout and values, recursively."""
    assert type(got) is type(want), where
    if isinstance(want, Tensor):
        assert (got.dtype, got.device, got.shape, got.layout) == (want.dtype, want.device, want.shape, want.layout), (
            where
        )
        dense = (lambda t: t.to_dense()) if want.layout != torch.strided else (lambda t: t)
        assert torch.equal(dense(got), dense(want)), where
        assert want.layout != torch.strided or got.is_contiguous() == want.is_contiguous(), where
    elif isinstance(want, dict):
        assert list(got) == list(want), where
        for key in want:
            assert_same(got[key], want[key], f"{where}.{key}")
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want), where
        for i, (left, right) in enumerate(zip(got, want, strict=True)):
            assert_same(left, right, f"{where}[{i}]")
    elif isinstance(want, np.ndarray):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype, where
    else:
        assert got == want, where


def assert_same_graph(got, want):
    """The stores with their keys in order, and everything that they and the object keep beside them."""
    assert type(got) is type(want)
    assert got.__dict__.keys() == want.__dict__.keys()
    assert len(got.stores) == len(want.stores)
    for mine, theirs in zip(got.stores, want.stores, strict=True):
        assert mine._parent() is got
        left, right = (
            {k: v for k, v in s.__dict__.items() if k not in ("_parent", "_cached_attr")} for s in (mine, theirs)
        )
        assert left.keys() == right.keys()
        for key in right:
            assert_same(left[key], right[key], key)


def assert_contract(dataset, index, graph_id=False, separates=True):
    packed = PackedDataset(dataset, graph_id=graph_id)
    rows = [int(i) for i in index]
    graphs = [copy.copy(dataset[i]) for i in rows]
    if graph_id:
        for graph, i in zip(graphs, rows, strict=True):
            graph.graph_id = torch.tensor([i % len(dataset)])
    want, got = Batch.from_data_list(graphs), packed.batch(index)
    assert_same_graph(got, want)
    assert got.num_graphs == want.num_graphs == len(rows)
    if not separates:  # PyG cannot take its own batch of these apart
        return packed
    for mine, theirs in zip(got.to_data_list(), want.to_data_list(), strict=True):
        assert_same_graph(mine, theirs)
    assert_same_graph(got.get_example(len(rows) - 1), want.get_example(len(rows) - 1))
    return packed


# --- equal to from_data_list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [list, InMemory])
@pytest.mark.parametrize("graph_id", [False, True])
@pytest.mark.parametrize("name", SETS)
def test_equals_from_data_list(name, held, graph_id):
    dataset = held(SETS[name])
    n = len(dataset)
    for index in (torch.arange(n), torch.tensor([n - 1]), [0], [n - 1, 0, n - 1, -n, -1], range(n // 2, n)):
        packed = assert_contract(dataset, index, graph_id=graph_id)
    assert packed.packed, packed.reason
    assert packed.reason == ""


# What PyG evens out, drops or cannot hold in memory.
NOT_IN_MEMORY = ("mixed types", "mixed keys", "mixed classes", "mixed numbers", "batches", "reserved name, skipped")


@pytest.mark.parametrize(
    ("name", "held"),
    [(name, h) for name in FALLBACKS for h in (list, InMemory) if h is list or name not in NOT_IN_MEMORY],
)
@pytest.mark.parametrize("graph_id", [False, True])
def test_falls_back_to_collation_where_it_must(name, held, graph_id):
    graphs = held(FALLBACKS[name])
    for index in ([0], [1, 0, 1], range(len(graphs))):
        packed = assert_contract(graphs, index, graph_id, separates=name not in ("sparse", "other dimension"))
    assert not packed.packed
    assert packed.reason
    assert packed.num_graphs == len(graphs)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=8),
    keys=st.sets(st.sampled_from(["edge_attr", "y", "pos", "name", "weight", "num_nodes", "far_index"])),
    draw=st.data(),
)
def test_any_set_any_index(sizes, keys, draw):
    graphs = []
    for i, (nodes, edges) in enumerate(sizes):
        edges = edges if nodes else 0
        data = Data(edge_index=torch.randint(0, max(nodes, 1), (2, edges)), x=torch.randn(nodes, 2))
        values = {
            "edge_attr": torch.randn(edges),
            "y": torch.tensor([[i, i + 1]]),
            "pos": torch.randn(nodes, 3).double(),
            "name": str(i),
            "weight": i + 0.5,
            "num_nodes": nodes,
            "far_index": torch.zeros(edges, dtype=torch.long),
        }
        graphs.append(data.update({key: values[key] for key in sorted(keys)}))
    dataset = graphs
    n = len(graphs)
    if draw.draw(st.booleans()):
        dataset = InMemory(graphs)
        rows = draw.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=8))
        dataset = dataset[rows] if draw.draw(st.booleans()) else dataset
        n = len(dataset)
    index = draw.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=10))
    assert assert_contract(dataset, index, graph_id=draw.draw(st.booleans())).packed


def test_node_counts_that_pyg_guesses_from_edges():
    graphs = [Data(edge_index=torch.tensor([[0, i], [i, 0]])) for i in range(3)]
    with pytest.warns(UserWarning, match="Unable to accurately infer 'num_nodes'"):
        assert assert_contract(InMemory(graphs), [2, 0]).packed


def test_tu_style_data_without_slices_for_num_nodes():
    # PyG's TU reader fills the books by hand and puts edge_index first.
    data = Data(edge_index=torch.tensor([[0, 1, 0], [1, 0, 2]]), y=torch.tensor([1, 0]))
    data._num_nodes, data.num_nodes = [2, 4], 6
    dataset = InMemory([molecule(0)])
    dataset._data = data
    dataset.slices = {"edge_index": torch.tensor([0, 2, 3]), "y": torch.arange(3)}
    packed = assert_contract(dataset, [1, 0])
    assert packed.packed
    assert packed.batch([1, 0]).num_nodes == 6


@pytest.mark.parametrize("held", ["pairs", "strings", "featureless"])
def test_subset_of_a_data_set(held):
    dataset = InMemory(SETS[held])[[4, 1, 1, 3]]
    packed = assert_contract(dataset, torch.tensor([3, 0, 0, 2]), graph_id=True)
    assert packed.packed
    assert packed.batch([2]).graph_id.tolist() == [2]
    assert len(packed) == packed.num_graphs == 4


def test_a_batch_vector_of_a_graph_without_nodes():
    """PyG asks it for its largest number, which it has not: only batches with that graph are impossible."""
    graphs = [Data(x=torch.ones(n, 1), sub_batch=torch.arange(n)) for n in (2, 0, 3)]
    packed = PackedDataset(graphs)
    assert "__inc__ of 'sub_batch' fails for a graph" in packed.reason
    assert_contract(graphs, [2, 0])
    with pytest.raises(ValueError, match="expected graphs that PyG can collate"):
        packed.batch([0, 1])


def test_graphs_of_next_to_nothing():
    assert assert_contract([Data(num_nodes=i) for i in range(3)], [2, 0], graph_id=True).packed
    assert assert_contract([Data(num_nodes=i) for i in range(3)], [2, 0]).packed
    assert not assert_contract([Data() for _ in range(3)], [2, 0]).packed


def test_one_graph_many_times():
    dataset = InMemory([molecule(0)])
    dataset._indices = [0, 0, 0]
    assert assert_contract(dataset, [2, 0], graph_id=True).packed


def test_a_transform_that_makes_views_is_refused():
    dataset = InMemory(molecules(), transform=lambda graph: (graph, graph))
    with pytest.raises(TypeError, match=r"expected graphs \(.*\), got tuple at 0; where a transform of the data set"):
        PackedDataset(dataset, graph_id=True).batch([0])


def test_transform_is_applied_to_each_graph():
    def double(data):
        return data.update({"x": 2 * data.x})

    dataset = InMemory(molecules(), transform=double)
    packed = assert_contract(dataset, [3, 1], graph_id=True)
    assert not packed.packed
    assert "transform" in packed.reason
    assert torch.equal(packed.batch([0]).x, 2 * molecule(0).x)


def test_other_containers_are_collated():
    class Lazy(InMemory):
        def get(self, idx):
            return molecule(idx + 50)

    for dataset in (Lazy(molecules(3)), Subset(molecules(5), [4, 0])):
        packed = assert_contract(dataset, [1, 0], graph_id=True)
        assert not packed.packed
    assert PackedDataset(Subset(molecules(5), [4, 0])).y.tolist() == [int(molecules(5)[i].y) for i in (4, 0)]


def test_non_contiguous_values():
    dataset = InMemory(molecules())
    dataset._data.x = dataset._data.x[:, 1:]
    assert assert_contract(dataset, [2, 5, 0]).packed


def test_what_pyg_refuses_is_refused():
    mixed = PackedDataset([Data(x=torch.ones(2, 1), y=y) for y in (torch.tensor([1]), torch.tensor(1))])
    with pytest.raises(ValueError, match="expected graphs that PyG can collate, got IndexError"):
        mixed.batch([0, 1])
    packed = PackedDataset([OddIncrement(x=torch.ones(2, 1), at=3, by=[1]) for _ in range(2)])
    assert not packed.packed
    with pytest.raises(ValueError, match="expected graphs that PyG can collate, got RuntimeError: .*shape"):
        packed.batch([0, 1])


@pytest.mark.parametrize("change", ["an attribute that one lacks", "another width"])
def test_graphs_that_cannot_be_one_batch_are_named(change):
    graphs = molecules(4)
    if change == "another width":
        graphs[2].x = graphs[2].x[:, 1:]
    else:
        del graphs[2].edge_attr
    with pytest.raises(ValueError, match="can collate.*graph 2 differs from graph 0.*the same attributes"):
        PackedDataset(graphs).batch([0, 2])


@pytest.mark.parametrize("dataset", ["MUTAG", {"train": molecules(2)}])
def test_a_name_and_a_mapping_are_no_data_set(dataset):
    with pytest.raises(TypeError, match=r"got Graph at 0; those of networkx become such by .*from_networkx"):
        PackedDataset([nx.path_graph(3)])
    with pytest.raises(TypeError, match=r"expected a data set or a list of graphs, got .*load\(NAME\)"):
        PackedDataset(dataset)


def test_dimensions_that_do_not_fit_are_named():
    class FarDimension(Data):
        def __cat_dim__(self, key, value, *args):
            return 3

    packed = PackedDataset([FarDimension(x=torch.ones(2, 1)) for _ in range(2)])
    assert "but its shape is [2, 1]" in packed.reason
    with pytest.raises(ValueError, match=r"can collate, got IndexError: Dimension out of range .* of 'x' is 3"):
        packed.batch([0])
    stacked = InMemory(SETS["bipartite"])
    stacked.slices["target"] = torch.tensor([0, 2, 3, 4, 5, 6, 6])
    assert "not one value for each graph" in PackedDataset(stacked).reason


def test_boolean_mask():
    packed = PackedDataset(molecules(5), graph_id=True)
    mask = torch.tensor([True, False, False, True, False])
    assert packed.batch(mask).graph_id.tolist() == packed.batch(mask.tolist()).graph_id.tolist() == [0, 3]
    assert packed.batch(np.array([3, 0])).graph_id.tolist() == [3, 0]


# --- a batch is the caller's own -------------------------------------------------------------------------------------


def test_batches_share_nothing_that_one_may_change():
    dataset = InMemory(molecules(4))
    before = [copy.deepcopy(dataset[i]) for i in range(4)]
    packed = PackedDataset(dataset)
    first, untouched = packed.batch([0, 1, 2]), packed.batch([0, 1, 2])
    for value in [*first.to_dict().values(), *first._slice_dict.values(), *first._inc_dict.values()]:
        value += 1
        for other in (first._slice_dict, first._inc_dict):
            other["extra"] = torch.zeros(1)
    first.new = 1
    again = packed.batch([0, 1, 2])
    assert_same_graph(again, untouched)
    for i, graph in enumerate(before):
        assert_same_graph(dataset[i], graph)


def test_books_of_one_batch_are_separate_tensors():
    batch = PackedDataset(molecules(4)).batch([0, 1])
    tensors = [*batch._slice_dict.values(), *batch._inc_dict.values(), *batch.to_dict().values()]
    spans = sorted((t.data_ptr(), t.data_ptr() + t.numel() * t.element_size()) for t in tensors if t.numel())
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:]))


def test_memory_of_the_set_is_shared_on_the_cpu():
    dataset = InMemory(molecules(4))
    packed = PackedDataset(dataset)
    dataset._data.x[0, 0] = 77.0
    assert packed.batch([0]).x[0, 0] == 77.0


def test_building_leaves_the_data_set_alone():
    graphs = molecules(3)
    keys = [graph.keys() for graph in graphs]
    dataset = InMemory([pair(i) for i in range(3)])
    PackedDataset(dataset, graph_id=True)
    PackedDataset(graphs, graph_id=True)
    assert [graph.keys() for graph in graphs] == keys
    assert dataset._data_list is None
    assert "graph_id" not in dataset._data
    assert "graph_id" not in dataset.slices


# --- passes over the set ---------------------------------------------------------------------------------------------


def test_loader_in_order_equals_pyg():
    dataset = InMemory(molecules(10))
    loader = PackedDataset(dataset).loader(4)
    want = list(DataLoader(dataset, batch_size=4))
    assert len(loader) == len(want) == 3
    for _ in range(2):
        for mine, theirs in zip(loader, want, strict=True):
            assert_same_graph(mine, theirs)


def test_loader_shuffles_by_seed_and_epoch_alone():
    packed = PackedDataset(molecules(10), graph_id=True)

    def order(**options):
        return [i for batch in packed.loader(3, shuffle=True, **options) for i in batch.graph_id.tolist()]

    state = torch.get_rng_state()
    first = order(seed=1, epoch=2)
    assert torch.equal(state, torch.get_rng_state())
    assert first == order(seed=1, epoch=2)
    assert sorted(first) == list(range(10))
    orders = {tuple(order(seed=seed, epoch=epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_drop_last_and_own_order():
    packed = PackedDataset(molecules(10), graph_id=True)
    assert [batch.num_graphs for batch in packed.loader(4, drop_last=True)] == [4, 4]
    assert len(packed.loader(5)) == len(packed.loader(5, drop_last=True)) == 2
    loader = packed.batches(2, order=torch.tensor([7, 7, 1]))
    assert isinstance(loader, PackedLoader)
    assert [batch.graph_id.tolist() for batch in loader] == [[7, 7], [1]]
    with pytest.raises(ValueError, match="batch_size of at least 1, got 0"):
        packed.loader(0)
    with pytest.raises(IndexError, match="graph 10 is out of range"):
        packed.batches(2, order=torch.tensor([10]))


def test_shuffled_is_a_permutation_by_generator():
    draws = [shuffled(50, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(draws[0].sort().values, torch.arange(50))


# --- what it tells of itself -----------------------------------------------------------------------------------------


def test_properties():
    graphs = molecules(5)
    packed = PackedDataset(InMemory(graphs))
    assert (len(packed), packed.num_graphs, packed.num_features) == (5, 5, 3)
    assert packed.device == torch.device("cpu")
    assert torch.equal(packed.y, torch.cat([graph.y for graph in graphs]))
    assert torch.equal(PackedDataset(InMemory(graphs)[[3, 0]]).y, torch.cat([graphs[3].y, graphs[0].y]))
    assert repr(packed) == "PackedDataset(5 graphs, device='cpu', packed=True)"
    assert PackedDataset(SETS["featureless"]).num_features == 0
    assert PackedDataset(SETS["featureless"]).y.tolist() == [0, 1, 0, 1, 0, 1]
    for graphs in (SETS["node in a name"], FALLBACKS["sparse"]):
        with pytest.raises(AttributeError, match="no labels"):
            PackedDataset(graphs).y  # noqa: B018


def test_to_another_device():
    packed = PackedDataset(molecules(4), graph_id=True)
    meta = packed.to("meta")
    assert meta.device.type == "meta"
    assert packed.device.type == "cpu"
    assert_same_graph(packed.to("cpu").batch([2, 1]), packed.batch([2, 1]))
    batch, want = meta.batch([2, 1]), packed.batch([2, 1])  # nothing on the way asks the device for a value
    for key, value in want.to_dict().items():
        assert batch[key].device.type == "meta"
        assert batch[key].shape == value.shape
    assert_same(batch._slice_dict, want._slice_dict)
    assert_same(batch._inc_dict, want._inc_dict)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode:UserWarning")
@pytest.mark.parametrize("name", SETS)
def test_on_a_gpu_without_waiting(name):
    packed = PackedDataset(SETS[name], device="cuda", graph_id=True)
    assert packed.device == torch.device("cuda", torch.cuda.current_device())
    want = PackedDataset(SETS[name], graph_id=True).batch([0, -1, 0])
    packed.batch([0])
    try:
        torch.cuda.set_sync_debug_mode("error")  # warns once that it is a prototype
        got = packed.batch([0, -1, 0])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert got.to_dict().keys() == want.to_dict().keys()
    assert all(value.is_cuda for value in got.to_dict().values() if isinstance(value, Tensor))
    assert_same_graph(got.cpu(), want)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([], ValueError, "at least one graph, got an empty index"),
        (torch.zeros(5, dtype=torch.bool), ValueError, "at least one graph"),
        ([0, 5], IndexError, "graph 5 is out of range for a set of 5 graphs"),
        ([-6], IndexError, "graph -6 is out of range for a set of 5 graphs"),
        (torch.ones(4, dtype=torch.bool), IndexError, "mask of 5 entries, one for each graph, got 4"),
        (3, ValueError, r"one dimension, got shape \[\]; write \[i\]"),
        (torch.zeros(2, 2, dtype=torch.long), ValueError, r"one dimension, got shape \[2, 2\]"),
        ([0.5], TypeError, "integers or booleans as index, got torch.float32"),
    ],
)
@pytest.mark.parametrize("packs", [True, False])
def test_refuses_a_wrong_index(index, error, message, packs):
    dataset = InMemory(molecules(5), transform=None if packs else copy.copy)
    with pytest.raises(error, match=message):
        PackedDataset(dataset).batch(index)


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        ([], ValueError, "got an empty data set"),
        (InMemory(molecules(3))[:0], ValueError, "got an empty data set"),
        (molecule(0), TypeError, r"got Data; write \[graph\]"),
        (iter(molecules(2)), TypeError, "got list_iterator"),
        ([molecule(0), torch.ones(2)], TypeError, "got Tensor at 1"),
    ],
)
def test_refuses_what_is_not_a_set_of_graphs(dataset, error, message):
    with pytest.raises(error, match=message):
        PackedDataset(dataset)


@pytest.mark.parametrize("held", [list, InMemory])
def test_refuses_a_second_graph_id(held):
    graphs = [molecule(i, graph_id=torch.tensor([i])) for i in range(3)]
    assert assert_contract(held(graphs), [1]).packed
    with pytest.raises(ValueError, match=r"without 'graph_id', .* keep it: PackedDataset\(graphs\)"):
        PackedDataset(held(graphs), graph_id=True)


def test_refuses_slices_that_do_not_fit():
    dataset = InMemory(molecules(5))
    dataset.slices["y"] = dataset.slices["y"][:-1]
    with pytest.raises(DataError, match="'y' of at least 5 graphs, got 4"):
        PackedDataset(dataset)
    for change in (1, -1):
        dataset = InMemory(molecules(5))
        dataset.slices["x"] = dataset.slices["x"] + change
        with pytest.raises(DataError, match="slices within 'x'"):
            PackedDataset(dataset)
    dataset = InMemory(SETS["featureless"])
    dataset._data._num_nodes = dataset._data._num_nodes[:-1]
    with pytest.raises(DataError, match="'num_nodes' of at least 6 graphs, got 5"):
        PackedDataset(dataset)


# --- real data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MUTAG", "PROTEINS", "IMDB-BINARY"])
def test_real_sets(name, graphcl_home, generator):
    if not (graphcl_home / "TU" / name / "raw").is_dir():
        pytest.skip(f"needs TU/{name}/raw in $GRAPHCL_HOME")
    dataset = TUDataset(str(graphcl_home / "TU"), name)
    for rows in (
        shuffled(len(dataset), generator=generator),
        torch.randint(0, len(dataset), (64,), generator=generator),
    ):
        packed = assert_contract(dataset, rows)
        assert assert_contract(dataset[rows], shuffled(len(rows), generator=generator)[:32], graph_id=True).packed
    assert packed.packed
    assert torch.equal(packed.y, dataset._data.y)
