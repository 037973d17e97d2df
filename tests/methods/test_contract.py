"""What every method must do: one list of all of them, one suite over the list."""

import copy
import io

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN

from graphcl.methods import GraphCL, Method
from graphcl.nn import GIN, Embeddings, GraphEncoder

METHODS = {
    "GraphCL": lambda encoder, **arguments: GraphCL(encoder, **arguments),
}


class Own(nn.Module):
    """A user's network: nothing of PyG's or ours in it."""

    out_channels = 6

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, x, edge_index):
        return torch.tanh(self.linear(x.index_add(0, edge_index[1], x[edge_index[0]])))


NETWORKS = {
    "GIN": lambda: GIN(4, 8, 2),
    "GCN": lambda: GCN(4, 8, 2, jk="cat"),
    "own": Own,
}


def graph(num_nodes, generator):
    x = torch.randn(num_nodes, 4, generator=generator)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1))


@pytest.fixture
def batch(generator):
    return Batch.from_data_list([graph(n, generator) for n in range(6, 14)])


def build(name, network="GIN", seed=0, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return METHODS[name](GraphEncoder(NETWORKS[network]()), seed=seed, **arguments)


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


class TestLoss:
    @pytest.mark.parametrize("network", NETWORKS)
    def test_is_a_finite_scalar_with_a_gradient_for_every_parameter(self, name, network, batch):
        method = build(name, network)
        loss = method(batch)
        assert loss.shape == ()
        assert loss.isfinite()
        loss.backward()
        silent = [key for key, p in method.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert silent == []

    def test_a_hand_written_loop_lowers_it(self, name, batch):
        method = build(name)
        optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
        losses = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = method(batch)
            loss.backward()
            optimizer.step()
            method.after_step()
            losses.append(loss.item())
        assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 0.1

    def test_input_is_left_alone(self, name, batch):
        before = batch.clone()
        build(name)(batch).backward()
        assert batch.keys() == before.keys()
        for key in batch.keys():
            assert torch.equal(batch[key], before[key])

    def test_an_empty_graph_and_one_without_edges(self, name, generator):
        bare = Data(x=torch.randn(5, 4, generator=generator), edge_index=torch.zeros(2, 0, dtype=torch.int64))
        empty = Data(x=torch.zeros(0, 4), edge_index=torch.zeros(2, 0, dtype=torch.int64))
        method = build(name)
        loss = method(Batch.from_data_list([graph(9, generator), bare, empty, graph(7, generator)]))
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad.isfinite().all() and p.grad.abs().max() < 1e3 for p in method.parameters())

    def test_a_batch_of_one_graph_explains_itself(self, name, generator):
        single = graph(9, generator)
        for data in (single, Batch.from_data_list([single])):
            method = build(name)
            with pytest.raises(ValueError, match="in a batch of one graph there are none. Use a larger batch"):
                method(data)
            assert method.step == 0  # a refused step does not count


class TestRandomness:
    def test_step_counts_in_training_only(self, name, batch):
        method = build(name)
        assert method.state_dict()["step"] == 0
        for _ in range(3):
            method(batch)
        assert method.state_dict()["step"] == 3
        method.eval()(batch)
        assert method.step == 3

    def test_same_seed_and_step_same_loss(self, name, batch):
        first, second, other = build(name), build(name), build(name, seed=1)
        losses = [method(batch).item() for method in (first, second, other)]
        assert losses[0] == losses[1] != losses[2]

    def test_every_step_has_views_of_its_own(self, name, batch):
        method = build(name)
        assert len({method(batch).item() for _ in range(4)}) == 4  # the weights stood still

    def test_evaluation_repeats_itself(self, name, batch):
        method = build(name).eval()
        assert method(batch).item() == method(batch).item()

    def test_does_not_touch_torchs_own_generator(self, name, batch):
        method = build(name)
        before = torch.get_rng_state()
        method(batch).backward()
        method.embed(batch)
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_generator_takes_the_place_of_seed_and_step(self, name, batch):
        first, second = build(name), build(name, seed=5)
        draw = lambda method, seed: method(batch, generator=torch.Generator().manual_seed(seed)).item()  # noqa: E731
        one = draw(first, 3)
        assert first.step == 0
        assert draw(second, 3) == one == draw(first, 3)
        assert draw(first, 4) != one
        assert first(batch).item() == build(name)(batch).item()  # as if the generator had never been there

    def test_resuming_goes_on_where_it_stopped(self, name, batch):
        whole = build(name)
        optimizer = torch.optim.SGD(whole.parameters(), lr=0.1)

        def step(method, optimizer):
            optimizer.zero_grad()
            loss = method(batch)
            loss.backward()
            optimizer.step()
            method.after_step()
            return loss.item()

        for _ in range(2):
            step(whole, optimizer)
        file = io.BytesIO()
        torch.save(whole.state_dict(), file)
        resumed = build(name)
        resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
        again = torch.optim.SGD(resumed.parameters(), lr=0.1)
        assert [step(whole, optimizer) for _ in range(3)] == [step(resumed, again) for _ in range(3)]
        torch.testing.assert_close(whole.state_dict(), resumed.state_dict(), rtol=0, atol=0)


class TestEmbed:
    def test_equals_the_encoder_in_evaluation_on_the_clean_graph(self, name, batch):
        method = build(name)
        method(batch)
        wanted = copy.deepcopy(method.encoder).eval()(batch.x, batch.edge_index, batch.batch)
        found = method.embed(batch)
        assert isinstance(found, Embeddings)
        torch.testing.assert_close(found, wanted)

    def test_twice_the_same_and_without_a_trace(self, name, batch):
        method = build(name)
        before = copy.deepcopy(method.state_dict())
        first, second = method.embed(batch), method.embed(batch)
        assert torch.equal(first.graph, second.graph)
        assert torch.equal(first.node, second.node)
        assert not first.graph.requires_grad
        assert not first.node.requires_grad
        torch.testing.assert_close(method.state_dict(), before, rtol=0, atol=0)

    @pytest.mark.parametrize("training", [True, False])
    def test_modes_are_restored(self, name, batch, training):
        method = build(name).train(training)
        frozen = method.encoder.gnn.norms[0].eval()
        method.embed(batch)
        assert method.training == method.encoder.training == training
        assert not frozen.training
        assert method.encoder.gnn.norms[1].training == training

    def test_modes_are_restored_after_an_error(self, name):
        method = build(name)
        with pytest.raises(ValueError, match="expected node features x"):
            method.embed(Data(edge_index=torch.zeros(2, 0, dtype=torch.int64), num_nodes=3))
        assert method.encoder.training

    def test_a_single_graph(self, name, batch, generator):
        method, single = build(name), graph(5, generator)
        out = method.embed(single)
        assert out.node.shape == (5, 16)
        torch.testing.assert_close(out.graph, method.embed(Batch.from_data_list([single])).graph)


class TestConstruction:
    def test_is_a_method_with_the_encoder_it_was_given(self, name):
        encoder = GraphEncoder(GIN(4, 8, 2))
        method = METHODS[name](encoder)
        assert isinstance(method, Method)
        assert method.encoder is encoder

    def test_a_bare_network_is_refused(self, name):
        with pytest.raises(
            TypeError, match=r"expected a GraphEncoder, got GIN; wrap the network: GraphEncoder\(network\)"
        ):
            METHODS[name](GIN(4))

    def test_a_network_without_a_width_is_refused(self, name):
        with pytest.raises(ValueError, match="expected Identity to have an integer out_channels"):
            METHODS[name](GraphEncoder(nn.Identity()))

    def test_repr(self, name):
        assert repr(build(name)).startswith(f"{name}(")
