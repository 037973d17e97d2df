"""Data sets on the command line: listed, shown, added from raw files, and found again by runs."""

import os
from pathlib import Path

import numpy as np
import yaml

from graphcl.cli import main
from graphcl.data import cards


def test_datasets(capsys, rings, fast, monkeypatch):
    assert main(["datasets"]) == 0
    assert "synthetic-molecules" in capsys.readouterr().out
    assert main(["datasets", "show", "MUTAG"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["counts"]["graphs"] == 188
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    assert "24 graphs" in capsys.readouterr().out
    assert main(["datasets", "list"]) == 0
    assert "Rings" in capsys.readouterr().out
    # The run remembers where its data lie, from whatever folder it is evaluated.
    where, home = ["--dataset", "Rings", "--features", "degree-onehot"], os.environ["GRAPHCL_HOME"]
    monkeypatch.setenv("GRAPHCL_HOME", "/nowhere")
    assert main(["pretrain", *where, "--root", os.path.relpath(home), "--out", "run", *fast]) == 0
    assert main(["embed", "run", "--out", "z.npz"]) == 0
    assert main(["evaluate", "run"]) == 0


def test_a_broken_card_hides_no_other(capsys):
    Path("home/cards").mkdir(parents=True)
    Path("home/cards/Broken.yaml").write_text("name: [")
    assert main(["datasets", "list"]) == 0
    said = capsys.readouterr()
    assert "MUTAG " in said.out and "Broken" not in said.out
    assert said.err.startswith("graphcl: warning: ") and "Broken.yaml is not valid YAML" in said.err


def test_the_columns_of_the_list_are_as_wide_as_what_is_in_them(capsys):
    assert main(["datasets", "list"]) == 0
    *rows, _ = capsys.readouterr().out.splitlines()
    assert len({row.index(" graphs  ") for row in rows}) == 1
    assert len({len(row) - len(entry.title) for row, entry in zip(rows, cards(), strict=True)}) == 1


def test_half_written_raw_files(refused, rings):
    file = rings / "Rings_graph_indicator.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-3]))
    message = refused("datasets", "add", "Rings", "--from", str(rings))
    assert "Rings_A.txt" in message or "Rings_graph_indicator.txt" in message


def test_labelled_molecules_of_ones_own(capsys, refused, molecules, fast_molecules):
    rows = [f"{text},{i % 2},{i / 7:.2f}" for i, text in enumerate(molecules)]
    Path("my own.csv").write_text("\n".join(["mol,active,logp", *rows[:3], "nonsense,1,1", *rows[3:]]) + "\n")
    words = ["datasets", "add", "mine", "--from", "my own.csv", "--smiles-column", "mol"]
    assert "expected --labels COLUMN ... for a file of molecules, got my own.csv without" in refused(*words)
    assert "has no column 'activ' to learn from. Its columns: mol, active, logp" in refused(*words, "--labels", "activ")
    assert main([*words, "--labels", "active"]) == 0
    out = capsys.readouterr().out
    assert "added mine: 48 molecules, classification" in out and "1 of 49 rows are not molecules" in out
    assert Path("home/cards/mine.skipped.csv").read_text().splitlines()[1].startswith("3,nonsense,")
    words[2] = "values"
    assert main([*words, "--labels", "logp"]) == 0
    out = capsys.readouterr().out
    assert "added values: 48 molecules, regression" in out and "taken as numbers" not in out

    assert main(["pretrain", "--data", "my.smi.gz", "--exclude", "mine", "--out", "run", *fast_molecules]) == 0
    tuning = ["--seeds", "0", "--epochs", "2", "--threads", "1", "--device", "cpu"]
    assert main(["finetune", "run", "--dataset", "mine", *tuning]) == 0
    assert "mine, features ogb, moleculenet-finetune-2-epochs: auc in %" in capsys.readouterr().out
    assert main(["evaluate", "run", "--dataset", "values", "--device", "cpu"]) == 0
    assert "values, features ogb, moleculenet-linear: rmse" in capsys.readouterr().out
    assert main(["embed", "run", "--dataset", "mine", "--out", "z.npz"]) == 0
    with np.load("z.npz", allow_pickle=False) as z:
        assert z["row"].tolist() == [*range(3), *range(4, 49)] and z["y"].ravel().tolist() == [i % 2 for i in range(48)]


def test_labels_that_may_be_classes_are_told_of(capsys, molecules):
    rows = [f"{text},{i % 3},{i / 7:.2f}" for i, text in enumerate(molecules)]
    Path("kinds.csv").write_text("\n".join(["smiles,kind,logp", *rows]) + "\n")
    assert main(["datasets", "add", "kinds", "--from", "kinds.csv", "--labels", "kind", "logp"]) == 0
    out = capsys.readouterr().out
    assert "kind: 0, 1, 2 are taken as numbers" in out and "logp:" not in out


def test_a_file_in_another_encoding(refused, capsys, molecules, fast_molecules):
    rows = [f"{text},{i % 2},caf\u00e9" for i, text in enumerate(molecules)]
    Path("old.csv").write_text("\n".join(["smiles,active,note", *rows]) + "\n", encoding="latin-1")
    add = ["datasets", "add", "old", "--from", "old.csv", "--labels", "active"]
    said = refused(*add)
    assert "old.csv, line 2: expected text in utf-8-sig" in said and "--encoding latin-1" in said
    assert main([*add, "--encoding", "latin-1"]) == 0
    assert "added old: 48 molecules" in capsys.readouterr().out
    assert main(["pretrain", "--data", "old.csv", "--encoding", "latin-1", "--out", "run", *fast_molecules]) == 0
    assert main(["embed", "run", "--out", "x.npz"]) == 0  # the run remembers how its file is read
    assert main(["embed", "run", "--data", "old.csv", "--encoding", "latin-1", "--out", "y.npz"]) == 0
    assert main(["embed", "run", "--dataset", "old", "--out", "z.npz"]) == 0
    first, *others = ({**np.load(name)}["graph"] for name in ("x.npz", "y.npz", "z.npz"))
    assert all(np.array_equal(first, other) for other in others)
