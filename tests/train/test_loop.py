"""The loop: it learns, it repeats, it resumes bit for bit, and it refuses what cannot work."""

import json
import math
import os
import signal
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
import torch_geometric
from torch import nn
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader, LinkLoader, NodeLoader, PrefetchLoader

from graphcl.augment import Compose, EdgeDrop, NodeDrop, RandomChoice
from graphcl.data import ClusterBatches, NeighbourSampler, PackedDataset
from graphcl.errors import CheckpointError, ConfigError, RunError
from graphcl.losses import InfoNCE, NTXent
from graphcl.methods import GRACE, GraphCL, InfoGraph
from graphcl.nn import GIN, GraphEncoder, mean_readout
from graphcl.train import RunFolder, fit


def weights(method):
    return torch.cat([value.double().flatten() for value in method.state_dict().values()])


def folder_at(path: Path) -> RunFolder:
    folder = RunFolder(path)
    folder.create({"seed": 0})
    return folder


class StopsAfter(nn.Module):
    """A loss that sends the process an interrupt at a given call."""

    def __init__(self, loss, calls):
        super().__init__()
        self.loss, self.calls = loss, calls

    def forward(self, *rows):
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return self.loss(*rows)


def test_the_loss_falls(graphs, make):
    history = fit(make(), graphs, epochs=30, batch_size=13)
    assert len(history.epochs) == 30 and not history.interrupted
    assert history.epochs[-1]["loss"] < history.epochs[0]["loss"] - 0.3
    assert history.epochs[0]["epoch"] == 1 and history.epochs[0]["graphs_per_s"] > 0


def test_same_seed_same_weights_and_another_seed_others(graphs, make):
    runs = []
    for seed in (0, 0, 1):
        method = make()
        fit(method, graphs, epochs=2, batch_size=4, seed=seed)
        runs.append(weights(method))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_global_generator_is_left_alone(graphs, make):
    before = torch.get_rng_state()
    fit(make(), graphs, epochs=1, batch_size=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_on_the_cpu_seeds_no_gpu_nor_does_a_loader(graphs, make, monkeypatch):
    seeded, one, other = [], make(), make()
    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, seeded.append)
    fit(one, graphs, epochs=1, batch_size=4)
    fit(other, DataLoader(graphs, batch_size=4, shuffle=True), epochs=2)
    assert seeded == []


@pytest.mark.parametrize("calls", [1, 4, 6])
def test_a_stopped_and_resumed_run_ends_with_the_same_weights(tmp_path, graphs, make, calls):
    whole = make()
    straight = fit(whole, graphs, epochs=4, batch_size=4, folder=folder_at(tmp_path / "whole"))
    stopped = make()
    stopped.loss = StopsAfter(stopped.loss, calls)
    folder = folder_at(tmp_path / "parts")
    first = fit(stopped, graphs, epochs=4, batch_size=4, folder=folder)
    assert first.interrupted and not folder.weights_file.exists()
    resumed = make(seed=0)
    for parameter in resumed.parameters():  # whatever it begins with, the checkpoint decides
        nn.init.zeros_(parameter)
    second = fit(resumed, graphs, epochs=4, batch_size=4, folder=folder, resume=True)
    assert torch.equal(weights(resumed), weights(whole))
    assert [row["loss"] for row in second.epochs] == [row["loss"] for row in straight.epochs]
    assert len(folder.read_metrics()) == 4


def test_weights_of_fewer_epochs_do_not_pass_for_those_of_a_run_that_goes_on(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    fit(make(), graphs, epochs=1, batch_size=4, folder=folder)
    assert folder.weights_file.is_file()
    stopped = make()
    stopped.loss = StopsAfter(stopped.loss, 2)
    assert fit(stopped, graphs, epochs=3, batch_size=4, folder=folder, resume=True).interrupted
    assert not folder.weights_file.exists()
    for _ in range(2):  # the second time there is nothing left to do
        fit(make(), graphs, epochs=3, batch_size=4, folder=folder, resume=True)
        assert folder.weights_file.is_file()


def test_dropout_resumes_too(tmp_path, graphs):
    def make():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 8))
            return GraphCL(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), head=head)

    whole, parts = make(), make()
    fit(whole, graphs, epochs=3, batch_size=4, folder=folder_at(tmp_path / "whole"))
    folder = folder_at(tmp_path / "parts")
    parts.loss = StopsAfter(parts.loss, 5)
    fit(parts, graphs, epochs=3, batch_size=4, folder=folder)
    resumed = make()
    fit(resumed, graphs, epochs=3, batch_size=4, folder=folder, resume=True)
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.gpu
def test_dropout_on_a_gpu_resumes_too(tmp_path, graphs):
    def make():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 8))
            return GraphCL(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), head=head)

    arguments, folder = {"epochs": 3, "batch_size": 4, "device": "cuda"}, folder_at(tmp_path / "parts")
    whole, parts, resumed = make(), make(), make()
    fit(whole, graphs, **arguments)
    parts.loss = StopsAfter(parts.loss, 5)
    fit(parts, graphs, folder=folder, **arguments)
    torch.rand(9, device="cuda")
    fit(resumed, graphs, folder=folder, resume=True, **arguments)
    assert torch.equal(weights(resumed), weights(whole))


