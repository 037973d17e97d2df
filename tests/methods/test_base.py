"""The base of all methods: keys, steps, abstractness. What every method shares is in test_contract.py."""

import subprocess
import sys

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from graphcl._random import fold, seed_from
from graphcl.augment import EdgeDrop, Identity, NodeDrop, Views
from graphcl.methods import MVGRL, CrossModal, GraphCL, Method
from graphcl.methods.base import check_several, graphs_of
from graphcl.nn import GIN, GraphEncoder


class KeyOnly(Method):
    """Its loss is the key that it was given."""

    def loss_of(self, data, key):
        if data.num_nodes == 0:
            raise ValueError("no nodes")
        return torch.tensor(key)


@pytest.fixture
def method():
    return KeyOnly(GraphEncoder(GIN(2)), seed=7)


DATA = Data(x=torch.ones(2, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))


def test_the_key_is_that_of_seed_and_step(method):
    assert [method(DATA).item() for _ in range(3)] == [fold(7, step) for step in range(3)]


def test_the_key_of_a_generator(method, generator):
    expected = seed_from(torch.Generator().manual_seed(0))
    assert method(DATA, generator=generator).item() == expected
    assert method.step == 0
    assert method.calls == 1


def test_what_is_no_graph_is_refused_with_what_to_do(method):
    with pytest.raises(TypeError, match=r"got HeteroData; .* data.to_homogeneous\(\)"):
        method(HeteroData())
    with pytest.raises(TypeError, match="got tuple; a method makes its views itself"):
        method((Batch.from_data_list([DATA]), Batch.from_data_list([DATA])))
    with pytest.raises(TypeError, match="got list; make one batch of several graphs"):
        method([DATA, DATA])


def test_what_has_an_encoder_in_it_is_refused_with_what_to_do(method):
    with pytest.raises(TypeError, match=r"expected a GraphEncoder, got KeyOnly; give its encoder: \.encoder"):
        GraphCL(method)


def test_a_failed_step_is_not_counted(method):
    with pytest.raises(ValueError, match="no nodes"):
        method(Data(x=torch.ones(0, 2)))
    assert method.step == 0


def shifted(data):
    """As one writes a transform by hand: it is given a graph, and gives the same one back."""
    data.x = data.x + 1
    return data


def test_a_view_by_hand_changes_neither_the_data_nor_the_next_view(batch):
    encoder, before = GraphEncoder(GIN(4, 8, 2)), batch.x.clone()
    first, second = GraphCL(encoder, views=(shifted, Identity())).views_of(batch, 0)
    assert torch.equal(first.x, before + 1)
    assert torch.equal(second.x, before)
    CrossModal(encoder, modality="text", modality_channels=5, view=shifted)(batch)
    MVGRL(encoder, diffusion=shifted, corruption=shifted)(batch)
    assert torch.equal(batch.x, before)


def test_views_of_the_augmentations_are_views_of_a_method(batch):
    parts = NodeDrop(drop=0.3), EdgeDrop(drop=0.3)
    one, other = (GraphCL(GraphEncoder(GIN(4)), views=views) for views in (Views(*parts), parts))
    assert one.views == other.views == parts
    made = Views(*parts).view(batch, 5)
    assert all(torch.equal(a.edge_index, b.edge_index) for a, b in zip(made, one.views_of(batch, 5), strict=True))
    with pytest.raises(ValueError, match="expected two views, got 3"):
        GraphCL(GraphEncoder(GIN(4)), views=Views(*parts, Identity()))


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (NodeDrop(drop=0.3), r"one per view, got NodeDrop\(.*write views=\(one, other\)"),
        ((Identity, Identity()), "got the class Identity; make one of it"),
        ((None, Identity()), "expected a view to be a transform of graphs, got None"),
    ],
)
def test_what_makes_no_views_is_refused(views, words):
    with pytest.raises(TypeError, match=words):
        GraphCL(GraphEncoder(GIN(4)), views=views)


@pytest.mark.parametrize("made", [None, [1, 2]])
def test_a_view_that_is_no_graph_is_refused(batch, made):
    method = GraphCL(GraphEncoder(GIN(4)), views=(lambda data: made, Identity()))
    with pytest.raises(TypeError, match=f"expected a view to be a graph or a batch of them, got {type(made).__name__}"):
        method(batch)


def halved_in_place(data):
    data.x *= 0.5
    return data


@pytest.mark.parametrize("wrap", [tuple, lambda views: Views(*views)])
def test_a_view_that_changes_its_input_in_place_is_refused(batch, wrap):
    method = GraphCL(GraphEncoder(GIN(4)), views=wrap((halved_in_place, Identity())))
    with pytest.raises(
        ValueError, match="expected a view to leave its input alone, got x changed in place by <function"
    ):
        method(batch)
    with torch.inference_mode():
        made_there = batch.clone()
    GraphCL(GraphEncoder(GIN(4)), views=wrap((lambda data: data, Identity())))(made_there)


def test_step_is_saved_and_loaded(method):
    method(DATA)
    other = KeyOnly(GraphEncoder(GIN(2)), seed=7)
    other.load_state_dict(method.state_dict())
    assert other.step == 1
    assert other.step.dtype == torch.int64
    assert other(DATA).item() == fold(7, 1)


