"""What every method on graphs must do: one list of them, one suite over the list; test_contract_all.py has the rest."""

import copy
import io

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN

from graphcl import methods
from graphcl.nn import GIN, ConcatReadout, Embeddings, GraphEncoder, max_readout, sum_readout

# Each with the arguments that it needs, or that make things happen within a few steps on a small batch.
ARGUMENTS = {
    "ADGCL": {},
    "CrossModal": {"modality": "text", "modality_channels": 5},
    "GraphBYOL": {},
    "GraphBarlowTwins": {},
    "GraphCL": {},
    "GraphMAEGraph": {"in_channels": 4},
    "GraphMoCo": {"queue_size": 20},
    "GraphSimCSE": {},
    "GraphSupCon": {},
    "GraphSwAV": {"num_prototypes": 4},
    "GraphVICReg": {},
    "InfoGraph": {},
    "JOAO": {"update_every": 2},
    "JOAOv2": {"update_every": 2},
    "MVGRLGraph": {},
    "NodeAndGraph": {},
    "PCL": {"queue_size": 16, "num_clusters": (2, 3), "cluster_every": 2},
    "RGCL": {},
    "SimGRACE": {},
    "SubtreeContrast": {"num_nodes": 40},
}
METHODS = {
    name: lambda encoder, name=name, **arguments: getattr(methods, name)(encoder, **{**ARGUMENTS[name], **arguments})
    for name in ARGUMENTS
}
# What holds for most methods by their nature, and for these does not.
DRAWS_NOTHING = {"InfoGraph", "MVGRLGraph", "CrossModal"}
NEEDS_NO_OTHER_GRAPH = {"GraphMoCo", "GraphMAEGraph", "PCL", "SubtreeContrast"}
NEEDS_EDGE_WEIGHTS = {"ADGCL", "MVGRLGraph"}
TAKES_TURNS = {"JOAOv2"}  # of its heads, a step uses two at most
TWO_ENCODERS = {"MVGRLGraph"}
CHOOSES_THE_HARDEST = {"JOAO", "JOAOv2"}  # so that the losses of its steps may rise, while those of all pairs fall


def only_if_random(name):
    if name in DRAWS_NOTHING:
        pytest.skip(f"{name} draws nothing")


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
    text, label = torch.randn(1, 5, generator=generator), torch.tensor([num_nodes % 2])
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), text=text, y=label)


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
        if network == "own" and name in NEEDS_EDGE_WEIGHTS:
            with pytest.raises(ValueError, match="expected a network whose forward takes edge_weight, got Own"):
                build(name, network)
            return
        method = build(name, network)
        loss = method(batch)
        assert loss.shape == ()
        assert loss.isfinite()
        loss.backward()
        trained = {key: p.grad for key, p in method.named_parameters() if p.requires_grad}
        silent = [key for key, grad in trained.items() if grad is None or not grad.abs().sum() > 0]
        if name in TAKES_TURNS:
            silent = [key for key in silent if not key.startswith("heads.")]
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
            if name in CHOOSES_THE_HARDEST and 2 < len(losses) < 37:
                loss = torch.zeros(())
            elif name in CHOOSES_THE_HARDEST:
                loss = method.losses_of_pairs(batch, 0).mean()
            losses.append(loss.item())
        if name in CHOOSES_THE_HARDEST:
            assert max(losses[-3:]) < min(losses[:3]) - 0.1
            return
        assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 0.1

    def test_an_empty_graph_and_one_without_edges(self, name, generator):
        none, other = torch.zeros(2, 0, dtype=torch.int64), {"text": torch.ones(1, 5), "y": torch.tensor([1])}
        bare = Data(x=torch.randn(5, 4, generator=generator), edge_index=none, **other)
        empty = Data(x=torch.zeros(0, 4), edge_index=none, **other)
        method = build(name)
        loss = method(Batch.from_data_list([graph(9, generator), bare, empty, graph(7, generator)]))
        loss.backward()
        assert loss.isfinite()
        grads = [p.grad for p in method.parameters() if p.grad is not None]
        assert grads
        assert all(grad.isfinite().all() and grad.abs().max() < 1e3 for grad in grads)

    def test_a_batch_of_one_graph_explains_itself(self, name, generator):
        single = graph(9, generator)
        for data in (single, Batch.from_data_list([single])):
            method = build(name)
            if name in NEEDS_NO_OTHER_GRAPH:
                assert method(data).isfinite()
                continue
            with pytest.raises(ValueError, match="Use a larger batch"):
                method(data)
            assert method.step == 0  # a refused step does not count


class TestRandomness:
    def test_same_seed_and_step_same_loss(self, name, batch):
        only_if_random(name)
        first, second, other = build(name), build(name), build(name, seed=1)
        losses = [method(batch).item() for method in (first, second, other)]
        assert losses[0] == losses[1] != losses[2]

    def test_every_step_has_views_of_its_own(self, name, batch):
        only_if_random(name)
        method = build(name)
        assert len({method(batch).item() for _ in range(4)}) == 4  # the weights stood still

    def test_evaluation_repeats_itself(self, name, batch):
        method = build(name).eval()
        assert method(batch).item() == method(batch).item()

    def test_a_generator_takes_the_place_of_seed_and_step(self, name, batch):
        only_if_random(name)
        first, second = build(name), build(name, seed=5)
        draw = lambda method, seed: method(batch, generator=torch.Generator().manual_seed(seed)).item()  # noqa: E731
        one = draw(first, 3)
        assert first.step == 0
        assert draw(second, 3) == one == draw(first, 3)
        assert draw(first, 4) != one
        assert first(batch).item() == build(name)(batch).item()  # as if the generator had never been there

    def test_resuming_goes_on_where_it_stopped(self, name, batch, take_step):
        whole = build(name)
        for _ in range(2):
            take_step(whole, batch)
        file = io.BytesIO()
        torch.save(whole.state_dict(), file)
        resumed = build(name)
        resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
        assert [take_step(whole, batch) for _ in range(3)] == [take_step(resumed, batch) for _ in range(3)]
        torch.testing.assert_close(whole.state_dict(), resumed.state_dict(), rtol=0, atol=0)