def test_a_run_can_be_made_longer(tmp_path, graphs, make):
    folder, short, whole = folder_at(tmp_path / "run"), make(), make()
    fit(short, graphs, epochs=2, batch_size=4, folder=folder)
    longer = make()
    fit(longer, graphs, epochs=4, batch_size=4, folder=folder, resume=True)
    fit(whole, graphs, epochs=4, batch_size=4)
    assert torch.equal(weights(longer), weights(whole))


def test_a_second_interrupt_is_not_caught(graphs, make):
    method = make()

    class Twice(nn.Module):
        def forward(self, z1, z2):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return (z1 - z2).square().mean()

    method.loss = Twice()
    # A shell that starts tests in the background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(method, graphs, epochs=2, batch_size=4)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored(graphs, make):
    """Ctrl-C in a terminal reaches what its scripts have put into the background, too."""
    method, before = make(), signal.signal(signal.SIGINT, signal.SIG_IGN)
    method.loss = StopsAfter(method.loss, 1)
    try:
        assert not fit(method, graphs, epochs=1, batch_size=4).interrupted
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_resume_with_other_settings_is_refused(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    fit(make(), graphs, epochs=1, batch_size=4, folder=folder)
    with pytest.raises(CheckpointError, match="lr=0.5 .there 0.01"):
        fit(make(), graphs, epochs=2, batch_size=4, lr=0.5, folder=folder, resume=True)
    wider = GraphCL(GraphEncoder(GIN(3, hidden_channels=8)))
    with pytest.raises(CheckpointError, match=r"hidden_channels=8 .there 4., .*, \.\.\.$"):
        fit(wider, graphs, epochs=2, batch_size=4, folder=folder, resume=True)
    other = GraphCL(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), head=nn.Linear(8, 2))
    with pytest.raises(CheckpointError, match="weights of this model"):
        fit(other, graphs, epochs=2, batch_size=4, folder=folder, resume=True)
    with pytest.raises(CheckpointError, match=r"method.seed=3 .there 0"):  # other views from here on
        fit(make(seed=3), graphs, epochs=2, batch_size=4, folder=folder, resume=True)
    fit(make(), graphs, epochs=2, batch_size=4, folder=folder, resume=True)
    with pytest.raises(ValueError, match="expected at least the 2 epochs that the run of .* has already, got 1"):
        fit(make(), graphs, epochs=1, batch_size=4, folder=folder, resume=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": InfoNCE(temperature=0.3, positive_in_denominator=False)}, r"loss\.temperature=0\.3 \(there 0\.2\)"),
        ({"loss": NTXent(temperature=0.2)}, r"loss=NTXent \(there InfoNCE\)"),
        (
            {"views": (NodeDrop(drop=0.1), Compose([EdgeDrop(drop=0.3)]))},
            r"views\.1\.augmentations\.0\.drop=0\.3 \(there",
        ),
        ({"views": (EdgeDrop(drop=0.1), Compose([EdgeDrop(drop=0.2)]))}, r"views\.0=EdgeDrop \(there NodeDrop\)"),
        ({"encoder": GraphEncoder(GIN(3, 4, 1), mean_readout)}, r"encoder.readout=mean_readout \(there sum_readout\)"),
        ({"seed": 1}, r"seed=1 \(there 0\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_resume_with_a_method_made_otherwise_is_refused(tmp_path, graphs, change, words):
    """Its weights are of the same shapes, so that it would go on without a word."""

    def made(**change):
        usual = {"encoder": GraphEncoder(GIN(3, 4, 1)), "views": (NodeDrop(drop=0.1), Compose([EdgeDrop(drop=0.2)]))}
        usual |= {"loss": InfoNCE(temperature=np.float64(0.2), positive_in_denominator=False)}
        settings = {**usual, **change}
        return GraphCL(settings.pop("encoder"), **settings)

    fit(made(), graphs, epochs=1, folder=tmp_path / "run")
    with pytest.raises(CheckpointError, match=f"with its own settings, got method.{words}"):
        fit(made(**change), graphs, epochs=2, folder=tmp_path / "run", resume=True)
    fit(made(), graphs, epochs=2, folder=tmp_path / "run", resume=True)


def test_resume_on_other_graphs_is_refused(tmp_path, graphs, make):
    folder = folder_at(tmp_path)
    fit(make(), graphs, epochs=1, batch_size=4, folder=folder)
    others = [graph.clone() for graph in graphs]
    others[5].x[2, 1] += 1
    with pytest.raises(CheckpointError, match="got other features or edges"):
        fit(make(), others, epochs=2, batch_size=4, folder=folder, resume=True)
    others = [*graphs[:5], graphs[6], graphs[5], *graphs[7:]]
    with pytest.raises(CheckpointError, match="got other features or edges"):
        fit(make(), others, epochs=2, batch_size=4, folder=folder, resume=True)
    history = fit(make(), [graph.clone() for graph in graphs], epochs=2, batch_size=4, folder=folder, resume=True)
    assert len(history.epochs) == 2


def test_resume_on_another_graph_is_refused(tmp_path):
    folder = folder_at(tmp_path)
    fit(grace(), one_graph(), epochs=1, folder=folder)
    other = one_graph()
    other.edge_index = other.edge_index.flip(0).flip(1)
    with pytest.raises(CheckpointError, match="got other features or edges"):
        fit(grace(), other, epochs=2, folder=folder, resume=True)


@pytest.mark.parametrize("count", [np.int64, torch.tensor])
def test_a_graph_whose_number_of_nodes_was_computed_resumes(tmp_path, count):
    data = one_graph()
    data.num_nodes = count(data.num_nodes)
    fit(grace(), data, epochs=1, folder=folder_at(tmp_path))
    history = fit(grace(), data, epochs=2, folder=tmp_path, resume=True)
    assert {type(value) for row in history.epochs for value in row.values()} <= {int, float}


def test_a_checkpoint_of_something_else_is_refused(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    torch.save({"model": make().state_dict()}, folder.checkpoint_file)
    with pytest.raises(CheckpointError, match="expected the checkpoint of a run .* got one without optimizer, random"):
        fit(make(), graphs, epochs=2, batch_size=4, folder=folder, resume=True)


def test_a_network_that_does_not_know_its_sizes_yet_is_refused(graphs):
    lazy = GraphCL(GraphEncoder(torch_geometric.nn.GCN(-1, 8, 2)))
    with pytest.raises(
        ValueError, match=r"expected a network that knows its sizes, got encoder\..* in the place of -1"
    ):
        fit(lazy, graphs, epochs=1, batch_size=16)


def test_an_encoder_is_no_method(graphs, make):
    with pytest.raises(
        TypeError, match="expected a method out of graphcl.methods, got GraphEncoder; an encoder becomes"
    ):
        fit(make().encoder, graphs, epochs=1)


def test_a_batch_is_no_set_of_graphs(graphs, make):
    with pytest.raises(ValueError, match=r"expected a set of graphs for GraphCL, got one batch of 13, .*to_data_list"):
        fit(make(), Batch.from_data_list(graphs), epochs=1)


def test_a_last_batch_of_one_is_left_out(graphs, make):
    history = fit(make(), graphs, epochs=1, batch_size=4)  # 13 = 3 * 4 + 1
    assert history.left_out == 1
    assert fit(make(), graphs, epochs=1, batch_size=5).left_out == 0


@pytest.mark.parametrize(("count", "batch_size"), [(1, 4), (5, 1)])
def test_nothing_to_contrast_with(graphs, make, count, batch_size):
    with pytest.raises(ValueError, match="at least 2 graphs.*negatives"):
        fit(make(), graphs[:count], epochs=1, batch_size=batch_size)


def test_features_must_be_finite_and_there(graphs, make):
    graphs[3].x[2, 1] = math.nan
    with pytest.raises(ValueError, match="finite node features, got 1 NaN"):
        fit(make(), graphs, epochs=1, batch_size=4)
    bare = [Data(edge_index=graph.edge_index, num_nodes=graph.num_nodes) for graph in graphs]
    with pytest.raises(ValueError, match="features='constant'"):
        fit(make(), bare, epochs=1, batch_size=4)


@pytest.mark.parametrize("kind", ["list", "packed", "collated"])
@pytest.mark.parametrize("change", ["a number too large", "a row too few", "a negative number"])
def test_edges_between_two_graphs_are_refused(graphs, make, kind, change):
    # In a batch they would lead, unseen, into whatever graph comes next.
    if change == "a row too few":
        graphs[3].x = graphs[3].x[:-1]
    else:
        graphs[3].edge_index[0, 2] = 8 if change == "a number too large" else -1
    data = PackedDataset(graphs, graph_id=True) if kind == "packed" else graphs
    if kind == "collated":
        graphs[1].note = "what the others lack, so that PyG collates them"
    size = 7 if change == "a row too few" else 8
    with pytest.raises(ValueError, match=rf"expected edges between the {size} nodes of graph 3, .*; mend edge_index"):
        fit(make(), data, epochs=1, batch_size=4)


@pytest.mark.parametrize("several", [False, True])
def test_graphs_of_several_types_are_refused(make, several):
    graph = HeteroData()
    graph["actor"].x, graph["actor", "with", "actor"].edge_index = torch.ones(2, 3), torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(TypeError, match=r"expected a torch_geometric Data or Batch, got Hetero.*data\.to_homogeneous"):
        fit(make(), [graph] * 4 if several else graph, epochs=1, batch_size=2)


def test_edges_out_of_one_graph_are_refused():
    data = one_graph()
    data.edge_index[1, 5] = 40
    with pytest.raises(ValueError, match=r"expected edges between the 40 nodes of the graph, .*, 40\]"):
        fit(grace(), data, epochs=1)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")  # PyTorch's, of its CSR tensors
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_features_are_refused(layout):
    data = one_graph()
    data.x = data.x.to_sparse(layout=layout)
    with pytest.raises(TypeError, match=r"expected dense features x, got torch.sparse_.*; write .*to_dense\(\)"):
        fit(grace(), data, epochs=1)


@pytest.mark.parametrize("several", [False, True])
def test_features_that_want_to_be_trained_are_refused(graphs, make, several):
    """They would stay as they are, and in a set of graphs the second step would fail."""
    for graph in (data := graphs if several else [one_graph()]):
        graph.x.requires_grad_()
    with pytest.raises(ValueError, match=r"got some that require a gradient, .*data\.x\.detach\(\)"):
        fit(make() if several else grace(), data, epochs=2)


@pytest.mark.parametrize("name", ["x", "edge_index"])
def test_arrays_in_the_place_of_tensors_are_refused(graphs, make, name):
    for graph in graphs:
        graph[name] = graph[name].numpy()
    with pytest.raises(TypeError, match=rf"expected {name} to be a tensor, got .*torch.from_numpy\(data.{name}\)"):
        fit(make(), graphs, epochs=1, batch_size=4)


def test_a_folder_that_is_not_there_is_made(tmp_path, graphs, make):
    folder = RunFolder(tmp_path / "deep" / "run")
    fit(make(), graphs, epochs=2, batch_size=4, folder=folder)
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2] and folder.weights_file.is_file()


def test_a_run_that_has_begun_is_not_mixed_with_another(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    fit(make(), graphs, epochs=1, batch_size=4, folder=folder)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(RunError, match=r"holds metrics.jsonl, checkpoint.pt, model.safetensors; .*resume=True"):
        fit(make(seed=1), graphs, epochs=1, batch_size=4, folder=folder)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_made_is_told_before_any_step(graphs, make):
    method = make()
    with pytest.raises(RunError, match="writable output folder, got /proc/self/run"):
        fit(method, graphs, epochs=1, batch_size=4, folder=RunFolder("/proc/self/run"))
    assert method.step == 0


@pytest.mark.parametrize("name", ["gpu", "cuda:77"])
def test_a_device_that_is_not_there(graphs, make, name):
    with pytest.raises(ConfigError, match=rf"expected a device of this machine \(cpu.*\), got '{name}'"):
        fit(make(), graphs, epochs=1, device=name)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_may_be_a_path(tmp_path, graphs, make, kind):
    method, again = make(), make()
    fit(method, graphs, epochs=1, folder=kind(tmp_path / "run"))
    fit(again, graphs, epochs=1, folder=kind(tmp_path / "run"), resume=True)  # nothing is left to do
    torch.testing.assert_close(again.state_dict(), method.state_dict(), rtol=0, atol=0)
    with pytest.raises(TypeError, match="expected folder to be a RunFolder or a path, got int"):
        fit(make(), graphs, epochs=1, folder=7)


@pytest.mark.parametrize("argument", ["epochs", "batch_size", "lr"])
def test_arguments_must_be_positive(graphs, make, argument):
    with pytest.raises(ValueError, match=f"expected {argument} above 0, got 0"):
        fit(make(), graphs, **{argument: 0})


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path, graphs, make):
    method, folder = make(), folder_at(tmp_path / "run")
    fit(method, graphs, epochs=1, batch_size=4, folder=folder)
    good = folder.checkpoint_file.read_bytes()

    class Broken(nn.Module):
        def forward(self, z1, z2):
            return (z1 * math.nan).sum()

    method = make()
    method.loss = Broken()
    with pytest.raises(RunError, match=r"nan in epoch 2, batch 1 \(graphs .*, step 4 of the run.*checkpoint\.pt"):
        fit(method, graphs, epochs=3, batch_size=4, folder=folder, resume=True)
    assert folder.checkpoint_file.read_bytes() == good


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda z1, z2: None, "expected the loss of GraphCL to be a tensor of one number, got None"),
        (lambda z1, z2: 3.0, "a tensor of one number, got 3.0"),
        (lambda z1, z2: z1 - z2, r"a tensor of one number, got shape \[4, \d+\]"),
        (lambda z1, z2: (z1 - z2).detach().sum(), "with a gradient, got one that hangs on no weight"),
    ],
)
def test_a_loss_is_one_number_with_a_gradient(graphs, make, made, words):
    class Own(nn.Module):
        def forward(self, z1, z2):
            return made(z1, z2)

    method = make()
    method.loss = Own()
    with pytest.raises((TypeError, ValueError), match=words):
        fit(method, graphs, epochs=1, batch_size=4)


