"""What every method that contrasts nodes must do: one list of them, one suite; test_contract_all.py has the rest."""

import copy
import io

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN

from graphcl import methods
from graphcl.augment import PPRDiffusion
from graphcl.methods import edge_and_feature_drop
from graphcl.nn import GIN, Embeddings, GraphEncoder

# Each with what it needs besides an encoder.
METHODS = {
    "BGRL": {},
    "CCASSG": {},
    "COSTA": {},
    "DGI": {},
    "GAE": {},
    "GBT": {"views": [edge_and_feature_drop(0.2, 0.1)] * 2},
    "GCA": {},
    "GGD": {},
    "GRACE": {},
    "GraphMAE": {},
    "MVGRL": {"diffusion": PPRDiffusion(alpha=0.2, top_k=8)},
    "NodeSupCon": {},
    "SGRL": {},
}
# Whose embeddings are more than the encoder's output.
SAYS_MORE = {"MVGRL", "SGRL"}
NETWORKS = {"GIN": lambda: GIN(6, 8, 2), "GCN": lambda: GCN(6, 8, 2)}


def graph(num_nodes=24, seed=0):
    """Two communities; features that hint at them; labels."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(num_nodes) % 2
    source = torch.arange(num_nodes).repeat_interleave(3)
    target = (source + 2 * torch.randint(1, num_nodes // 2, source.shape, generator=generator)) % num_nodes
    edges = torch.stack([source, target])
    edges = torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    x = torch.randn(num_nodes, 6, generator=generator) + 2 * y[:, None]
    return Data(x=x, edge_index=edges[:, edges[0] != edges[1]], y=y, train_mask=torch.arange(num_nodes) % 4 < 3)


@pytest.fixture
def data():
    return graph()


def build(name, network="GIN", seed=0, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(methods, name)(GraphEncoder(NETWORKS[network]()), seed=seed, **{**METHODS[name], **arguments})


def optimizer_of(method, lr=0.01):
    return torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=lr)


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


class TestLoss:
    @pytest.mark.parametrize("network", NETWORKS)
    def test_is_a_finite_scalar_with_a_gradient_for_every_trained_parameter(self, name, network, data):
        method = build(name, network)
        loss = method(data)
        assert loss.shape == () and loss.isfinite()
        loss.backward()
        assert all(p.grad is not None for p in method.encoder.parameters())
        assert any(p.grad.abs().sum() > 0 for p in method.encoder.parameters())
        trained = [p for p in method.parameters() if p.requires_grad]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)

    def test_a_hand_written_loop_lowers_it(self, name, data, take_step):
        """On the same views before and after, as one step's views are another's luck."""

        def loss_on_fixed_views():
            with torch.no_grad():
                found = [method(data, generator=torch.Generator().manual_seed(seed)).item() for seed in range(16)]
            return sum(found) / len(found)

        method = build(name)
        optimizer = optimizer_of(method)
        before = loss_on_fixed_views()
        for _ in range(60):
            take_step(method, data, optimizer)
        assert loss_on_fixed_views() < before

    def test_isolated_nodes_self_loops_and_duplicate_edges(self, name, data):
        loops = torch.tensor([[0, 1, 1, 2], [0, 1, 2, 1]])
        data.edge_index = torch.cat([data.edge_index[:, :20], loops, loops], 1)
        data.edge_index = data.edge_index[:, (data.edge_index < 20).all(0)]  # the last nodes have no edge
        method = build(name)
        loss = method(data)
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())

    def test_batches_of_graphs(self, name):
        batch = Batch.from_data_list([graph(12, seed=1), graph(16, seed=2), graph(10, seed=3)])
        method = build(name)
        loss = method(batch)
        loss.backward()
        assert loss.isfinite()

    def test_bf16_autocast(self, name, data):
        method = build(name, "GCN")
        with torch.autocast("cpu", torch.bfloat16):
            loss = method(data)
        loss.backward()
        assert loss.isfinite() and loss.dtype == torch.float32

    def test_double_precision(self, name, data):
        data.x = data.x.double()
        method = build(name).double()
        loss = method(data)
        loss.backward()
        assert loss.dtype == torch.float64 and loss.isfinite()

    def test_no_features(self, name, data):
        del data.x
        data.num_nodes = 24
        with pytest.raises(ValueError, match="expected node features"):
            build(name)(data)


class TestRandomness:
    def test_same_seed_and_step_same_loss(self, name, data):
        first, second = build(name), build(name)
        assert first(data).item() == second(data).item()

    def test_a_generator_takes_the_place_of_seed_and_step(self, name, data):
        first, second = build(name), build(name, seed=5)
        draw = lambda method, seed: method(data, generator=torch.Generator().manual_seed(seed)).item()  # noqa: E731
        one = draw(first, 3)
        assert first.step == 0
        assert draw(second, 3) == one

    def test_resuming_goes_on_where_it_stopped(self, name, data, take_step):
        whole = build(name)
        optimizer = optimizer_of(whole)
        for _ in range(2):
            take_step(whole, data, optimizer)
        file = io.BytesIO()
        torch.save([whole.state_dict(), optimizer.state_dict()], file)
        resumed = build(name)
        again = optimizer_of(resumed)
        model, state = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
        resumed.load_state_dict(model)
        again.load_state_dict(state)
        for _ in range(3):
            assert take_step(whole, data, optimizer) == take_step(resumed, data, again)
        torch.testing.assert_close(whole.state_dict(), resumed.state_dict(), rtol=0, atol=0)


class TestEmbed:
    @pytest.mark.parametrize("name", sorted(set(METHODS) - SAYS_MORE))
    def test_equals_the_encoder_in_evaluation_on_the_clean_graph(self, name, data):
        method = build(name)
        method(data)
        wanted = copy.deepcopy(method.encoder).eval()(data.x, data.edge_index)
        found = method.embed(data)
        assert isinstance(found, Embeddings)
        torch.testing.assert_close(found, wanted)

    def test_does_not_collapse(self, name, take_step):
        data = graph(200, seed=4)
        method = build(name)
        optimizer = optimizer_of(method, lr=5e-3)
        for _ in range(40):
            take_step(method, data, optimizer)
        z = method.embed(data).node.double()
        spectrum = torch.linalg.svdvals(z - z.mean(0))
        share = spectrum / spectrum.sum()
        rank = torch.exp(-(share * share.clamp(min=1e-12).log()).sum())
        assert rank > 2.0


def test_every_node_level_method_is_in_the_list():
    found = {name for name in methods.__all__ if getattr(getattr(methods, name), "level", None) == "node"}
    assert found - {"NodeMethod", "NodeViewMethod"} == set(METHODS)


@pytest.mark.parametrize("name", ["BGRL", "SGRL"])
def test_a_target_moves_after_training_alone(name, data):
    method = build(name)
    method.after_step()
    method.eval()
    method(data)
    method.after_step()
    assert int(method.target.step) == 0
    method.train()
    method(data)
    method.after_step()
    method.after_step()
    assert int(method.target.step) == 1
