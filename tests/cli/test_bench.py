"""Tables of several methods and seeds from the command line."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from graphcl import _recipes
from graphcl.cli import main
from graphcl.evaluate import format_table, read_results

USUAL = [
    "--dataset",
    "Rings",
    "--features",
    "constant",
    "--epochs",
    "1",
    "--seeds",
    "0",
    "1",
    "--device",
    "cpu",
    "--out",
    "table",
]


@pytest.fixture
def _rings(rings, capsys):
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    capsys.readouterr()


def bench(*arguments: str) -> list:
    cheap = [] if "--protocol" in arguments else ["--protocol", "graph-knn"]
    assert main(["bench", *USUAL, *cheap, *arguments]) == 0
    return read_results(Path("table/scores.csv"))


def vectors() -> dict[str, np.ndarray]:
    """Every array of embeddings that is kept, under its key."""
    found = {}
    for path in Path("table/embeddings").glob("*.npz"):
        with np.load(path) as stored:
            found[str(stored["key"])] = stored["embeddings"]
    return found


@pytest.mark.usefixtures("_rings")
def test_methods_stand_beside_their_own_encoders_untrained(capsys):
    rows = bench("--method", "graphcl", "simgrace", "mvgrl-graph")
    names = [row.method for row in rows]
    # SimGRACE has GraphCL's encoder, MVGRL two of its own.
    assert names == [
        *("raw", "untrained-init", "untrained", "GraphCL", "SimGRACE", "untrained (MVGRL)", "MVGRL", "wl"),
    ]
    of = {row.method: row for row in rows}
    for method, twin in (("GraphCL", "untrained"), ("SimGRACE", "untrained"), ("MVGRL", "untrained (MVGRL)")):
        assert of[method].lift == pytest.approx(of[method].mean - of[twin].mean, abs=1e-3)
        assert (of[method].epochs, of[method].seeds, of[method].selected_by) == (1, 2, "fixed epoch")
    assert of["untrained (MVGRL)"].lift is None and of["untrained"].epochs == 0
    assert "--method graphcl simgrace mvgrl-graph" in of["GraphCL"].command and "--epochs 1" in of["GraphCL"].command
    out = capsys.readouterr().out
    assert format_table(rows[:2]).splitlines()[0] in out and "graphcl report table" in out


@pytest.mark.usefixtures("_rings")
def test_rows_whose_untrained_encoder_gets_other_seeds_are_named(capsys):
    bench("--method", "graphcl", "simgrace", "mvgrl-graph")
    bench("--method", "graphcl")
    assert "by other seeds" not in capsys.readouterr().out
    rows = bench("--method", "graphcl", "--seeds", "0")
    assert "table/scores.csv keeps SimGRACE on Rings by other seeds" in capsys.readouterr().out
    seeds = {row.method: row.seeds for row in rows}
    assert [seeds[name] for name in ("untrained", "GraphCL", "SimGRACE", "untrained (MVGRL)", "MVGRL")] == [
        1,
        1,
        2,
        2,
        2,
    ]


@pytest.mark.usefixtures("_rings")
def test_it_goes_on_where_it_stopped_and_adds(monkeypatch):
    bench("--method", "graphcl")
    before = vectors()
    fitted = []
    monkeypatch.setattr("graphcl.train.fit", lambda method, *_, **__: fitted.append(type(method).__name__) or _Done())
    rows = bench("--method", "graphcl", "simgrace")
    assert fitted == ["SimGRACE", "SimGRACE"], "one training per seed, and none of what is kept"
    after = vectors()
    assert all(np.array_equal(after[key], array) for key, array in before.items())
    assert {row.method for row in rows} >= {"GraphCL", "SimGRACE"}


def any_of_group(number: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


class _Done:
    interrupted = False


@pytest.mark.usefixtures("_rings")
def test_embeddings_of_other_graphs_of_that_name_are_not_taken(rings):
    first = bench("--method", "graphcl")
    edges = (rings / "Rings_A.txt").read_text().splitlines()
    (rings / "Rings_A.txt").write_text("\n".join([*edges[2:4], *edges[2:]]) + "\n")  # one edge less, one twice
    assert main(["datasets", "add", "Rings", "--from", str(rings), "--root", "other"]) == 0
    second = bench("--method", "graphcl", "--root", "other")
    assert len(vectors()) == 2 * 2 * 3 and [row.method for row in first] == [row.method for row in second]
    bench("--method", "graphcl")
    assert len(vectors()) == 2 * 2 * 3


@pytest.mark.usefixtures("_rings")
def test_what_is_interrupted_is_not_kept(monkeypatch, capsys):
    monkeypatch.setattr(_Done, "interrupted", True)
    monkeypatch.setattr("graphcl.train.fit", lambda *_, **__: _Done())
    assert main(["bench", *USUAL]) == 130
    assert not any('"row": "GraphCL"' in key for key in vectors())
    monkeypatch.undo()


@pytest.mark.usefixtures("_rings")
def test_processes_train_as_one_does(monkeypatch, environment):
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = bench("--method", "graphcl", "infograph")
        kept = vectors()
        for path in Path("table").rglob("*.*"):
            path.unlink()
        together = bench("--method", "graphcl", "infograph", "--workers", "2")
    finally:
        torch.set_num_threads(threads)
    assert vectors().keys() == kept.keys() and all(np.array_equal(vectors()[key], kept[key]) for key in kept)
    assert [(row.method, row.mean) for row in together] == [(row.method, row.mean) for row in alone]


@pytest.mark.usefixtures("_rings")
def test_a_termination_ends_the_processes_too(environment):
    words = ["bench", *USUAL, "--epochs", "1000000", "--workers", "2"]
    run = subprocess.Popen([sys.executable, "-m", "graphcl", *words], env=environment, start_new_session=True)
    try:
        for _ in range(600):
            time.sleep(0.1)
            if sum('"row": "untrained"' in key for key in vectors()) == 2:  # both train now
                break
        run.terminate()
        assert run.wait(60) == 130
        for _ in range(200):
            if not any_of_group(run.pid):
                break
            time.sleep(0.1)
        assert not any_of_group(run.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def test_a_table_of_nodes():
    words = ["--dataset", "synthetic-social", "--features", "original", "--protocol", "knn"]
    rows = bench(*words, "--method", "grace", "dgi")
    of = {row.method: row for row in rows}
    assert {"raw", "untrained", "GRACE", "untrained (DGI)", "DGI"} <= set(of)
    assert of["DGI"].lift == pytest.approx(of["DGI"].mean - of["untrained (DGI)"].mean, abs=1e-3)


def test_the_method_of_a_table_of_nodes_is_that_of_pretrain(capsys):
    rows = bench("--dataset", "synthetic-social", "--features", "original", "--protocol", "knn")
    assert [row.method for row in rows if row.selected_by] == ["CCA-SSG"]
    assert all("--method cca-ssg" in row.command for row in rows)


@pytest.mark.usefixtures("_rings")
def test_several_protocols_share_the_training():
    rows = bench("--protocol", "graph-knn", "graph-retrieval")
    assert {row.protocol for row in rows} == {"graph-knn", "graph-retrieval"}
    assert {path.name for path in Path("table/raw").iterdir()} == {
        *("Rings.graph-knn.csv", "Rings.graph-retrieval.csv"),
    }
    assert sum('"row": "GraphCL"' in key for key in vectors()) == 2


@pytest.mark.usefixtures("_rings")
def test_the_page_of_a_table(capsys):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    bench()
    assert main(["report", "table"]) == 0
    text = Path("table/report.html").read_text()
    assert "What training has added" in text and text.count("<svg") == 2


@pytest.mark.usefixtures("_rings")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "grahpcl"], "nearest: graphcl"),
        (["--dataset", "Ringz"], "Rings"),
        (["--protocol", "tu-rfb-svm"], "tu-rbf-svm"),
        (["--protocol", "knn"], "graph-knn"),
        (["--method", "graph-supcon"], "which learns from them"),
        (["--method", "graphcl", "graphcl"], "each method once"),
        (["--seeds", "1", "1"], "each seeds once"),
        (["--workers", "0"], "workers of at least 1"),
        (["--seeds", "0", "-1"], "seeds of at least 0 and below 2**32, got -1"),
        (["--seeds", "0", str(2**32)], "seeds of at least 0 and below 2**32, got 4294967296"),
        (["--jobs", "0"], "expected jobs of at least 1, got 0"),
        (["--method", "graphcl", "GraphCL"], "each method once"),
        (["--protocol", "moleculenet-linear"], "expected a protocol for Rings out of tu-rbf-svm, "),
        (["--protocol", "tu-rbf-svm-grouped"], "groups of equal graphs"),
        (["--dataset", "karate", "--features", "original", "--protocol", "node-linear-public"], "random-10-10-80"),
        (["--dataset", "karate", "--features", "original", "--protocol", "graph-knn"], "got 'graph-knn'; nearest: knn"),
        (["--epochs", "0"], "epochs of at least 1"),
        (["--features", "colour"], "degree"),
        (["--dataset", "synthetic-social", "--features", "original", "--protocol", "link"], "link_split"),
        (
            ["--dataset", "synthetic-social", "--features", "original", "--method", "graphcl"],
            "GraphCL",
        ),  # one graph has nothing to be contrasted with
    ],
)
def test_refusals_come_before_training(refused, arguments, words):
    assert words in refused("bench", *USUAL, *arguments)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0] * 24, "expected at least 2 classes"),
        ([0] * 21 + [1] * 3, "got 3 of class 1; score Rings by graph-kmeans or graph-retrieval"),
    ],
)
def test_labels_that_no_fold_can_have_are_refused_before_training(refused, rings, labels, words):
    (rings / "Rings_graph_labels.txt").write_text("".join(f"{label}\n" for label in labels))
    root = ["--root", str(Path("home").resolve())]  # a process keeps the sets of a folder that it has read
    assert main(["datasets", "add", "Rings", "--from", str(rings), *root]) == 0
    error = refused("bench", *USUAL, *root, "--protocol", "tu-rbf-svm")
    assert words in error and "with_folds" not in error


def test_the_folder_must_be_one_for_tables(run, refused):
    assert "the run run" in refused("bench", "--out", "run")
    Path("file").write_text("")
    assert "can be written to" in refused("bench", "--out", "file/table")


def test_every_row_that_a_card_quotes_is_called_as_in_tables():
    """A published score stands beside ours only where both have the same name."""
    names = {known.name for known in _recipes.METHODS.values()}
    assert {"AD-GCL", "MVGRL", "CCA-SSG", "G-BT", "GraphMAE", "MolCLR"} <= names


def test_a_result_of_a_table_has_the_columns_of_the_others():
    with open(Path(__file__).parents[2] / "benchmarks/results/tu.csv", newline="") as file:
        columns = next(csv.reader(file))
    assert main(["bench", "--epochs", "1", "--seeds", "0", "--protocol", "graph-retrieval", "--out", "t"]) == 0
    with open("t/scores.csv", newline="") as file:
        assert next(csv.reader(file)) == columns
