"""The command line as a user meets it: what it writes, what it prints, how it refuses (status 2, a message)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from graphcl.cli import main
from graphcl.evaluate import read_results

FAST = ["--epochs", "2", "--hidden", "4", "--layers", "1", "--threads", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Runs land in a scratch folder, and no data of the user's is seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRAPHCL_DEBUG", raising=False)


@pytest.fixture
def tu_home(tmp_path):
    """A data folder with a hand-written TU set of 24 graphs, added as a user adds one."""
    raw = tmp_path / "download"
    raw.mkdir()
    edges, indicator, labels, node = [], [], [], 1
    for graph in range(24):
        size = 4 + graph % 5
        ring = [(node + i, node + (i + 1) % size) for i in range(size)]
        edges += ring + [(b, a) for a, b in ring]
        indicator += [graph + 1] * size
        labels.append(graph % 2)
        node += size
    (raw / "Rings_A.txt").write_text("".join(f"{a}, {b}\n" for a, b in edges))
    (raw / "Rings_graph_indicator.txt").write_text("".join(f"{g}\n" for g in indicator))
    (raw / "Rings_graph_labels.txt").write_text("".join(f"{label}\n" for label in labels))
    return raw


def refused(capsys, *arguments: str) -> str:
    """Runs a command that must fail for a reason; returns the message."""
    before = sorted(Path().rglob("*"))
    assert main(list(arguments)) == 2
    out = capsys.readouterr()
    assert out.err.startswith("graphcl: error: ") and "Traceback" not in out.err
    assert sorted(Path().rglob("*")) == before, "something half-written was left behind"
    return out.err


def test_the_main_job_from_pretraining_to_scores_and_embeddings(capsys):
    assert main(["pretrain", "--out", "run", *FAST]) == 0
    assert "run folder: run" in capsys.readouterr().out
    names = sorted(path.name for path in Path("run").iterdir())
    assert names == ["checkpoint.pt", "config.yaml", "metrics.jsonl", "model.safetensors"]
    assert len(Path("run/metrics.jsonl").read_text().splitlines()) == 2

    assert main(["evaluate", "run", "--protocol", "tu-linear-svm"]) == 0
    table = capsys.readouterr().out
    for row in ("raw", "untrained-init", "untrained", "wl", "GraphCL"):
        assert f"\n{row} " in table
    assert "lift over untrained" in table and table.rstrip().endswith("run folder: run")
    assert Path("run/scores.csv").is_file()

    assert main(["embed", "run", "--out", "z.npz"]) == 0
    with np.load("z.npz", allow_pickle=False) as z:
        assert z["graph"].shape[1] == z["node"].shape[1] == 4
        assert len(z["graph"]) == len(z["y"]) == len(z["ptr"]) - 1 and z["ptr"][-1] == len(z["node"])
        sums = np.add.reduceat(z["node"], z["ptr"][:-1])
    with np.load("z.npz") as z:
        np.testing.assert_allclose(sums, z["graph"], rtol=1e-4, atol=1e-4)
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    assert main(["report", "run"]) == 0
    assert Path("run/report.html").read_text().count("<svg") == 3  # loss, embeddings, scores
    capsys.readouterr()
    assert "expected a new file" in refused(capsys, "embed", "run", "--out", "z.npz")
    assert main(["embed", "run", "--out", "z.npz", "--overwrite"]) == 0


def test_flags_win_over_yaml_and_the_run_remembers(capsys):
    Path("settings.yaml").write_text("lr: 0.5\nbatch_size: 50\nviews: [random4, 'node-drop:0.2']\n")
    assert main(["pretrain", "--config", "settings.yaml", "--lr", "0.02", "--out", "run", *FAST]) == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["lr"], config["batch_size"], config["views"]) == (0.02, 50, ["random4", "node-drop:0.2"])
    # What a run wrote is a valid settings file.
    assert main(["pretrain", "--config", "run/config.yaml", "--out", "again", "--device", "cpu"]) == 0
    assert Path("again/model.safetensors").read_bytes() == Path("run/model.safetensors").read_bytes()


def test_print_config_is_yaml_that_pretrain_takes(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "--batch-size", "7", "--print-config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["batch_size"] == 7


def test_resume_uses_the_run_s_own_settings(capsys):
    assert main(["pretrain", "--out", "whole", "--batch-size", "90", *FAST, "--epochs", "4"]) == 0
    assert main(["pretrain", "--out", "parts", "--batch-size", "90", *FAST]) == 0
    assert main(["pretrain", "--resume", "--out", "parts", "--epochs", "4", "--device", "cpu"]) == 0
    assert Path("parts/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    assert len(Path("parts/metrics.jsonl").read_text().splitlines()) == 4


def test_an_interrupt_leaves_a_checkpoint_and_the_command_to_go_on():
    command = [sys.executable, "-m", "graphcl", "pretrain", "--epochs", "100000", "--out", "run", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 120
    metrics = Path("run/metrics.jsonl")
    while not (metrics.is_file() and metrics.read_text()):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "graphcl pretrain --resume --out run" in out and "Traceback" not in err
    assert torch.load("run/checkpoint.pt", weights_only=True)["epoch"] >= 1
    assert all(json.loads(line) for line in metrics.read_text().splitlines())


def test_datasets(capsys, tu_home):
    assert main(["datasets"]) == 0
    assert "synthetic-molecules" in capsys.readouterr().out
    assert main(["datasets", "show", "MUTAG"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["counts"]["graphs"] == 188
    assert main(["datasets", "add", "Rings", "--from", str(tu_home)]) == 0
    assert "24 graphs" in capsys.readouterr().out
    assert main(["datasets", "list"]) == 0
    assert "Rings" in capsys.readouterr().out
    # The run remembers where its data lie, from whatever folder it is evaluated.
    where, home = ["--dataset", "Rings", "--features", "degree-onehot"], os.environ["GRAPHCL_HOME"]
    os.environ["GRAPHCL_HOME"] = "/nowhere"
    assert main(["pretrain", *where, "--root", os.path.relpath(home), "--out", "run", *FAST]) == 0
    assert main(["embed", "run", "--out", "z.npz"]) == 0
    assert main(["evaluate", "run"]) == 0


@pytest.mark.parametrize("encoder", ["gin", "gcn", "sage", "gat"])
def test_every_encoder_trains(encoder):
    assert main(["pretrain", "--encoder", encoder, "--readout", "mean", "--out", "run", *FAST, "--epochs", "1"]) == 0


def test_methods_are_listed_with_their_paper_and_their_settings(capsys):
    from graphcl._recipes import METHODS

    assert main(["methods"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(METHODS)
    assert "grace" in listed and "Deep Graph Contrastive" in listed
    assert main(["methods", "grace", "--dataset", "CiteSeer"]) == 0
    shown = capsys.readouterr().out
    assert "temperature: 0.9" in shown and "on CiteSeer:" in shown
    assert "nearest: grace" in refused(capsys, "methods", "grase")


def test_settings_are_the_methods_own_unless_something_is_said(capsys):
    Path("settings.yaml").write_text("method: grace\nlr: 0.5\n")
    for arguments in (
        ["--config", "settings.yaml"],
        ["--method", "grace", "--lr", "0.5"],
        ["--method=grace", "--lr=0.5"],
    ):
        with pytest.raises(SystemExit):
            main(["pretrain", *arguments, "--print-config"])
        settings = yaml.safe_load(capsys.readouterr().out)
        assert (settings["encoder"], settings["temperature"], settings["epochs"]) == ("gcn", 0.4, 200)
        assert settings["lr"] == 0.5


def test_a_method_of_nodes_trains_on_one_graph_and_resumes(capsys):
    fast = ["--dataset", "karate", "--method", "grace", "--hidden", "8", "--threads", "1", "--device", "cpu"]
    assert main(["pretrain", *fast, "--epochs", "6", "--out", "whole"]) == 0
    out = capsys.readouterr().out
    assert "karate: 34 nodes, GRACE on cpu" in out and "nodes/s" in out
    assert main(["pretrain", *fast, "--epochs", "2", "--out", "parts"]) == 0
    assert main(["pretrain", "--resume", "--out", "parts", "--epochs", "6", "--device", "cpu"]) == 0
    assert Path("parts/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    capsys.readouterr()
    assert main(["evaluate", "whole", "--protocol", "kmeans", "--device", "cpu"]) == 0
    assert "GRACE" in capsys.readouterr().out


def test_arguments_and_objectives_reach_the_method(capsys):
    from graphcl._recipes import settings_for
    from graphcl._resolve import make_method

    made = make_method({**settings_for("bgrl"), "arguments": {"momentum": 0.5}, "seed": 0}, 4, total_steps=7)
    assert (made.target.momentum, made.target.total_steps) == (0.5, 7)
    made = make_method({**settings_for("cca-ssg", "CiteSeer"), "seed": 0}, 4)
    assert made.loss.decorrelation == 1e-3 and len(made.encoder.gnn.convs) == 1
    message = refused(capsys, "pretrain", "--method", "bgrl", "--arguments.momentun", "3", "--out", "run")
    assert "out of momentum, total_steps, got 'momentun'; nearest: momentum" in message
    assert "no arguments for grace" in refused(capsys, "pretrain", "--method", "grace", "--arguments.heed", "3")
    message = refused(capsys, "pretrain", "--method", "cca-ssg", "--objective.lambda", "3")
    assert "loss of cca-ssg out of decorrelation" in message
    assert "loss of dgi without" in refused(capsys, "pretrain", "--method", "dgi", "--temperature", "0.5")


def test_no_arguments_show_help(capsys):
    assert main([]) == 0
    assert "pretrain" in capsys.readouterr().out


def test_unknown_data_set_lists_near_names(capsys):
    assert "synthetic-molecules" in refused(capsys, "pretrain", "--dataset", "synthetic-molecule", "--out", "run")


def test_missing_raw_files_say_where_they_should_be(capsys, monkeypatch):
    message = refused(capsys, "pretrain", "--dataset", "MUTAG", "--out", "run")
    assert "MUTAG" in message and "datasets add MUTAG --from" in message


def test_wrong_yaml_key_names_the_nearest(capsys):
    Path("settings.yaml").write_text("temprature: 0.5\n")
    message = refused(capsys, "pretrain", "--config", "settings.yaml", "--out", "run")
    assert "'temprature'" in message and "temperature" in message


def test_unknown_flag_names_the_nearest(capsys):
    message = refused(capsys, "pretrain", "--temprature", "0.5")
    assert "--temprature" in message and "--temperature" in message


def test_wrong_type(capsys):
    message = refused(capsys, "pretrain", "--epochs", "many")
    assert "epochs" in message and "many" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "cuda:63"], "expected a device of this machine"),
        (["--views", "node-drop:1.5", "identity"], "within [0, 1]"),
        (["--views", "node-dorp", "identity"], "nearest: node-drop"),
        (["--encoder", "gni"], "nearest: gin"),
        (["--method", "grape"], "out of graphcl"),
        (["--readout", "median"], "out of sum"),
        (["--features", "random"], "constant"),
        (["--epochs", "0"], "epochs above 0"),
        (["--temperature", "-1"], "temperature above 0"),
        (["--resume", "--overwrite", "--out", "nowhere"], "found nothing at nowhere"),
        (["--resume"], "name it"),
    ],
)
def test_bad_values(capsys, arguments, words):
    assert words in refused(capsys, "pretrain", *arguments)


def test_a_single_graph_cannot_be_contrasted(capsys):
    assert main(["pretrain", "--dataset", "karate", "--out", "run", *FAST]) == 2
    assert "at least 2 graphs" in capsys.readouterr().err


def test_an_existing_run_is_kept_unless_told_otherwise(capsys):
    assert main(["pretrain", "--out", "run", *FAST]) == 0
    kept = Path("run/model.safetensors").read_bytes()
    capsys.readouterr()
    assert "--resume" in refused(capsys, "pretrain", "--out", "run", "--seed", "1", *FAST)
    assert Path("run/model.safetensors").read_bytes() == kept
    assert main(["pretrain", "--out", "run", "--seed", "1", "--overwrite", *FAST]) == 0
    assert Path("run/model.safetensors").read_bytes() != kept


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
def test_unwritable_output_folder(capsys):
    assert "expected a writable output folder" in refused(capsys, "pretrain", "--out", "/proc/self/run", *FAST)


def test_damaged_runs(capsys):
    assert main(["pretrain", "--out", "run", *FAST]) == 0
    capsys.readouterr()
    checkpoint = Path("run/checkpoint.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "truncated or damaged" in refused(capsys, "pretrain", "--resume", "--out", "run", "--epochs", "4")
    Path("run/model.safetensors").unlink()
    assert "finish the run first" in refused(capsys, "evaluate", "run")
    assert "found nothing" in refused(capsys, "evaluate", "elsewhere")
    assert "protocol" in refused(capsys, "evaluate", "run", "--protocol", "tu-rbf")


def test_half_written_raw_files(capsys, tu_home):
    file = tu_home / "Rings_graph_indicator.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-3]))
    message = refused(capsys, "datasets", "add", "Rings", "--from", str(tu_home))
    assert "Rings_A.txt" in message or "Rings_graph_indicator.txt" in message


def test_a_run_on_one_graph_is_scored_by_its_nodes(capsys, tmp_path):
    from graphcl._resolve import make_method
    from graphcl.train import RunFolder

    settings = {"dataset": "synthetic-social", "hidden": 8, "layers": 2, "epochs": 3, "seed": 1}
    folder = RunFolder(tmp_path / "run")
    folder.create(settings)
    whole = yaml.safe_load(run_defaults(capsys)) | settings
    folder.save_weights(make_method(whole, 50))
    assert main(["evaluate", str(folder.path), "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert "synthetic-social, node-linear-public: accuracy in %, 1 seed x 1 split, 700 nodes a split" in table
    assert main(["evaluate", str(folder.path), "--device", "cpu", "--protocol", "node-fixed-splits"]) == 0
    methods = [row.method for row in read_results(folder.path / "scores.csv")]
    assert methods == ["raw", "untrained-init", "untrained", "GraphCL", "supervised"] * 2
    assert main(["evaluate", str(folder.path), "--protocol", "link"]) == 2
    assert "link_split and evaluate_links" in capsys.readouterr().err
    assert main(["evaluate", str(folder.path), "--protocol", "node-liner"]) == 2
    assert "did you mean" in capsys.readouterr().err


def run_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["pretrain", "--print-config"])
    return capsys.readouterr().out


def test_audit_of_any_encoder(capsys, tu_home):
    assert main(["datasets", "add", "Rings", "--from", str(tu_home)]) == 0
    Path("mine.py").write_text(
        "import torch\n"
        "from torch_geometric.nn import GIN, global_add_pool\n"
        "class Pooling(torch.nn.Module):\n"
        "    def __init__(self, in_channels, width=4):\n"
        "        super().__init__()\n"
        "        self.gin = GIN(in_channels, width, num_layers=1)\n"
        "    def forward(self, x, edge_index, batch):\n"
        "        return global_add_pool(self.gin(x, edge_index), batch)\n"
        "def number():\n"
        "    return 3\n"
    )
    usual = ["--dataset", "Rings", "--features", "constant", "--seeds", "1", "--device", "cpu"]
    pyg = ["torch_geometric.nn:GIN", *usual, "--arguments.hidden_channels", "4", "--arguments.num_layers", "2"]
    for arguments, title in (
        (pyg, "GIN"),
        ([*pyg, "--protocol", "tu-linear-svm"], "GIN"),
        (["mine:Pooling", *usual, "--readout", "none"], "Pooling"),
        (["gcn", *usual, "--arguments.hidden_channels", "4"], "gcn"),
    ):
        assert main(["audit", *arguments]) == 0
        table = capsys.readouterr().out
        assert all(f"\n{row} " in table for row in ("raw", "untrained-init", "untrained", "wl", title))
        assert f"\n{title}: lift over the same network untrained" in table
    for arguments, words in (
        (["nowhere:GIN", *usual], "nowhere"),
        (["torch_geometric.nn:GINN", *usual], "nearest: GIN"),
        (["GIN", *usual], "MODULE:NAME"),
        (["torch_geometric.nn:GIN", *usual, "--arguments.widht", "4"], "hidden_channels"),
        (["mine:number", *usual], "torch module"),
        (["torch_geometric.nn:GIN"], "--dataset"),
        ([*pyg, "--weights", "none.pt"], "none.pt"),
        ([*pyg, "--readout", "median"], "readout"),
        ([*pyg, "--seeds", "0"], "seeds"),
        ([*pyg, "--dataset", "synthetic-social"], "class per graph"),
        ([*pyg, "--protocol", "tu-rbf-svm-grouped"], "groups of equal graphs"),
    ):
        assert words in refused(capsys, "audit", *arguments)


def test_audit_of_given_weights_and_of_a_run(capsys, tu_home):
    from safetensors.torch import save_file
    from torch_geometric.nn import GIN

    assert main(["datasets", "add", "Rings", "--from", str(tu_home)]) == 0
    capsys.readouterr()
    network = GIN(1, 4, num_layers=2)
    save_file(network.state_dict(), "w.safetensors")
    torch.save(network.state_dict(), "w.pt")
    Path("bad.pt").write_bytes(b"no zip")
    pyg = ["torch_geometric.nn:GIN", "--dataset", "Rings", "--features", "constant", "--seeds", "1", "--device", "cpu"]
    pyg += ["--arguments.hidden_channels", "4", "--arguments.num_layers", "2"]
    tables = []
    for file in ("w.safetensors", "w.pt"):
        assert main(["audit", *pyg, "--weights", file]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert "cannot be read" in refused(capsys, "audit", *pyg, "--weights", "bad.pt")
    wide = [*pyg, "--arguments.hidden_channels", "5"]
    assert "weights of this network" in refused(capsys, "audit", *wide, "--weights", "w.pt")

    # Every ring's embedding is a multiple of one row.
    assert main(["pretrain", "--dataset", "Rings", "--features", "constant", "--out", "run", *FAST]) == 0
    assert "graphcl: warning: epoch 2: the embeddings have collapsed" in capsys.readouterr().err
    assert main(["audit", "run", "--seeds", "1", "--device", "cpu"]) == 0
    assert "\nGraphCL: lift over the same network untrained" in capsys.readouterr().out
    assert "run folder alone" in refused(capsys, "audit", "run", "--weights", "w.pt")


def test_diagnostics_are_in_the_last_row_unless_they_are_turned_off(capsys):
    assert main(["pretrain", "--out", "run", *FAST]) == 0
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert "effective_rank" not in rows[0] and rows[1]["effective_rank"] > 1 and "alignment" in rows[1]
    assert main(["pretrain", "--out", "off", "--diagnostics", "false", *FAST]) == 0
    assert "effective_rank" not in Path("off/metrics.jsonl").read_text()
    for name in ("run", "off"):  # looking on changes nothing
        assert Path(f"{name}/model.safetensors").read_bytes() == Path("run/model.safetensors").read_bytes()
