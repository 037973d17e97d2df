"""The page of a run."""

import sys
from dataclasses import replace

import pytest

from graphcl.errors import RunError
from graphcl.evaluate import Result, write_results
from graphcl.report import write_report, write_table_report
from graphcl.train import RunFolder


def test_page(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder = RunFolder(tmp_path)
    folder.create({"method": "graphcl", "dataset": "<b>toy</b>"})
    with pytest.raises(RunError, match="finished epoch"):
        write_report(folder)
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    text = write_report(folder).read_text()
    assert "Not evaluated yet" in text and "<b>toy" not in text and text.count("<svg") == 1
    row = Result(
        dataset="toy", method="GraphCL", protocol="tu-rbf-svm", mean=81.5, std_folds=3.0, seeds=1, folds=10, n_test=60
    )
    write_results(tmp_path / "scores.csv", [row])
    text = write_report(folder).read_text()
    assert "81.50" in text and text.count("<svg") == 2
    folder.write_config({"epochs": 50})
    for epochs, count in ((20, 0), (50, 1)):  # of weights before the run went on, and of its own
        write_results(tmp_path / "scores.csv", [replace(row, epochs=epochs)])
        assert write_report(folder).read_text().count("81.50") == count


def test_page_of_a_run_made_in_python(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder = RunFolder(tmp_path / "my <run>")
    with pytest.raises(RunError, match="found nothing at"):
        write_report(folder.path)
    folder.begin()  # what fit does: there are no settings to keep
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    text = write_report(str(folder.path)).read_text()
    assert "<h1>my &lt;run&gt;</h1>" in text and "Settings" not in text and text.count("<svg") == 1


def test_each_metric_has_a_figure_of_its_own(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder, drawn = RunFolder(tmp_path), []
    folder.create({})
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    several = [("graph-kmeans", "nmi", 12.0), ("graph-kmeans", "ari", 34.0), ("graph-retrieval", "precision@5", 56.0)]
    rows = [
        Result(dataset="toy", method=method, protocol=protocol, metric=metric, mean=mean, seeds=1, folds=1, n_test=60)
        for protocol, metric, mean in several
        for method in ("untrained", "GraphCL")
    ]
    write_results(tmp_path / "scores.csv", rows)
    module = sys.modules[write_report.__module__]
    monkeypatch.setattr(module, "score_bars", lambda *given, over: drawn.append((*given, over)) or "<svg></svg>")
    text = write_report(folder).read_text()
    assert drawn == [(["untrained", "GraphCL"], [mean] * 2, [0.0] * 2, metric, "") for _, metric, mean in several]
    assert all(text.count(f"{metric} in %") == 1 for _, metric, _ in several)


@pytest.mark.parametrize(
    ("protocol", "spreads", "over"),
    [("tu-rbf-svm", {"std": 1.0, "std_folds": 5.0}, "folds"), ("moleculenet-linear", {"std": 7.0}, "seeds")],
)
def test_a_figure_says_what_its_bars_are_over(tmp_path, protocol, spreads, over):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder = RunFolder(tmp_path)
    folder.create({"method": "graphcl", "dataset": None, "data": "/far/away/my.smi"})
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    row = Result(dataset="toy", method="raw", protocol=protocol, mean=80.0, seeds=3, folds=1, n_test=9, **spreads)
    write_results(tmp_path / "scores.csv", [row])
    text = write_report(folder).read_text()
    assert f"(bars: standard deviation over {over})" in text
    assert "<h1>graphcl on my.smi</h1>" in text and "dataset: null" in text


def test_rows_of_other_seeds_have_a_figure_and_a_header_of_their_own(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder = RunFolder(tmp_path)
    folder.create({})
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    of = {"dataset": "toy", "protocol": "graph-knn", "mean": 80.0, "folds": 10, "n_test": 60}
    one = Result(method="untrained", seeds=2, split_hash="0a", **of)
    write_results(tmp_path / "scores.csv", [one, Result(method="SimGRACE", seeds=5, split_hash="1b", **of)])
    text = write_report(folder).read_text()
    assert text.count("<svg") == 3
    for seeds, split in ((2, "0a"), (5, "1b")):
        assert f"toy, graph-knn: accuracy in %, {seeds} seeds x 10 folds, 60 graphs, split {split}" in text


def test_page_of_a_run_that_was_looked_at(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    folder = RunFolder(tmp_path)
    folder.create({})
    folder.append_metrics({"epoch": 1, "loss": 3.0})
    assert "Embeddings" not in write_report(folder).read_text()
    folder.append_metrics({"epoch": 2, "loss": 3.0, "effective_rank": 5.0, "spread": 0.5, "uniformity": -1.0})
    text = write_report(folder).read_text()
    assert "<h2>Embeddings</h2>" in text and text.count("<svg") == 2


def test_the_lifts_of_a_table_are_those_of_all_trained_encoders_each_by_its_own_name(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    lift = {"lift": 1.0, "lift_low": -1.0, "lift_high": 3.0}
    shared = {"dataset": "toy", "protocol": "tu-rbf-svm", "mean": 80.0, "seeds": 1, "folds": 10, "n_test": 60, **lift}
    baselines = ["raw", "wl", "untrained-init", "supervised", "fingerprint", "untrained (MVGRL)"]
    rows = [
        *(Result(method=method, **shared) for method in baselines),
        Result(method="GraphCL", features="degree", epochs=20, **shared),
        Result(method="GraphCL", features="constant", epochs=20, **shared),
        Result(method="zinc-gin", features="ogb", epochs=None, **shared),
    ]
    write_results(tmp_path / "scores.csv", rows)
    drawn = []
    module = sys.modules[write_report.__module__]
    monkeypatch.setattr(module, "lift_intervals", lambda names, *given: drawn.append(names) or "<svg></svg>")
    write_table_report(tmp_path)
    assert drawn == [["GraphCL on toy, features degree", "GraphCL on toy, features constant", "zinc-gin on toy"]]


def test_p_values_of_a_page_are_corrected_over_all_its_sets(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    given = {"method": "GraphCL", "protocol": "tu-rbf-svm", "mean": 80.0, "seeds": 1, "folds": 10, "n_test": 60}
    lift = {"lift": 2.0, "lift_low": 1.0, "lift_high": 3.0}
    rows = [Result(dataset=name, p=p, **given, **lift) for name, p in (("one", 0.01), ("other", 0.03))]
    write_results(tmp_path / "scores.csv", rows)
    text = write_table_report(tmp_path).read_text()
    assert text.count("p (Holm)") == 2 and "0.0200" in text and "0.0300" in text
