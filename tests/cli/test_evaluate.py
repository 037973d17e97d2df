"""Scores of a run from the command line: of graphs, of nodes, of molecules."""

import io
import sys
from pathlib import Path

import pytest
import torch

import graphcl.data
from graphcl._recipes import settings_for
from graphcl._resolve import make_method
from graphcl.cli import main
from graphcl.data import Card, MoleculeDataset, card
from graphcl.data.cards import write_card
from graphcl.evaluate import read_results
from graphcl.train import RunFolder


def test_a_table_beside_what_needs_no_training(capsys, run):
    assert main(["evaluate", "run", "--protocol", "tu-linear-svm"]) == 0
    table = capsys.readouterr().out
    for row in ("raw", "untrained-init", "untrained", "wl", "GraphCL"):
        assert f"\n{row} " in table
    assert "lift over untrained" in table and table.rstrip().endswith("run folder: run")
    rows = read_results(run / "scores.csv")
    assert {row.command for row in rows} == {
        "graphcl evaluate run --dataset synthetic-molecules --protocol tu-linear-svm"
    }


def test_scores_that_cannot_be_written_are_printed(capsys, run, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    assert main(["evaluate", "run", "--protocol", "graph-kmeans"]) == 2
    told = capsys.readouterr()
    assert "\nGraphCL " in told.out and "graphcl: error: could not write run/scores.csv: disk full" in told.err


def test_a_terminal_that_lacks_a_letter_costs_no_scores(run, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["evaluate", str(run), "--protocol", "graph-knn"]) == 0
    assert b"mean ? over seeds" in written.getvalue() and (run / "scores.csv").is_file()


def test_several_protocols_share_the_embeddings(capsys, run):
    names = ["graph-knn", "graph-kmeans", "graph-retrieval"]
    assert main(["evaluate", *(word for name in names for word in ("--protocol", name)), "run"]) == 0
    out = capsys.readouterr().out
    assert "graph-knn: accuracy in %, 1 seed x 10 folds, 512 graphs" in out
    assert "graph-kmeans: nmi in %, 1 seed x 10 runs" in out and "graph-retrieval: precision@5 in %, 1 seed, 512" in out
    assert out.count("One seed: the interval") == 1 and out.count("no interval") == 2
    rows = read_results(run / "scores.csv")
    methods = ["raw", "untrained-init", "untrained", "GraphCL", "wl"]
    assert [(row.protocol, row.metric) for row in rows if row.method == "wl"] == [
        ("graph-knn", "accuracy"), ("graph-kmeans", "nmi"), ("graph-kmeans", "ari"),
        *(("graph-retrieval", f"precision@{k}") for k in (1, 5, 10)),
    ]  # fmt: skip
    assert [row.method for row in rows] == methods * 6


def test_pretrain_scores_at_the_end_if_it_is_told_to(capsys, rings, fast):
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    usual = ["--dataset", "Rings", "--features", "degree-onehot"]
    assert main(["pretrain", "--evaluate", *usual, "--out", "run", *fast]) == 0
    assert "lift over untrained" in capsys.readouterr().out
    assert Path("run/scores.csv").is_file()


@pytest.mark.parametrize(("patience", "by"), [([], "fixed epoch"), (["--patience", "1"], "lowest loss")])
def test_rows_say_what_chose_the_epoch(patience, by):
    small = ["--dataset", "karate", "--method", "grace", "--hidden", "8", "--threads", "1", "--device", "cpu"]
    assert main(["pretrain", *small, "--epochs", "2", *patience, "--out", "run"]) == 0
    assert main(["evaluate", "run", "--protocol", "kmeans", "--device", "cpu"]) == 0
    assert {row.selected_by for row in read_results(Path("run/scores.csv")) if row.method == "GRACE"} == {by}


@pytest.mark.filterwarnings("ignore:.*reached max_iter")
def test_labels_that_the_run_has_learned_from_are_no_test(capsys, tmp_path):
    """Random splits test nodes of train_mask, whose labels supervised contrast has read."""
    settings = {"dataset": "synthetic-social", "hidden": 8, "epochs": 3, "seed": 0, "method": "node-supcon"}
    folder = RunFolder(tmp_path / "run")
    folder.create(settings)
    folder.save_weights(make_method({**settings_for("node-supcon"), **settings}, 50))
    command = ["evaluate", str(folder.path), "--device", "cpu", "--protocol"]
    for protocol in ("node-linear-random", "node-bgrl-20-80", "knn", "kmeans"):
        assert main([*command, protocol]) == 2
        message = capsys.readouterr().err
        assert "expected labels that NodeSupCon has not seen, got synthetic-social" in message
        assert "or by a protocol whose split comes with the graph: node-linear-public" in message
    assert main([*command, "node-linear-public"]) == 0


@pytest.mark.parametrize("command", [["evaluate"], ["finetune", "--dataset", "synthetic-circles"]])
def test_graphs_whose_labels_the_run_has_learned_from_are_no_test(capsys, tmp_path, command):
    folder = RunFolder(tmp_path / "run")
    folder.create({"dataset": "synthetic-circles", "method": "graph-supcon", "seed": 0})
    assert main([*command, str(folder.path), "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert "expected labels that GraphSupCon has not seen, got synthetic-circles" in message
    assert message.rstrip().endswith("score it on another data set")


def test_a_run_on_one_graph_is_scored_by_its_nodes(capsys, tmp_path):
    settings = {"dataset": "synthetic-social", "hidden": 8, "layers": 2, "epochs": 3, "seed": 1}
    folder = RunFolder(tmp_path / "run")
    folder.create(settings)
    folder.save_weights(make_method({**settings_for("graphcl"), **settings}, 50))
    assert main(["evaluate", str(folder.path), "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert "synthetic-social, node-linear-public: accuracy in %, 1 seed x 1 split, 700 nodes a split" in table
    assert main(["evaluate", str(folder.path), "--device", "cpu", "--protocol", "node-fixed-splits"]) == 0
    methods = [row.method for row in read_results(folder.path / "scores.csv")]
    assert methods == ["raw", "untrained-init", "untrained", "GraphCL", "supervised"] * 2
    assert main(["evaluate", str(folder.path), "--protocol", "link"]) == 2
    assert "link_split and evaluate_links" in capsys.readouterr().err
    assert main(["evaluate", str(folder.path), "--protocol", "node-liner"]) == 2
    assert "nearest: node-linear-public" in capsys.readouterr().err


def test_nodes_with_several_tasks_are_refused_before_anything_is_embedded(capsys, tmp_path, monkeypatch):
    settings = {"dataset": "synthetic-social", "hidden": 8, "layers": 2, "epochs": 3, "seed": 1}
    folder, data = RunFolder(tmp_path / "run"), graphcl.data.load("synthetic-social")[0]
    folder.create(settings)
    folder.save_weights(make_method({**settings_for("graphcl"), **settings}, 50))
    data.y = torch.stack([data.y, data.y], 1)
    monkeypatch.setattr("graphcl.data.load", lambda *_, **__: [data])
    monkeypatch.setattr("graphcl.evaluate.compared_node_embeddings", lambda *_, **__: 1 / 0)
    assert main(["evaluate", str(folder.path), "--device", "cpu"]) == 2
    assert "several tasks, or labels of shape [nodes, 1], must be taken one by one" in capsys.readouterr().err


def test_runs_that_cannot_be_scored(refused, run):
    assert "protocol" in refused("evaluate", "run", "--protocol", "tu-rbf")
    Path("run/model.safetensors").unlink()
    assert "finish the run first" in refused("evaluate", "run")
    assert "found nothing" in refused("evaluate", "elsewhere")


def test_what_has_no_class_per_graph_or_node_is_refused_in_words(refused, run):
    assert "scored in Python, by ogb_link_split" in refused("evaluate", "run", "--dataset", "ogbl-collab")
    entry = card("MUTAG")
    path = Path("home/cards/numbers.yaml").resolve()
    write_card(Card(**{**vars(entry), "name": "numbers", "task": "regression", "protocols": (), "path": path}))
    assert "no protocol; graphcl embed writes its embeddings" in refused("evaluate", "run", "--dataset", "numbers")
    said = refused("bench", "--dataset", "numbers", "--method", "graphcl")
    assert "got numbers (regression, scored by nothing here)" in said and "then evaluate" not in said


@pytest.mark.usefixtures("molecules")
def test_runs_that_cannot_be_scored_on_molecules(refused, run, fast_molecules):
    assert "expected a run on molecules" in refused("evaluate", "run", "--dataset", "Tiny")
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "mine", *fast_molecules]) == 0
    tuning = ["--dataset", "Tiny", "--protocol", "ogb-finetune"]
    assert "use graphcl finetune" in refused("evaluate", "mine", *tuning)
    assert "expected --dataset NAME" in refused("evaluate", "mine")
    others = refused("evaluate", "mine", "--dataset", "synthetic-molecules")
    assert "expected a labelled set of molecules for GraphCL" in others


@pytest.mark.usefixtures("molecules")
def test_an_exported_encoder_scores_as_its_run_does(capsys, refused, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *fast_molecules]) == 0
    assert main(["export", "run", "--out", "mine"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--model", "mine", "--dataset", "TinyValues", "--device", "cpu"]) == 0
    assert "run folder: runs/mine-scores" in capsys.readouterr().out
    assert main(["evaluate", "run", "--dataset", "TinyValues", "--device", "cpu"]) == 0
    model, run = (read_results(f"{folder}/scores.csv") for folder in ("runs/mine-scores", "run"))
    assert [row.method for row in model] == ["raw", "untrained-init", "untrained", "mine", "fingerprint"]
    assert model[3].mean == pytest.approx(run[3].mean, rel=1e-2)  # float16 weights
    # The statistics of the untrained encoder are averaged over batches, whose size is the run's own business.
    assert [row.mean for row in model[:3]] == pytest.approx([row.mean for row in run[:3]], rel=1e-2)
    assert "graphcl evaluate --model mine --out runs/mine-scores --dataset TinyValues" in model[3].command
    assert "expected --dataset NAME to score on" in refused("evaluate", "--model", "mine")
    assert "unknown data set" in refused("evaluate", "--model", "mine", "--out", "new/scores", "--dataset", "nothing")
    assert not Path("new").exists()
    assert "expected a run folder or --model NAME, got both" in refused("evaluate", "run", "--model", "mine")


def test_without_smiles_it_is_said_why_there_is_no_fingerprint(capsys, molecules, fast_molecules, monkeypatch):
    """As of OGB's sets without their folder mapping."""
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *fast_molecules]) == 0
    monkeypatch.setattr(MoleculeDataset, "smiles", property(lambda dataset: [""] * len(dataset)))
    assert main(["evaluate", "run", "--dataset", "TinyValues", "--device", "cpu"]) == 0
    assert "no row of fingerprints: TinyValues came without SMILES" in capsys.readouterr().out
    assert "fingerprint" not in [row.method for row in read_results("run/scores.csv")]


def test_an_exported_encoder_of_other_graphs_is_scored(capsys, refused, rings, fast):
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    assert main(["pretrain", "--dataset", "Rings", "--features", "degree-onehot", "--out", "run", *fast]) == 0
    assert main(["export", "run", "--out", "mine"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--model", "mine", "--dataset", "Rings", "--device", "cpu"]) == 0
    assert "mine" in capsys.readouterr().out
    message = refused("evaluate", "--model", "mine", "--dataset", "synthetic-molecules", "--device", "cpu")
    assert "features for mine, got" in message


def test_a_protocol_of_other_data_is_answered_with_those_that_fit(refused, run):
    error = refused("evaluate", str(run), "--protocol", "knn")
    assert "expected a protocol for synthetic-molecules out of tu-rbf-svm, " in error and "nearest: graph-knn" in error
    assert "node_protocol(" not in error
    assert "expected jobs of at least 1, got 0" in refused("evaluate", str(run), "--jobs", "0")