class TestEmbed:
    def test_equals_the_encoder_in_evaluation_on_the_clean_graph(self, name, batch):
        method = build(name)
        method(batch)
        wanted = copy.deepcopy(method.encoder).eval()(batch.x, batch.edge_index, batch.batch)
        found = method.embed(batch)
        assert isinstance(found, Embeddings)
        if name in TWO_ENCODERS:  # see the method's own test
            assert found.graph.shape == wanted.graph.shape
            return
        torch.testing.assert_close(found, wanted)

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


def train(method, losses, lr=0.01):
    """Adam over the losses that are called for."""
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=lr)
    values = []
    for loss_of_step in losses:
        optimizer.zero_grad()
        loss = loss_of_step()
        loss.backward()
        optimizer.step()
        method.after_step()
        values.append(loss.item())
    return values


@pytest.fixture(scope="module")
def molecules():
    from graphcl.data import PackedDataset, load

    dataset = load("synthetic-molecules")
    graphs = [dataset[i] for i in range(len(dataset))]
    generator = torch.Generator().manual_seed(0)
    for data in graphs:
        data.text = torch.cat([data.x.mean(0, keepdim=True), torch.randn(1, 1, generator=generator)], 1)
    return PackedDataset(graphs, graph_id=True)


def batches(molecules, epochs, size=128):
    return [index for e in range(epochs) for index in molecules.loader(size, shuffle=True, epoch=e).order.split(size)]


def effective_rank(z):
    """The exponential of the entropy of the singular values (Roy and Vetterli, 2007)."""
    values = torch.linalg.svdvals(z - z.mean(0))
    p = values / values.sum()
    return torch.exp(-(p * p.clamp(min=1e-12).log()).sum()).item()


class TestTraining:
    def test_embeddings_of_molecules_do_not_collapse(self, name, molecules):
        method = build(name)
        steps = [lambda index=index: method(molecules.batch(index)) for index in batches(molecules, 4)]
        assert all(torch.isfinite(torch.tensor(train(method, steps))))
        everything = molecules.batch(torch.arange(len(molecules)))
        untrained, z = build(name).embed(everything).graph, method.embed(everything).graph
        assert z.isfinite().all()
        assert effective_rank(z.double()) > 1.1 * effective_rank(untrained.double())  # a collapsed encoder has 1
        assert z.std(0).max() > 0.1

    def test_steps_made_ahead_are_the_same(self, name, molecules):
        from graphcl.train import losses_ahead

        plain, ahead = build(name), build(name)
        order = batches(molecules, 1, size=48)
        one = train(plain, [lambda index=index: plain(molecules.batch(index)) for index in order])
        other = train(ahead, (loss for _, loss in losses_ahead(ahead, molecules, order)))
        assert one == other
        torch.testing.assert_close(plain.state_dict(), ahead.state_dict(), rtol=0, atol=0)

    def test_sixteen_bits(self, name, batch):
        method = build(name)
        for _ in range(3):
            method.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = method(batch)
            loss.backward()
            method.after_step()
            assert loss.isfinite()
            grads = [p.grad for p in method.parameters() if p.grad is not None]
            assert grads
            assert all(grad.isfinite().all() for grad in grads)

    def test_weights_can_be_shared(self, name, batch):
        from safetensors.torch import load as read
        from safetensors.torch import save as write

        method = build(name)
        train(method, [lambda: method(batch)] * 5)
        tensors = {key: value.contiguous() for key, value in method.state_dict().items()}
        other = build(name, seed=1)
        other.load_state_dict(read(write(tensors)))
        torch.testing.assert_close(other.embed(batch), method.embed(batch), rtol=0, atol=0)

    def test_copies_go_their_own_way(self, name, batch):
        method = build(name)
        train(method, [lambda: method(batch)] * 3)
        copied, before = copy.deepcopy(method), copy.deepcopy(method.state_dict())
        train(copied, [lambda: copied(batch)] * 2)
        torch.testing.assert_close(method.state_dict(), before, rtol=0, atol=0)
        train(method, [lambda: method(batch)] * 2)
        assert torch.equal(method.embed(batch).graph, copied.embed(batch).graph)

    def test_edge_attributes_are_carried_and_left_alone(self, name, batch, generator):
        batch.edge_attr = torch.randn(batch.num_edges, 3, generator=generator)
        batch._slice_dict["edge_attr"], batch._inc_dict["edge_attr"] = batch._slice_dict["edge_index"], None
        graphs = batch.to_data_list()
        assert build(name)(Batch.from_data_list(graphs)).isfinite()


class TestConstruction:
    def test_a_readout_may_be_wider_than_the_nodes(self, name, batch):
        method = METHODS[name](GraphEncoder(GIN(4, 8, 2), ConcatReadout([sum_readout, max_readout])))
        method(batch).backward()
        method.after_step()
        assert method.embed(batch).graph.shape == (8, 32)
