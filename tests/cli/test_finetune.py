"""Fine-tuning on labelled molecules from the command line: from a file of SMILES to a scored task."""

from pathlib import Path

import pytest
import yaml

from graphcl.cli import main
from graphcl.evaluate import read_results

TUNED = ["--epochs", "2", "--batch-size", "8", "--threads", "1", "--device", "cpu"]


def overlap(smiles):
    """How many molecules of Tiny are in the file, and of the file in Tiny, by canonical SMILES."""
    from rdkit.Chem import CanonSmiles

    tiny, file = ([CanonSmiles(t) for t in texts] for texts in (smiles, [*smiles[:20], *(f"CCC{t}" for t in smiles)]))
    return sum(text in file for text in tiny), sum(text in tiny for text in file)


def test_from_a_file_to_a_scored_task_in_three_commands(capsys, molecules, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--exclude", "Tiny", "--out", "run", *fast_molecules]) == 0
    out = capsys.readouterr().out
    assert "1 of 69 rows are not molecules and" in out and "nonsense" in Path("run/skipped.csv").read_text()
    shared, left_out = overlap(molecules)
    assert f"Tiny: {shared} of its 48 molecules are in the data as well" in out
    assert f"my: {68 - left_out} graphs, GraphCL on cpu" in out and "--dataset NAME" in out
    assert Path("run/overlap.csv").read_text().splitlines()[1] == f"Tiny,48,{shared},{left_out}"
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["vocab"], config["encoder"], config["dataset"], config["exclude"]) == (
        "ogb",
        "molecule",
        None,
        ["Tiny"],
    )

    tuning = ["--dataset", "Tiny", "--seeds", "0", "1", *TUNED]
    assert main(["finetune", "run", *tuning]) == 0
    out = capsys.readouterr().out
    assert "Tiny, features ogb, moleculenet-finetune-2-epochs-batch-size-8: auc in %, 2 seeds x 1 split" in out
    assert "lift over scratch" in out and "molecules are tested: expect several points" in out
    raw = Path("run/raw/Tiny.moleculenet-finetune-2-epochs-batch-size-8.csv")
    stored = raw.read_bytes()
    assert main(["finetune", "run", *tuning]) == 0 and raw.read_bytes() == stored
    assert main(["finetune", "run", "--head-only", "--protocol", "moleculenet-finetune-last-epoch", *tuning]) == 0
    assert main(["finetune", "run", "--dataset", "TinyValues", "--seeds", "0", "--precision", "bf16", *TUNED]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "--dataset", "Tiny", "--device", "cpu"]) == 0
    assert "Tiny, features ogb, moleculenet-linear: auc in %, 1 seed x 1 split" in capsys.readouterr().out
    assert main(["evaluate", "run", "--dataset", "TinyValues", "--protocol", "moleculenet-linear"]) == 0
    assert "rmse in the target's unit" in capsys.readouterr().out
    rows = read_results("run/scores.csv")
    assert [row.method for row in rows] == [
        *["scratch", "GraphCL"] * 3,
        *["raw", "untrained-init", "untrained", "GraphCL", "fingerprint"] * 2,
    ]
    assert rows[1].selected_by == "best validation epoch" and rows[3].selected_by == "last epoch"
    assert rows[3].protocol == "moleculenet-finetune-last-epoch-head-2-epochs-batch-size-8"
    assert (
        "--head-only" in rows[3].command and "--seeds 0 1" in rows[3].command and len({r.split_hash for r in rows}) == 1
    )


