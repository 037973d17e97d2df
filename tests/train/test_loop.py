"""The loop: it learns, it repeats, it resumes bit for bit, and it refuses what cannot work."""

import json
import math
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn
from torch_geometric.data import Data

from graphcl.data import PackedDataset
from graphcl.errors import CheckpointError, RunError
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder
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

    def forward(self, z1, z2):
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return self.loss(z1, z2)


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


def test_dropout_resumes_too(tmp_path, graphs):
    def make():
        with torch.random.fork_rng():
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


def test_resume_with_other_settings_is_refused(tmp_path, graphs, make):
    folder = folder_at(tmp_path / "run")
    fit(make(), graphs, epochs=1, batch_size=4, folder=folder)
    with pytest.raises(CheckpointError, match="lr=0.5 .there 0.01"):
        fit(make(), graphs, epochs=2, batch_size=4, lr=0.5, folder=folder, resume=True)
    other = GraphCL(GraphEncoder(GIN(3, hidden_channels=8)))
    with pytest.raises(CheckpointError, match="weights of this model"):
        fit(other, graphs, epochs=2, batch_size=4, folder=folder, resume=True)


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
    with pytest.raises(RunError, match=r"nan in epoch 2, batch 1 \(graphs .*checkpoint\.pt"):
        fit(method, graphs, epochs=3, batch_size=4, folder=folder, resume=True)
    assert folder.checkpoint_file.read_bytes() == good


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