@pytest.mark.parametrize("how", ["a step too long", "a gradient that is no number"])
def test_weights_that_are_not_finite_are_neither_kept_nor_given_back_in_silence(tmp_path, graphs, make, how):
    """The loss of the last step was the number that it should be, and no other step followed."""
    method, folder = make(), folder_at(tmp_path / "run")
    fit(method, graphs, epochs=1, batch_size=13, folder=folder)
    good = folder.checkpoint_file.read_bytes()
    if how == "a step too long":
        with pytest.raises(RunError, match="weights became infinite or NaN in epoch 1, .* was written"):
            fit(make(), graphs, epochs=1, batch_size=13, lr=1e39)
        return

    class Rooted(nn.Module):
        def forward(self, z1, z2):
            return (z1 * 0).sum().sqrt()

    method.loss = Rooted()
    with pytest.raises(RunError, match=r"weights became infinite or NaN in epoch 2, .*checkpoint\.pt"):
        fit(method, graphs, epochs=2, batch_size=13, folder=folder, resume=True)
    assert folder.checkpoint_file.read_bytes() == good


def test_numbers_of_numpy_are_settings_that_a_run_can_be_resumed_with(tmp_path, graphs, make, monkeypatch):
    """As a sweep over ``np.logspace`` and ``np.arange`` has them; its author runs no type checker."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    numbers = {"lr": 0.01, "weight_decay": 1e-4, "clip": 1.0, "seed": 3, "warmup": 1, "batch_size": 4, "patience": 5}
    settings = {name: np.asarray(value)[()] for name, value in numbers.items()}
    assert isinstance(settings["lr"], np.floating) and isinstance(settings["seed"], np.integer)
    fit(make(np.int64(2)), graphs, epochs=np.int64(1), folder=tmp_path / "run", **settings)
    resumed, whole = make(2), make(2)
    fit(resumed, graphs, epochs=2, folder=tmp_path / "run", resume=True, **numbers)
    fit(whole, graphs, epochs=2, **numbers)
    assert torch.equal(weights(resumed), weights(whole))


def test_a_method_whose_weights_are_all_frozen_is_refused(graphs, make):
    with pytest.raises(ValueError, match="expected weights to train, got none that requires a gradient"):
        fit(make().requires_grad_(False), graphs)


def test_a_packed_set_without_identities_trains_too(graphs, make):
    fit(make(), PackedDataset(graphs), epochs=1, batch_size=4)


def test_metrics_are_one_json_row_per_epoch(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    history = fit(make(), graphs, epochs=3, batch_size=4, folder=folder)
    rows = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    assert rows == history.epochs and [row["epoch"] for row in rows] == [1, 2, 3]


def test_the_bar_shows_on_request_and_is_quiet_off_a_terminal(graphs, make, capsys):
    fit(make(), graphs, epochs=1, batch_size=4)
    assert capsys.readouterr().err == ""
    fit(make(), graphs, epochs=1, batch_size=4, progress=True)
    shown = capsys.readouterr().err
    assert "loss=" in shown and "graphs/s=" in shown and "epoch=1" in shown


# --- one graph, loaders, schedules ------------------------------------------------------------------------------------


def one_graph(nodes=40):
    generator = torch.Generator().manual_seed(1)
    edges = torch.randint(nodes, (2, 3 * nodes), generator=generator)
    x = torch.randn(nodes, 3, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), e=torch.arange(6 * nodes))


def grace(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = (EdgeDrop(drop=0.1), EdgeDrop(drop=0.1))
        return GRACE(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), views=views, seed=seed)


class Halves:
    """A loader that draws its batches from torch's generator, and notes which epoch it is told."""

    def __init__(self, data):
        self.data, self.epochs, self.drawn = data, [], []

    def __len__(self):
        return 2

    def set_epoch(self, epoch):
        self.epochs.append(epoch)

    def __iter__(self):
        for part in torch.randperm(self.data.num_nodes).split(self.data.num_nodes // 2):
            self.drawn.append(part)
            batch = self.data.subgraph(part)
            batch.n_id = part
            batch.batch_size = 15
            yield batch


def persistent_loader():
    """Two batches of seeds, by a worker that stays; somebody has looked at one of them before."""
    data = one_graph()
    sampler = NeighbourSampler(data, [3])  # draws in the worker
    loader = NodeLoader(data, sampler, batch_size=20, shuffle=True, num_workers=1, persistent_workers=True)
    next(iter(loader))
    return loader


def cluster_loader(data):
    batches = ClusterBatches(data, torch.arange(data.num_nodes) % 6, clusters=2)
    return batches, torch.utils.data.DataLoader(batches, batch_size=None)


def link_loader(data):
    sampler = NeighbourSampler(data, [2], seed=0)
    return sampler, LinkLoader(data, sampler, edge_label_index=data.edge_index[:, :20], batch_size=10)


def batch_sampler_loader(data):
    clusters = ClusterBatches(data, torch.arange(data.num_nodes) % 6)
    order = torch.utils.data.DistributedSampler(clusters, num_replicas=1, rank=0)
    batches = torch.utils.data.BatchSampler(order, 2, drop_last=False)
    return order, DataLoader([*clusters], batch_sampler=batches)


def prefetch_loader(data):
    batches, loader = cluster_loader(data)
    return batches, PrefetchLoader(loader, torch.device("cpu"))


@pytest.mark.parametrize("make_loader", [cluster_loader, link_loader, batch_sampler_loader, prefetch_loader])
def test_what_a_loader_reads_from_is_told_the_epoch(make_loader):
    told, loader = make_loader(one_graph())
    expected = []
    for epoch in range(2):
        told.set_epoch(epoch)
        expected += [batch.e_id for batch in loader]
    seen = []

    def look(batch):
        seen.append(batch.e_id)
        return batch

    method = GRACE(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), views=(look, EdgeDrop(drop=0.1)))
    fit(method, loader, epochs=2)
    assert len(seen) == len(expected) and all(map(torch.equal, seen, expected))
    assert not all(map(torch.equal, seen[: len(loader)], seen[len(loader) :]))


