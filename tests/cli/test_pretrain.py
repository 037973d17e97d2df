"""Pretraining from the command line: what it writes, what it prints, how it refuses (status 2, a message)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from graphcl._recipes import recipe
from graphcl._resolve import make_method
from graphcl.cli import main
from graphcl.cli.pretrain import _tell
from graphcl.data import load
from graphcl.evaluate import Diagnostics, read_results
from graphcl.train import History, RunFolder


def test_a_run_is_a_folder_that_says_how_to_go_on(capsys, fast):
    assert main(["pretrain", "--out", "run", *fast]) == 0
    assert "run folder: run" in capsys.readouterr().out
    names = sorted(path.name for path in Path("run").iterdir())
    assert names == ["checkpoint.pt", "config.yaml", "embeddings.json", "metrics.jsonl", "model.safetensors"]
    assert len(Path("run/metrics.jsonl").read_text().splitlines()) == 2


def test_an_interrupt_leaves_a_checkpoint_and_the_command_to_go_on(environment):
    command = [sys.executable, "-m", "graphcl", "pretrain", "--epochs", "100000", "--out", "run", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
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


@pytest.mark.parametrize("encoder", ["gin", "gcn", "sage", "gat"])
def test_every_encoder_trains(encoder, fast):
    assert main(["pretrain", "--encoder", encoder, "--readout", "mean", "--out", "run", *fast, "--epochs", "1"]) == 0


def test_a_method_of_nodes_trains_on_one_graph_and_resumes(capsys, monkeypatch):
    small = ["--dataset", "karate", "--method", "grace", "--hidden", "8", "--threads", "1", "--device", "cpu"]
    assert main(["pretrain", *small, "--epochs", "6", "--out", "whole"]) == 0
    out = capsys.readouterr().out
    assert "karate: 34 nodes, GRACE on cpu" in out and "nodes/s" in out
    assert main(["pretrain", *small, "--epochs", "2", "--out", "parts"]) == 0
    assert main(["pretrain", "--resume", "--out", "parts", "--epochs", "6", "--device", "cpu"]) == 0
    assert Path("parts/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("graphcl.train.fit", lambda *given, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # before its checkpoint is accepted nothing is touched
            main(["pretrain", "--resume", "--out", "parts", "--epochs", "9", "--device", "cpu"])
    assert Path("parts/model.safetensors").exists() and RunFolder("parts").read_config()["epochs"] == 6
    capsys.readouterr()
    assert main(["evaluate", "whole", "--protocol", "kmeans", "--device", "cpu"]) == 0
    assert "GRACE" in capsys.readouterr().out


def test_views_may_drop_nodes_of_a_graph_with_held_out_links(capsys):
    small = ["--dataset", "synthetic-social", "--hidden", "8", "--threads", "1", "--device", "cpu", "--epochs", "2"]
    assert main(["pretrain", "--method", "grace", "--views", "node-drop:0.2", "subgraph", *small, "--out", "run"]) == 0


def test_diagnostics_are_in_the_last_row_unless_they_are_turned_off(run, fast):
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert "effective_rank" not in rows[0] and rows[1]["effective_rank"] > 1 and "alignment" in rows[1]
    assert main(["pretrain", "--out", "off", "--diagnostics", "false", *fast]) == 0
    assert "effective_rank" not in Path("off/metrics.jsonl").read_text()
    # Looking on changes nothing.
    assert Path("off/model.safetensors").read_bytes() == Path("run/model.safetensors").read_bytes()


def test_an_existing_run_is_kept_unless_told_otherwise(refused, run, fast):
    kept = Path("run/model.safetensors").read_bytes()
    assert "--resume" in refused("pretrain", "--out", "run", "--seed", "1", *fast)
    assert Path("run/model.safetensors").read_bytes() == kept
    assert main(["pretrain", "--out", "run", "--seed", "1", "--overwrite", *fast]) == 0
    assert Path("run/model.safetensors").read_bytes() != kept


def test_unknown_data_set_lists_near_names(refused):
    assert "synthetic-molecules" in refused("pretrain", "--dataset", "synthetic-molecule", "--out", "run")


def test_missing_raw_files_say_where_they_should_be(refused):
    message = refused("pretrain", "--dataset", "MUTAG", "--out", "run")
    assert "MUTAG" in message and "datasets add MUTAG --from" in message


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
        (
            ["--dataset", "karate", "--method", "grace", "--batch-size", "16"],
            "no batch_size for karate, which is one graph",
        ),
        (["--temperature", "-1"], "temperature above 0"),
        (["--method", "graph-supcon", "--evaluate"], "a method that learns without labels for --evaluate"),
        (["--optimizer", "sgd"], "expected optimizer to be 'adam' or 'adamw', got 'sgd'"),
        (["--schedule", "linear"], "expected schedule to be 'constant' or 'cosine'"),
        (["--precision", "fp8"], "expected precision to be 'fp32' or 'bf16'"),
        (["--clip", "-1"], "expected clip above 0"),
        (["--patience", "0"], "expected patience above 0"),
        (["--accumulate", "0"], "expected accumulate above 0"),
        (["--warmup", "-1"], "expected warmup of at least 0"),
        (["--weight-decay", "-1"], "expected weight_decay of at least 0"),
        (["--resume", "--overwrite", "--out", "nowhere"], "found nothing at nowhere"),
        (["--resume"], "name it"),
    ],
)
def test_bad_values(refused, arguments, words):
    assert words in refused("pretrain", *arguments)
    assert not Path("runs").exists()  # nothing has begun


def test_arguments_that_a_method_or_a_loss_does_not_take(refused):
    message = refused("pretrain", "--method", "bgrl", "--arguments.momentun", "3", "--out", "run")
    assert "out of momentum, total_steps, got 'momentun'; nearest: momentum" in message
    assert "no arguments for grace" in refused("pretrain", "--method", "grace", "--arguments.heed", "3")
    message = refused("pretrain", "--method", "cca-ssg", "--objective.lambda", "3")
    assert "loss of cca-ssg out of decorrelation" in message
    assert "loss of dgi without" in refused("pretrain", "--method", "dgi", "--temperature", "0.5")


def test_a_single_graph_cannot_be_contrasted(capsys, fast):
    assert main(["pretrain", "--dataset", "karate", "--method", "graphcl", "--out", "run", *fast]) == 2
    assert "at least 2 graphs" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
def test_unwritable_output_folder(refused, fast):
    assert "expected a writable output folder" in refused("pretrain", "--out", "/proc/self/run", *fast)


def test_a_damaged_checkpoint_is_not_gone_on_with(refused, run):
    checkpoint = Path("run/checkpoint.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "truncated or damaged" in refused("pretrain", "--resume", "--out", "run", "--epochs", "4")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lr", "0.5"], "lr=0.5 (there 0.01)"),
        (["--temperature", "0.7"], "temperature=0.7 (there 0.2)"),
        (["--views", "identity", "identity"], "views=['identity', 'identity'] (there ['identity', 'random4'])"),
        (["--hidden", "8", "--seed", "5"], "hidden=8 (there 4), seed=5 (there 0)"),
        (["--objective.symmetric", "true"], "objective={'symmetric': True} (there {})"),
        (["--method", "infograph"], "method=infograph (there graphcl)"),  # which has no views
        (["--dataset", "synthetic-social"], "dataset=synthetic-social (there synthetic-molecules)"),
    ],
)
def test_a_run_is_gone_on_with_as_it_was_or_left_alone(refused, run, arguments, words):
    resume = ["pretrain", "--resume", "--out", "run", "--epochs", "3", "--device", "cpu"]
    assert f"with its own settings, got {words}; leave them out" in refused(*resume, *arguments)
    assert main(resume) == 0


def test_a_run_does_not_go_back_to_fewer_epochs(refused, run):
    told = (run / "config.yaml").read_bytes()
    said = refused("pretrain", "--resume", "--out", "run", "--epochs", "1", "--device", "cpu")
    assert "expected at least the 2 epochs that run has already, got 1" in said
    assert (run / "config.yaml").read_bytes() == told  # or its scores would be said to be of one epoch


@pytest.mark.parametrize("asked", [["--schedule", "cosine"], ["--method", "graph-byol"]])  # of the rate, of a momentum
def test_a_schedule_fixes_the_number_of_epochs(refused, fast, asked):
    assert main(["pretrain", "--out", "run", *asked, *fast]) == 0
    assert "got epochs=4 (there 2)" in refused("pretrain", "--resume", "--out", "run", "--epochs", "4")
    assert main(["pretrain", "--resume", "--out", "run", "--device", "cpu"]) == 0


@pytest.mark.usefixtures("molecules")
@pytest.mark.parametrize("method", ["simgrace", "joao", "joao-v2", "infograph", "graph-byol", "grace", "dgi"])
def test_other_methods_run_on_molecules(capsys, method, fast_molecules):
    assert main(["pretrain", "--dataset", "Tiny", "--method", method, "--out", "run", *fast_molecules]) == 0
    assert f"Tiny: 48 graphs, {recipe(method).name}" in capsys.readouterr().out


def test_what_cannot_be_scored_is_not_trained_for_it(rings, refused, fast):
    labels = rings / "Rings_graph_labels.txt"
    labels.write_text("0\n" * 20 + "1\n" * 4)
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    pretrain = ["pretrain", "--dataset", "Rings", "--features", "constant", *fast]
    assert "graph-retrieval" in refused(*pretrain, "--evaluate")
    assert main([*pretrain, "--out", "run"]) == 0


@pytest.mark.usefixtures("molecules")
@pytest.mark.parametrize("vocab", ["pyg", "hu2020"])
def test_another_index_table_is_kept_and_not_mixed(vocab, refused, fast_molecules):
    assert (
        main(["pretrain", "--dataset", "Tiny", "--vocab", vocab, "--out", "whole", *fast_molecules, "--epochs", "2"])
        == 0
    )
    assert main(["pretrain", "--dataset", "Tiny", "--vocab", vocab, "--out", "run", *fast_molecules]) == 0
    resume = ["pretrain", "--resume", "--out", "run", "--device", "cpu", "--epochs", "2"]
    assert "expected the index table of the run" in refused(*resume, "--vocab", "ogb")
    assert main(resume) == 0
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    assert main(["evaluate", "run", "--dataset", "Tiny", "--device", "cpu"]) == 0
    assert read_results("run/scores.csv")[0].features == vocab


@pytest.mark.usefixtures("molecules")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "my.smi.gz", "--dataset", "Tiny"], "expected --dataset or --data, got both"),
        (["--data", "other.smi"], "is not there"),
        (["--data", "my.smi.gz", "--smiles-column", "text"], "has lines of SMILES and no columns"),
        (["--data", "my.smi.gz", "--features", "degree"], "expected a file of molecules with its own features"),
        (["--data", "my.smi.gz", "--evaluate"], "expected a data set with labels for --evaluate"),
        (["--dataset", "Tiny", "--smiles-column", "text"], "expected --smiles-column with --data"),
        (["--dataset", "Tiny", "--encoding", "latin-1"], "expected --encoding with --data"),
        (["--data", "my.smi.gz", "--encoding", "latin-11"], "expected an encoding that Python knows"),
        (["--dataset", "Tiny", "--vocab", "odb"], "expected vocab to be 'ogb'"),
        (["--dataset", "Tiny", "--encoder", "gin"], "expected encoder molecule for a set of molecules"),
        (["--encoder", "molecule"], "expected a set of molecules for encoder molecule"),
        (["--vocab", "ogb"], "expected vocab for a set of molecules alone"),
        (["--method", "molclr"], "expected graphs made from SMILES for the view atom-mask"),
        (["--dataset", "Tiny", "--conv", "gat"], "out of gin, gcn"),
        (["--dataset", "Tiny", "--views", "atom-mask:2", "identity"], "within [0, 1]"),
        (["--dataset", "Tiny", "--method", "molclr", "--vocab", "hu2020"], "expected vocab ogb or pyg for the view"),
        (["--exclude", "Tiny"], "expected molecules to leave out those of Tiny"),
        (["--dataset", "Tiny", "--exclude", "karate"], "expected sets of molecules to exclude, got karate"),
        (["--dataset", "Tiny", "--exclude", "TinyValues"], "expected molecules that are in none of TinyValues"),
        (["--dataset", "Tiny", "--exclude", "TinyValues", "--exclude-by", "name"], "expected exclude-by to be"),
    ],
)
def test_bad_values_on_molecules(refused, arguments, words):
    assert words in refused("pretrain", "--out", "run", *arguments)


def test_a_refused_resumption_leaves_the_list_of_skipped_rows(molecules, refused, fast_molecules):
    file = Path("mine.smi")
    file.write_text("\n".join([*molecules, "nonsense"]))
    assert main(["pretrain", "--data", "mine.smi", "--out", "run", *fast_molecules]) == 0
    listed = Path("run/skipped.csv").read_bytes()
    file.write_text("\n".join(molecules[:20]))
    assert "size=" in refused("pretrain", "--resume", "--out", "run", "--epochs", "2", "--device", "cpu")
    assert Path("run/skipped.csv").read_bytes() == listed


def test_a_method_without_what_it_needs_leaves_nothing_behind(refused):
    words = ["--arguments.modality", "text", "--arguments.modality_channels", "7", "--out", "run"]
    message = refused("pretrain", "--method", "cross-modal", *words)
    assert "expected the attribute 'text' with 7 numbers for each of 2 graphs, got none" in message


@pytest.mark.parametrize("kind", [None, "fingerprint"])
def test_molecules_are_contrasted_with_what_is_computed_of_them(kind, molecules, fast_molecules, capsys):
    asked = [] if kind is None else ["--arguments.modality", kind]
    words = ["--dataset", "Tiny", "--method", "cross-modal", *asked, *fast_molecules]
    assert main(["pretrain", *words, "--out", "run"]) == 0
    assert "CrossModal on cpu" in capsys.readouterr().out
    assert f"modality: {kind or 'properties'}" in Path("run/config.yaml").read_text()
    assert main(["embed", "run", "--dataset", "TinyValues", "--device", "cpu", "--out", "z.npz"]) == 0


@pytest.mark.parametrize(
    ("name", "after"),
    [("ogbl-collab", "links are scored in Python, by ogb_link_split"), ("MUTAG", "next: graphcl")],
)
def test_what_comes_next_is_what_works(name, after, capsys):
    config = SimpleNamespace(data=None, dataset=name, root=None, evaluate=False)
    _tell(History(epochs=[{"epoch": 1, "loss": 2.0, "nodes_per_s": 3.0}]), RunFolder("runs/mine"), "nodes", config)
    assert f"run folder: runs/mine   ({after}" in capsys.readouterr().out


class TestWhatSeveralRanksAreTold:
    def told(self, history, monkeypatch, capsys, **environment):
        for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", **environment}.items():
            monkeypatch.setenv(name, value)
        _tell(history, RunFolder("runs/mine"), "graphs", None)
        return capsys.readouterr().out

    @pytest.mark.parametrize(
        ("nodes", "each", "starter"), [("1", "8", "torchrun"), ("2", "4", "torchrun --nnodes=2")], ids=["one", "two"]
    )
    def test_to_go_on_with_as_many_on_every_machine(self, nodes, each, starter, monkeypatch, capsys):
        where = {"GROUP_WORLD_SIZE": nodes, "LOCAL_WORLD_SIZE": each}
        said = self.told(History(interrupted=True), monkeypatch, capsys, **where)
        assert f"go on with: {starter} --nproc-per-node={each} -m graphcl pretrain --resume --out runs/mine" in said

    @pytest.mark.parametrize(("count", "words"), [(1, "1 graph an epoch was left out"), (3, "3 graphs an epoch were")])
    def test_how_many_graphs_were_left_out(self, count, words, monkeypatch, capsys):
        history = History(left_out=count, interrupted=True)
        assert words in self.told(history, monkeypatch, capsys, LOCAL_WORLD_SIZE="8")


class TestResumed:
    """The run's own settings count, however it is asked for."""

    @pytest.mark.parametrize(
        ("arguments", "file"),
        [
            (["--resume", "--out", "run"], None),
            (["--resume", "--out=run"], None),
            (["--config", "c.yaml"], "resume: true\nout: run\n"),
            (["--config", "c.yaml", "--resume"], "out: run\n"),
        ],
    )
    def test_it_ends_where_it_was_to_end(self, arguments, file, run):
        if file is not None:
            Path("c.yaml").write_text(file)
        before = Path("run/metrics.jsonl").read_bytes()
        assert main(["pretrain", *arguments]) == 0
        assert Path("run/metrics.jsonl").read_bytes() == before