@pytest.mark.usefixtures("molecules")
def test_an_exported_encoder_is_tuned_as_its_run_is(capsys, refused, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *fast_molecules]) == 0
    assert main(["export", "run", "--out", "mine"]) == 0
    tuning = ["--dataset", "TinyValues", "--seeds", "0", *TUNED]
    capsys.readouterr()
    assert main(["finetune", "--model", "mine", *tuning]) == 0
    out = capsys.readouterr().out
    assert "scratch" in out and "mine" in out and "run folder: runs/mine-scores" in out
    assert main(["finetune", "run", *tuning]) == 0
    model, run = (read_results(f"{folder}/scores.csv") for folder in ("runs/mine-scores", "run"))
    assert [row.method for row in model] == ["scratch", "mine"]
    assert model[0].mean == run[0].mean and model[1].mean == pytest.approx(run[1].mean, rel=1e-2)  # float16 weights
    assert "graphcl finetune --model mine --out runs/mine-scores --dataset TinyValues" in model[1].command
    assert main(["finetune", "--model", "mine", "--out", "runs/mine-scores", *tuning]) == 0  # nothing twice

    assert "expected a run folder or --model NAME, got both" in refused("finetune", "run", "--model", "mine", *tuning)
    assert "expected a run folder or --model NAME, got neither" in refused("finetune", *tuning)
    assert "expected --out with --model" in refused("finetune", "run", "--out", "elsewhere", *tuning)
    refused("finetune", "--model", "mine", "--out", "new/scores", "--protocol", "moleculenet-linear", *tuning)
    assert not Path("new").exists()
    message = refused("finetune", "--model", "mine", "--out", "run", *tuning)
    assert "expected a folder for the scores of mine, got the run run" in message
    message = refused("finetune", "--model", "mine", "--out", "my.smi.gz", *tuning)
    assert "expected a folder that can be made" in message


@pytest.mark.usefixtures("molecules", "run")
def test_runs_that_cannot_be_tuned(refused, fast_molecules):
    assert "expected a run on molecules" in refused("finetune", "run", "--dataset", "Tiny")
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "mine", *fast_molecules]) == 0
    message = "expected a labelled set of molecules, or of graphs with a class each"
    assert message in refused("finetune", "mine", "--dataset", "karate")
    assert "got one on molecules" in refused("finetune", "mine", "--dataset", "synthetic-molecules")
    tuning = ["finetune", "mine", "--dataset", "Tiny"]
    assert "expected a set of OGB" in refused(*tuning, "--protocol", "ogb-finetune")
    assert "expected a protocol that tunes" in refused(*tuning, "--protocol", "moleculenet-linear")
    assert "expected precision" in refused(*tuning, "--precision", "fp8")


def test_few_labels_of_a_set_of_graphs(capsys, rings, fast):
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    assert main(["pretrain", "--dataset", "Rings", "--features", "degree-onehot", "--out", "run", *fast]) == 0
    capsys.readouterr()
    tuning = ["--dataset", "Rings", "--seeds", "0", "1", *TUNED]
    assert main(["finetune", "run", "--protocol", "tu-semi-10", *tuning]) == 0
    out = capsys.readouterr().out
    assert "Rings, features degree-onehot, semi-supervised-10-2-epochs-batch-size-8: accuracy in %, 2 seeds x 10" in out
    assert "lift over scratch" in out and "pretrained on all graphs, those of the test folds included" in out
    assert "A fold tests 2 graphs and learns from 2 labels" in out
    raw = Path("run/raw/Rings.semi-supervised-10-2-epochs-batch-size-8.csv")
    stored = raw.read_bytes()
    assert main(["finetune", "run", *tuning]) == 0 and raw.read_bytes() == stored  # ten percent by default
    assert (
        main(["finetune", "run", "--protocol", "semi-supervised-1", "--head-only", "--precision", "bf16", *tuning]) == 0
    )
    assert main(["finetune", "run", "--encoder-lr", "1e-4", *tuning]) == 0
    rows = read_results("run/scores.csv")
    assert [(row.method, row.epochs) for row in rows] == [("scratch", 0), ("GraphCL", 2)] * 3
    assert {row.selected_by for row in rows} == {"best validation epoch"}
    assert rows[0].command == (
        "graphcl finetune run --dataset Rings --protocol semi-supervised-10 --epochs 2 --batch-size 8 --seeds 0 1"
    )
    assert rows[2].protocol == "semi-supervised-1-head-2-epochs-batch-size-8" and "bf16" in rows[2].command
    assert "encoder-lr-0.0001" in rows[4].protocol and "--encoder-lr 0.0001" in rows[4].command


@pytest.mark.usefixtures("run")
def test_few_labels_refused(refused):
    tuning = ["finetune", "run", "--dataset", "synthetic-molecules"]
    assert "did you mean semi-supervised" in refused(*tuning, "--protocol", "semi-supervised-5")
    assert "expected --dropout with a set of molecules" in refused(*tuning, "--dropout", "0.1")
    assert "epochs >= 1" in refused(*tuning, "--epochs", "0")