@pytest.mark.parametrize("data", [one_graph(), [one_graph()], Halves(one_graph())], ids=["graph", "list", "loader"])
def test_nodes_of_one_graph(data):
    history = fit(grace(), data, epochs=40, lr=0.02)
    rows = history.epochs
    assert rows[0]["nodes_per_s"] > 0 and history.left_out == 0
    assert sum(row["loss"] for row in rows[-10:]) / 10 < sum(row["loss"] for row in rows[:10]) / 10 - 0.05


def test_a_set_of_graphs_for_a_method_of_nodes_leaves_none_out(graphs):
    history = fit(grace(), graphs, epochs=1, batch_size=4)  # 13 = 3 * 4 + 1
    assert history.left_out == 0


def test_a_last_batch_of_one_out_of_a_loader_is_left_out(tmp_path, graphs, make):
    data, folder = one_graph(41), folder_at(tmp_path)
    seeds = NodeLoader(data, NeighbourSampler(data, [3], seed=0), batch_size=20, shuffle=True)
    history = fit(grace(), seeds, epochs=1, folder=folder)
    assert history.left_out == 1
    resumed = fit(grace(), seeds, epochs=2, folder=folder, resume=True)
    assert [row["epoch"] for row in resumed.epochs] == [1, 2]
    assert fit(make(), DataLoader(graphs, batch_size=4), epochs=1).left_out == 1  # 13 = 3 * 4 + 1
    assert fit(make(), DataLoader(graphs, batch_size=5), epochs=1).left_out == 0


