"""What every method must do, whether it contrasts graphs or nodes: one list of all of them, one suite over the list."""

import copy
import inspect

import pytest
import torch
from torch import nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import Sequential

from graphcl import methods
from graphcl.augment import Identity, PPRDiffusion
from graphcl.methods import Method
from graphcl.nn import GIN, GraphEncoder

# Each with what it needs besides an encoder.
METHODS = {
    "ADGCL": {},
    "BGRL": {},
    "CCASSG": {},
    "COSTA": {},
    "CrossModal": {"modality": "text", "modality_channels": 5},
    "DGI": {},
    "GAE": {},
    "GBT": {},
    "GCA": {},
    "GGD": {},
    "GRACE": {},
    "GraphBYOL": {},
    "GraphBarlowTwins": {},
    "GraphCL": {},
    "GraphMAE": {"in_channels": 4},
    "GraphMAEGraph": {"in_channels": 4},
    "GraphMoCo": {},
    "GraphSimCSE": {},
    "GraphSupCon": {},
    "GraphSwAV": {},
    "GraphVICReg": {},
    "InfoGraph": {},
    "JOAO": {},
    "JOAOv2": {},
    "MVGRL": {"diffusion": PPRDiffusion(alpha=0.2, top_k=8)},
    "MVGRLGraph": {},
    "NodeAndGraph": {},
    "NodeSupCon": {},
    "PCL": {},
    "RGCL": {},
    "SGRL": {},
    "SimGRACE": {},
    "SubtreeContrast": {},
}
NEEDS_NO_WIDTH = {"CCASSG", "GAE", "SubtreeContrast"}  # there is no part that has to be as wide as the embeddings
SCORES_PROTOTYPES = {"GraphSwAV"}  # so that its loss sees as many columns as there are of them
SECOND_NETWORK = {"ADGCL": "scorer", "MVGRL": "second", "MVGRLGraph": "second", "RGCL": "rationale"}


def build(name, encoder=None, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = GraphEncoder(GIN(4, 8, 2)) if encoder is None else encoder
        return getattr(methods, name)(encoder, **{**METHODS[name], **arguments})


def with_argument(argument):
    return [name for name in METHODS if argument in inspect.signature(getattr(methods, name)).parameters]


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture
def given(name, data, batch):
    """What the method trains on: a batch of graphs, or one graph with labels of its nodes."""
    if getattr(methods, name).level == "graph":
        return batch
    data.y, data.train_mask = torch.arange(12) % 2, torch.arange(12) < 9
    return data


def test_every_method_is_in_the_list():
    kinds = [kind for kind in vars(methods).values() if isinstance(kind, type) and issubclass(kind, Method)]
    assert {kind.__name__ for kind in kinds if not inspect.isabstract(kind)} - {"NodeMethod"} == set(METHODS)


class TestCalls:
    def test_input_is_left_alone(self, name, given):
        before = given.clone()
        build(name)(given).backward()
        assert given.keys() == before.keys()
        for key in given.keys():
            assert torch.equal(given[key], before[key])

    def test_step_counts_in_training_only(self, name, given):
        method = build(name)
        assert method.state_dict()["step"] == 0
        for _ in range(3):
            method(given)
        assert method.state_dict()["step"] == 3
        method.eval()(given)
        assert method.step == 3

    def test_does_not_touch_torchs_own_generator(self, name, given):
        method = build(name)
        before = torch.get_rng_state()
        method(given).backward()
        method.embed(given)
        assert torch.equal(torch.get_rng_state(), before)

    def test_what_is_not_a_graph_is_refused(self, name, given):
        for wrong in ([given], HeteroData(), None):
            for call in (build(name), build(name).embed):
                with pytest.raises(
                    TypeError, match="expected a torch_geometric Data or Batch, got .*(from_data_list|homogen)"
                ):
                    call(wrong)

    def test_features_of_another_width_are_refused(self, name, given):
        given.x = torch.cat([given.x, given.x], 1)
        with pytest.raises(ValueError, match=r"expected x of shape \[N, 4\], got"):
            build(name)(given)


class TestEmbed:
    def test_twice_the_same_and_without_a_trace(self, name, given):
        method = build(name)
        before = copy.deepcopy(method.state_dict())
        first, second = method.embed(given), method.embed(given)
        assert torch.equal(first.graph, second.graph)
        assert torch.equal(first.node, second.node)
        assert not first.graph.requires_grad
        assert not first.node.requires_grad
        torch.testing.assert_close(method.state_dict(), before, rtol=0, atol=0)

    @pytest.mark.parametrize("training", [True, False])
    def test_modes_are_restored(self, name, given, training):
        method = build(name).train(training)
        frozen = method.encoder.gnn.norms[0].eval()
        method.embed(given)
        assert method.training == method.encoder.training == training
        assert not frozen.training
        assert method.encoder.gnn.norms[1].training == training


class TestConstruction:
    def test_is_a_method_with_the_encoder_it_was_given(self, name):
        encoder = GraphEncoder(GIN(4, 8, 2))
        method = build(name, encoder)
        assert isinstance(method, Method)
        assert method.encoder is encoder

    def test_a_bare_network_is_refused(self, name):
        with pytest.raises(
            TypeError, match=r"expected a GraphEncoder, got GIN; wrap the network: GraphEncoder\(network\)"
        ):
            build(name, GIN(4))

    def test_a_network_without_a_width_is_refused(self, name):
        encoder = GraphEncoder(Sequential("x, edge_index", [(nn.Identity(), "x -> x")]))
        if name in NEEDS_NO_WIDTH:
            assert build(name, encoder).encoder is encoder
            return
        with pytest.raises(ValueError, match="expected Sequential to have an integer out_channels"):
            build(name, encoder)

    @pytest.mark.parametrize("name", with_argument("loss"))
    def test_loss_and_head_can_be_replaced(self, name, given, spy):
        parts = {"head": nn.Linear(16, 3)} if name in with_argument("head") else {}
        method = build(name, loss=spy, **parts)
        method(given).backward()
        assert method.loss is spy
        for part in parts:
            assert method.head is parts[part]
            assert spy.given[0].size(1) == 3 or name in SCORES_PROTOTYPES

    @pytest.mark.parametrize("name", with_argument("views"))
    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_other_numbers_of_views_are_refused(self, name, count):
        with pytest.raises(ValueError, match=f"expected two views, got {count}"):
            build(name, views=[Identity()] * count)

    @pytest.mark.parametrize("name", SECOND_NETWORK)
    def test_a_network_that_cannot_be_drawn_anew_is_not_copied(self, name):
        class Fixed(nn.Module):
            out_channels = 4

            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(4))

            def forward(self, x, edge_index, edge_weight=None):
                return self.scale * x if edge_weight is None else self.scale * x * edge_weight.mean()

        with pytest.raises(
            ValueError, match=f"to have reset_parameters, got Fixed at .*, which has none; give {SECOND_NETWORK[name]}="
        ):
            build(name, GraphEncoder(Fixed()))

    def test_repr(self, name):
        assert repr(build(name)).startswith(f"{name}(")