def test_a_shortened_option_is_unknown(refused, run):
    assert "did you mean --resume" in refused("pretrain", "--resum", "--out", "run")


def test_a_folder_that_another_process_trains_into_is_left_alone(refused, fast, run, environment):
    code = "import fcntl, os; fcntl.flock(os.open('run', os.O_RDONLY), fcntl.LOCK_EX); print(1, flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "1\n"
        for more in (["--overwrite"], ["--resume"]):
            message = refused("pretrain", "--out", "run", *more, *(fast if more == ["--overwrite"] else []))
            assert "another process is training into it" in message
        other.communicate("\n")
    assert main(["pretrain", "--out", "run", "--overwrite", *fast]) == 0


def test_a_seed_that_is_too_long_is_refused(refused, fast):
    assert "whole number of 64 bits" in refused("pretrain", "--seed", "9" * 20, *fast)


def test_a_view_with_a_colon_and_no_share_is_refused(refused, fast):
    assert "a share after the colon" in refused("pretrain", "--views", "node-drop:", "identity", *fast)


def test_the_profile_is_that_of_the_weights_that_are_kept(capsys):
    words = ["--dataset", "synthetic-social", "--method", "dgi", "--epochs", "400", "--patience", "3", "--lr", "0.5"]
    assert main(["pretrain", *words, "--hidden", "8", "--device", "cpu", "--out", "run"]) == 0
    assert "which had the lowest loss" in capsys.readouterr().out
    folder = RunFolder("run")
    method = make_method(folder.read_config(), load("synthetic-social").num_features)
    folder.load_weights(method)
    graph = load("synthetic-social")[0]
    for name, values in Diagnostics(graph).profile(method).items():
        assert folder.read_profile()[name] == pytest.approx(values)