def test_one_graph_is_refused_where_graphs_are_contrasted(make):
    with pytest.raises(ValueError, match="several graphs for GraphCL, which contrasts graphs, got one; .*GRACE"):
        fit(make(), one_graph())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": None}, "expected node features x, got none"),
        ({"x": torch.full((40, 3), math.inf)}, "got 120 NaN or infinite values"),
    ],
)
def test_one_graph_with_unfit_features_is_refused(change, message):
    data = one_graph()
    for key, value in change.items():
        data[key] = value
    data.num_nodes = 40
    with pytest.raises(ValueError, match=message):
        fit(grace(), data)


def test_a_single_node_is_refused():
    data = Data(x=torch.ones(1, 3), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least 2 nodes to contrast, got 1"):
        fit(grace(), data)


def test_what_is_no_data_is_refused():
    with pytest.raises(TypeError, match="a loader with a length, got generator"):
        fit(grace(), (graph for graph in [one_graph()]))


def test_a_loader_draws_by_seed_and_epoch_and_is_told_the_epoch():
    def run(seed):
        loader, method = Halves(one_graph()), grace()
        fit(method, loader, epochs=2, seed=seed)
        return loader, weights(method)

    (first, a), (second, b), (other, c) = run(0), run(0), run(1)
    assert first.epochs == [0, 1]
    assert all(torch.equal(x, y) for x, y in zip(first.drawn, second.drawn, strict=True))
    assert not torch.equal(first.drawn[0], first.drawn[2]) and not torch.equal(first.drawn[0], other.drawn[0])
    assert torch.equal(a, b) and not torch.equal(a, c)


def loader_with_a_generator():
    """An order of seeds that a generator of the loader's own says."""
    data, generator = one_graph(), torch.Generator().manual_seed(5)
    sampler = NeighbourSampler(data, [3], seed=0)
    return NodeLoader(data, sampler, batch_size=20, shuffle=True, generator=generator)


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize(
    "data",
    [one_graph, lambda: Halves(one_graph()), persistent_loader, loader_with_a_generator],
    ids=["graph", "loader", "persistent workers", "its own generator"],
)
def test_one_graph_and_loaders_resume_bit_for_bit(tmp_path, data, calls):
    arguments = {"epochs": 4, "schedule": "cosine", "warmup": 1, "optimizer": "adamw", "clip": 1.0, "patience": 9}
    whole = grace()
    fit(whole, data(), **arguments)
    stopped, folder = grace(), folder_at(tmp_path / "run")
    stopped.loss = StopsAfter(stopped.loss, calls)
    assert fit(stopped, data(), folder=folder, **arguments).interrupted
    resumed = grace()
    fit(resumed, data(), folder=folder, resume=True, **arguments)
    assert torch.equal(weights(resumed), weights(whole))


class Scripted(nn.Module):
    """A loss of given values, whose gradient is always the same."""

    def __init__(self, values):
        super().__init__()
        self.values = list(values)

    def forward(self, z1, z2):
        pull = (z1 - z2.detach()).sum() * 1e-3
        return pull - pull.detach() + self.values.pop(0)


def test_patience_stops_and_goes_back_to_the_lowest_loss(tmp_path):
    values = [3.0, 2.0, 1.0, 1.5, 1.0, 1.2]
    method, short = grace(), grace()
    method.loss, short.loss = Scripted(values), Scripted(values)
    folder = folder_at(tmp_path / "run")
    history = fit(method, one_graph(), epochs=50, patience=3, folder=folder)
    assert [row["loss"] for row in history.epochs] == pytest.approx(values)
    assert history.best_epoch == 3 and not history.interrupted and folder.weights_file.is_file()
    fit(short, one_graph(), epochs=3)
    assert torch.equal(weights(method), weights(short))
    again = grace()
    again.loss = Scripted([])  # it would fail to take another step
    assert fit(again, one_graph(), epochs=50, patience=3, folder=folder, resume=True).best_epoch == 3
    assert torch.equal(weights(again), weights(method))


def test_the_cosine_ends_at_zero(graphs, make):
    constant, cosine = make(), make()
    fit(constant, graphs, epochs=2, batch_size=13)
    fit(cosine, graphs, epochs=2, batch_size=13, schedule="cosine")
    assert not torch.equal(weights(constant), weights(cosine))


@pytest.mark.parametrize("accumulate", [1, 2, 3, 9])
def test_several_batches_make_one_step_by_their_mean_gradient(graphs, make, accumulate):
    fitted, method = make(), make()
    history = fit(fitted, graphs, epochs=2, batch_size=3, accumulate=accumulate, clip=0.5, seed=1)
    trained = list(method.parameters())
    optimizer, packed = torch.optim.Adam(trained, lr=0.01), PackedDataset(graphs, graph_id=True)
    means = []
    for epoch in range(2):
        batches = [batch for batch in packed.loader(3, shuffle=True, seed=1, epoch=epoch) if batch.num_graphs > 1]
        losses = []
        for start in range(0, len(batches), accumulate):  # the last step has what is left of the epoch
            together = [method(batch) for batch in batches[start : start + accumulate]]
            losses += [(loss.item(), batch.num_graphs) for loss, batch in zip(together, batches[start:], strict=False)]
            optimizer.zero_grad()
            torch.stack(together).mean().backward()
            torch.nn.utils.clip_grad_norm_(trained, 0.5)
            optimizer.step()
            method.after_step()
        means.append(sum(loss * n for loss, n in losses) / sum(n for _, n in losses))
    torch.testing.assert_close(weights(fitted), weights(method), rtol=1e-4, atol=1e-5)
    assert [row["loss"] for row in history.epochs] == pytest.approx(means, rel=1e-4)


def test_gradients_do_not_wait_for_a_last_batch_that_is_left_out(graphs, make):
    left_out, without = make(), make()
    loader = DataLoader(graphs, batch_size=4)  # the fourth batch is one graph
    assert fit(left_out, loader, epochs=2, accumulate=9).left_out == 1
    fit(without, DataLoader(graphs[:12], batch_size=4), epochs=2, accumulate=9)
    assert torch.equal(weights(left_out), weights(without))


def test_a_run_stops_between_two_steps_of_several_batches(tmp_path, graphs, make):
    arguments = {"epochs": 3, "batch_size": 3, "accumulate": 3}
    whole, stopped, resumed, folder = make(), make(), make(), folder_at(tmp_path / "run")
    fit(whole, graphs, **arguments)
    stopped.loss = StopsAfter(stopped.loss, 5)
    assert fit(stopped, graphs, folder=folder, **arguments).interrupted
    with pytest.raises(CheckpointError, match=r"accumulate=1 \(there 3\)"):
        fit(make(), graphs, folder=folder, resume=True, **(arguments | {"accumulate": 1}))
    fit(resumed, graphs, folder=folder, resume=True, **arguments)
    assert torch.equal(weights(resumed), weights(whole))


def test_bf16_learns_too(graphs, make):
    rows = fit(make(), graphs, epochs=20, batch_size=13, precision="bf16").epochs
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.2


def test_options_of_another_kind_are_named(graphs, make):
    for option in ({"lr": "0.1"}, {"clip": "1"}, {"seed": None}, {"seed": 2**64}, {"checkpoint_seconds": None}):
        with pytest.raises(TypeError, match=f"expected {next(iter(option))} (to be|as) a .*number"):
            fit(make(), graphs, **option)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("optimizer", "sgd"),
        ("schedule", "step"),
        ("precision", "fp8"),
        ("warmup", -1),
        ("clip", 0.0),
        ("patience", 0),
        ("weight_decay", -0.1),
    ],
)
def test_options_are_checked(graphs, make, argument, value):
    with pytest.raises(ValueError, match=f"expected {argument} .*got '?{value}"):
        fit(make(), graphs, **{argument: value})


