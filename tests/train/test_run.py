"""Run folders: made once, replaced only on request, read with clear complaints."""

import os
from pathlib import Path

import pytest
import torch

from graphcl.errors import CheckpointError, ConfigError, RunError
from graphcl.methods import GraphCL, MVGRLGraph
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import RunFolder


def test_create_and_read(tmp_path):
    folder = RunFolder(tmp_path / "a" / "run")
    folder.create({"dataset": "MUTAG", "lr": 0.01})
    assert folder.read_config() == {"dataset": "MUTAG", "lr": 0.01}
    assert folder.read_metrics() == []


def test_what_is_written_is_read_whatever_the_locale(tmp_path, monkeypatch):
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, encoding="ascii": read(path, encoding=encoding))
    folder = RunFolder(tmp_path)
    folder.create({"data": "jürgen/分子.csv"})
    assert folder.read_config() == {"data": "jürgen/分子.csv"}


def test_an_existing_run_is_refused_and_kept(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create({"seed": 1})
    with pytest.raises(RunError, match="--resume.*--overwrite"):
        folder.create({"seed": 2})
    assert folder.read_config() == {"seed": 1}
    folder.append_metrics({"epoch": 1, "loss": 0.5})
    folder.create({"seed": 2}, overwrite=True)
    assert folder.read_config() == {"seed": 2} and folder.read_metrics() == []


def test_overwrite_touches_nothing_but_a_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="other files"):
        RunFolder(tmp_path).create({}, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="got a file"):
        RunFolder(tmp_path / "run").create({})


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
def test_an_unwritable_place():
    with pytest.raises(RunError, match="writable output folder, got /proc/self/run"):
        RunFolder("/proc/self/run").create({})


def test_missing_folder_and_missing_or_broken_config(tmp_path):
    with pytest.raises(RunError, match="found nothing at"):
        RunFolder(tmp_path / "none").read_config()
    with pytest.raises(RunError, match="has none"):
        RunFolder(tmp_path).read_config()
    (tmp_path / "config.yaml").write_text("a: [1")
    with pytest.raises(ConfigError, match="no YAML"):
        RunFolder(tmp_path).read_config()
    (tmp_path / "config.yaml").write_text("- 1")
    with pytest.raises(ConfigError, match="got list"):
        RunFolder(tmp_path).read_config()


def test_a_metrics_line_cut_short_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append_metrics({"epoch": 1, "loss": 0.5})
    folder.append_metrics({"epoch": 2, "loss": 0.4})
    with open(folder.metrics_file, "a") as file:
        file.write('{"epoch": 3, "lo')
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2]
    folder.metrics_file.write_bytes(b'{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.4}\n\xff\n')
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2]
    folder.keep_metrics(1)
    assert folder.metrics_file.read_text() == '{"epoch": 1, "loss": 0.5}\n'


@pytest.mark.parametrize("line", [b"\xff", b'{"loss": 1}', b"3", b'{"note": "x"}'])
def test_a_line_that_is_no_row_is_named_and_nothing_is_lost(tmp_path, line):
    folder = RunFolder(tmp_path)
    content = b'{"epoch": 1, "loss": 0.5}\n' + line + b'\n{"epoch": 2, "loss": 0.4}\n'
    folder.metrics_file.write_bytes(content)
    with pytest.raises(RunError, match=r"the row of an epoch in line 2 of .*metrics\.jsonl, got .*take the line out"):
        folder.keep_metrics(2)
    assert folder.metrics_file.read_bytes() == content


def test_weights_round_trip_and_complaints(tmp_path, make):
    folder, method, other = RunFolder(tmp_path), make(0), make(1)
    with pytest.raises(CheckpointError, match="finish the run first"):
        folder.load_weights(other)
    folder.save_weights(method)
    folder.load_weights(other)
    assert all(
        torch.equal(a, b) for a, b in zip(method.state_dict().values(), other.state_dict().values(), strict=True)
    )
    with pytest.raises(CheckpointError, match="weights of this model"):
        folder.load_weights(torch.nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="got some of other sizes; do the graphs have the features that the run"):
        folder.load_weights(GraphCL(GraphEncoder(GIN(7, hidden_channels=4, num_layers=2))))
    folder.weights_file.write_bytes(folder.weights_file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        folder.load_weights(other)


def test_weights_that_two_parts_share_are_kept_for_both(tmp_path):
    def tied():
        encoder = GraphEncoder(GIN(3, 4, 1))
        return MVGRLGraph(encoder, second=encoder)

    method, again, folder = tied(), tied(), RunFolder(tmp_path)
    folder.save_weights(method)
    folder.load_weights(again)
    assert all(torch.equal(again.state_dict()[name], value) for name, value in method.state_dict().items())


def test_a_worker_that_outlives_the_run_holds_no_lock(tmp_path, monkeypatch):
    opened, real = [], os.open

    def remember(*arguments):
        folder = real(*arguments)
        opened.append(os.dup(folder))  # as a process that was forked in the block has it
        return folder

    monkeypatch.setattr(os, "open", remember)
    for _ in range(2):
        with RunFolder(tmp_path).alone():
            with pytest.raises(RunError, match="another process"), RunFolder(tmp_path).alone():
                pass
    assert len(opened) == 4
    for folder in opened:
        os.close(folder)


def test_a_profile_is_kept_until_the_run_goes_on(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_profile() == {}
    profile = {"singular_values": [2.0, 1.0], "dimension_std": [0.5, 0.5]}
    folder.write_profile(profile)
    assert folder.read_profile() == profile
    folder.go_on()
    assert folder.read_profile() == {}
    assert not folder.config_file.exists()
    folder.go_on_with({"epochs": 4})
    folder.go_on()
    assert folder.read_config() == {"epochs": 4}


@pytest.mark.parametrize(
    "text", ["[1]", "{", '{"other": [1]}', '{"singular_values": [1.0], "dimension_std": []}', '{"edges": [0, 1]}']
)
def test_a_damaged_profile_is_named(tmp_path, text):
    (tmp_path / "embeddings.json").write_text(text)
    with pytest.raises(RunError, match="expected lists of numbers in .*embeddings.json.*delete it"):
        RunFolder(tmp_path).read_profile()