def test_casting_the_method_does_not_cast_the_step(method):
    assert method.half().step.dtype == torch.int64


def test_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Method(GraphEncoder(GIN(2)))


def test_after_step_does_nothing_by_default(method):
    assert method.after_step() is None


class Doubled(KeyOnly):
    """Says more than its encoder, and uses a part of its own for that."""

    def __init__(self, encoder):
        super().__init__(encoder)
        self.part = torch.nn.Linear(1, 1)
        self.frozen = torch.nn.Linear(1, 1).eval()

    def represent(self, data):
        self.seen = (self.training, self.part.training, torch.is_grad_enabled())
        found = self.encoder.encode(data)
        return type(found)(2 * found.node, 2 * found.graph)


def test_what_a_method_represents_is_what_it_embeds():
    method = Doubled(GraphEncoder(GIN(2)))
    found = method.embed(DATA)
    assert method.seen == (False, False, False)
    assert method.training and method.part.training and not method.frozen.training
    method.eval()
    torch.testing.assert_close(found.node, 2 * method.encoder.encode(DATA).node)


def test_modes_are_restored_after_an_error():
    method = Doubled(GraphEncoder(GIN(2)))
    with pytest.raises(ValueError, match="expected node features"):
        method.embed(Data(edge_index=DATA.edge_index, num_nodes=2))
    assert method.training and not method.frozen.training


def test_compiling_a_method_changes_nothing_and_leaves_its_network_compiled():
    # In a process of its own: the shape checks that the tests switch on cannot be traced.
    program = """
import copy, torch
from torch_geometric.data import Batch
from torch_geometric.nn import GCN
from graphcl.data import load
from graphcl.methods import GraphCL, MVGRLGraph, SimGRACE
from graphcl.nn import GraphEncoder

batch, traced = Batch.from_data_list(list(load("synthetic-molecules")[:8])), []
def backend(graph, inputs):
    traced.append(graph)
    return graph
for kind in (GraphCL, MVGRLGraph, SimGRACE):
    method = kind(GraphEncoder(GCN(batch.num_features, 8, 2)))
    compiled = torch.compile(copy.deepcopy(method), backend=backend)
    for _ in range(2):
        assert compiled(batch).item() == method(batch).item()
    assert not traced
    inside = copy.deepcopy(method)
    inside.encoder.gnn = torch.compile(inside.encoder.gnn, backend=backend)
    torch.testing.assert_close(torch.compile(inside, backend=backend)(batch), method(batch))
    assert traced
    traced.clear()
    torch._dynamo.reset()  # the next network looks the same
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


def test_several_graphs_are_needed(batch):
    assert check_several(batch) == 8
    assert check_several(Data(x=torch.ones(3, 1), batch=torch.tensor([0, 0, 1]))) == 2
    single = batch[0]
    for data in (single, Batch.from_data_list([single]), Data(x=torch.ones(2, 1), batch=torch.tensor([0, 0]))):
        with pytest.raises(ValueError, match="got 1: .* in a batch of one graph there are none. Use a larger batch"):
            check_several(data)


def test_graphs_of_one_graph_a_batch_and_a_batch_put_together_by_hand(batch):
    by_hand = Data(x=batch.x, edge_index=batch.edge_index, batch=batch.batch)
    none = Data(edge_index=batch.edge_index[:, :0], batch=batch.batch[:0])
    rows, count = graphs_of(batch[0])
    assert (rows.tolist(), count) == ([0] * batch[0].num_nodes, 1)
    for data, expected in ((batch, 8), (by_hand, 8), (none, 0)):
        rows, count = graphs_of(data)
        assert rows is data.batch
        assert count == expected


def test_seeds_of_any_size_are_numbers_of_64_bits():
    for seed in (2**70 + 5, -(2**64) + 5, 5):
        assert GraphCL(GraphEncoder(GIN(3)), seed=seed).seed == 5
    assert GraphCL(GraphEncoder(GIN(3)), seed=-7).seed == -7


def test_data_that_lie_elsewhere_are_said_to():
    method = GraphCL(GraphEncoder(GIN(3)))
    graph = Data(x=torch.ones(3, 3, device="meta"), edge_index=torch.zeros(2, 1, dtype=torch.int64, device="meta"))
    with pytest.raises(
        ValueError, match=r"expected data on cpu, where the method is, got .* on meta; write data\.to\('cpu'\)"
    ):
        method(graph)


def test_methods_that_weigh_edges_see_the_layers_of_a_compiled_network():
    program = """
import copy, torch
from torch_geometric.data import Batch
from graphcl.data import load
from graphcl.methods import ADGCL, MVGRLGraph
from graphcl.nn import GIN, GraphEncoder

batch = Batch.from_data_list(list(load("synthetic-molecules")[:8]))
for kind in (ADGCL, MVGRLGraph):
    torch.manual_seed(0)
    plain = kind(GraphEncoder(GIN(batch.num_features, 8, 2)))
    torch.manual_seed(0)
    compiled = kind(GraphEncoder(torch.compile(GIN(batch.num_features, 8, 2), backend="eager")))
    assert compiled(batch).isfinite() and plain(batch).isfinite()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)