def test_a_method_inside_of_something_is_refused_with_what_to_do(graphs):
    method = GraphCL(GraphEncoder(GIN(graphs[0].num_features)))
    with pytest.raises(TypeError, match="got it inside a DataParallel; compile the network"):
        fit(torch.nn.DataParallel(method), graphs)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Compose([EdgeDrop(drop=0.2), NodeDrop(drop=0.2)]), Compose([EdgeDrop(drop=0.2)])),
        (Compose([EdgeDrop(drop=0.2)]), Compose([EdgeDrop(drop=0.2), NodeDrop(drop=0.2)])),
        (RandomChoice([EdgeDrop(drop=0.2), NodeDrop(drop=0.2)]), RandomChoice([EdgeDrop(drop=0.2)])),
    ],
    ids=["fewer", "more", "choice"],
)
def test_views_of_more_or_fewer_parts_are_those_of_another_run(graphs, tmp_path, before, after):
    def make(view):
        return GraphCL(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), views=(view, EdgeDrop(drop=0.1)))

    fit(make(before), graphs, epochs=1, folder=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"count=\d \(there \d\)"):
        fit(make(after), graphs, epochs=2, folder=tmp_path / "run", resume=True)


class Noisy(torch.utils.data.Dataset):
    """A set whose graphs are drawn anew at every access."""

    def __init__(self, graphs):
        self.graphs = graphs

    def __len__(self):
        return len(self.graphs)

    def __getitem__(self, i):
        graph = self.graphs[i].clone()
        graph.x = graph.x + 0.1 * torch.randn_like(graph.x)
        return graph


