"""Data sets on the command line: listed, shown, added from raw files, and found again by runs."""

import os

import yaml

from graphcl.cli import main


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


def test_half_written_raw_files(refused, rings):
    file = rings / "Rings_graph_indicator.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-3]))
    message = refused("datasets", "add", "Rings", "--from", str(rings))
    assert "Rings_A.txt" in message or "Rings_graph_indicator.txt" in message