@pytest.mark.parametrize("kind", [GraphCL, InfoGraph])
def test_a_set_that_draws_its_graphs_resumes_bit_for_bit(graphs, tmp_path, kind):
    def make():
        torch.manual_seed(0)
        return kind(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)))

    whole, parts = make(), make()
    fit(whole, Noisy(graphs), epochs=4, batch_size=5)
    parts.loss = StopsAfter(parts.loss, 2)
    torch.manual_seed(7)  # what else is drawn in the process is nothing to it
    first = fit(parts, Noisy(graphs), epochs=4, batch_size=5, folder=tmp_path / "run")
    assert first.interrupted and first.epochs == []
    again = make()
    fit(again, Noisy(graphs), epochs=4, batch_size=5, folder=tmp_path / "run", resume=True)
    assert torch.equal(weights(again), weights(whole))


def test_a_loss_that_is_no_number_leaves_the_weights_as_they_were(graphs, make):
    class Breaks(nn.Module):
        calls = 0

        def forward(self, z1, z2):
            self.calls += 1
            return InfoNCE()(z1, z2) * (math.nan if self.calls == 4 else 1.0)

    method, good = make(), make()
    method.loss = Breaks()
    with pytest.raises(RunError, match="the loss became nan"):
        fit(method, graphs, epochs=2, batch_size=4)
    good.loss = InfoNCE()
    fit(good, graphs, epochs=1, batch_size=4)  # three steps; the thirteenth graph is left out
    trained = [*zip(method.parameters(), good.parameters(), strict=True)]
    assert all(torch.equal(a, b) for a, b in trained)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": None},
        {"sums": [1.0]},
        {"epoch": "x"},
        {"random": [1, 2]},
        {"random": torch.zeros(3, dtype=torch.uint8)},
        {"optimizer": None},
        {"model": [1]},
        {"best": 5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_with_other_things_in_it(graphs, make, tmp_path, change):
    fit(make(), graphs, epochs=1, folder=tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.pt"
    torch.save({**torch.load(path, weights_only=True), **change}, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        fit(make(), graphs, epochs=2, folder=tmp_path / "run", resume=True)


def test_a_setting_that_this_version_does_not_know(graphs, make, tmp_path):
    fit(make(), graphs, epochs=1, folder=tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    torch.save({**state, "settings": {**state["settings"], "momentum": 0.9, "more": None}}, path)
    with pytest.raises(CheckpointError, match=r"no momentum \(there 0\.9\)"):
        fit(make(), graphs, epochs=2, folder=tmp_path / "run", resume=True)


def test_a_folder_in_ones_home(graphs, make, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fit(make(), graphs, epochs=1, folder="~/runs/a")
    assert (tmp_path / "runs" / "a" / "model.safetensors").is_file()
