import csv
import dataclasses
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from graphcl.errors import DataError, RunError
from graphcl.evaluate import COLUMNS, Result, merge_results, read_results, summarise, write_results
from graphcl.evaluate.results import of_weights

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def row(**change):
    return Result(
        **(
            {"dataset": "MUTAG", "method": "raw", "protocol": "p", "mean": 80.5, "seeds": 5, "folds": 10, "n_test": 188}
            | change
        )
    )


FULL = row(
    method="GraphCL", features="constant", std=1.25, std_folds=7.5, epochs=20, selected_by="fixed epoch", lift=-0.5,
    lift_low=-2.0, lift_high=1.0, p=1.5e-05, published=86.8, published_source="You et al., 2020, Table 5",
    split_hash="abc", version="0.1", device="cpu", seconds=12.5, command='graphcl "x", y', date="2026-01-01",
)  # fmt: skip


def test_columns_are_the_agreed_ones():
    assert ",".join(COLUMNS) == (
        "dataset,method,protocol,features,metric,mean,std,std_over,std_folds,seeds,folds,n_test,epochs,selected_by,lift,"
        "lift_low,lift_high,p,published,published_source,split_hash,version,device,seconds,command,date"
    )


@pytest.mark.parametrize("table", ["tu", "node", "molecules"])
def test_committed_means_and_lifts_are_those_of_the_committed_scores(table):
    raw = {}
    for row in read_results(RESULTS / f"{table}.csv"):
        path = RESULTS / "raw" / f"{row.dataset}.{row.protocol}.csv"
        if path not in raw:
            raw[path] = defaultdict(list)
            with path.open(newline="") as file:
                for one in csv.DictReader(file):
                    raw[path][one["method"], one["metric"]].append(float(one["score"]))
        unit = 1 if row.metric == "rmse" else 100
        mean = {method: unit * np.mean(own) for (method, metric), own in raw[path].items() if metric == row.metric}
        assert row.mean == pytest.approx(mean[row.method], rel=1e-4), row
        if row.lift is not None:  # over the same encoder untrained; some methods have one of their own
            sign = -1 if row.metric == "rmse" else 1
            over = [sign * (row.mean - m) for name, m in mean.items() if name.startswith(("untrained", "scratch"))]
            assert min(abs(row.lift - lift) for lift in over) < 2e-4 * max(1, abs(row.lift)), row


def test_summary_keeps_seeds_and_folds_apart():
    # Seeds alike, folds not; then the reverse.
    assert summarise([[70, 90], [90, 70]]) == (80, 0, pytest.approx(np.sqrt(200)))
    assert summarise([[70, 70], [90, 90]]) == (80, pytest.approx(np.sqrt(200)), 0)
    assert summarise([[70, 90]])[1] is None
    assert summarise([[70], [90]])[2] is None
    with pytest.raises(ValueError, match=r"\[seeds, folds\], got \[2\]"):
        summarise([1.0, 2.0])


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "tu.csv"
    write_results(path, [row(), FULL])
    assert read_results(path) == [row(), FULL]
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    before = path.read_bytes()
    write_results(path, read_results(path))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["tu.csv"]


def test_merge_replaces_in_place_and_adds(tmp_path):
    path = tmp_path / "tu.csv"
    write_results(path, [row(), FULL])
    newer = dataclasses.replace(FULL, mean=99.0)
    other = dataclasses.replace(FULL, protocol="q")
    write_results(path, [newer, other])
    assert read_results(path) == [row(), newer, other] == merge_results([row(), FULL], [newer, other])
    write_results(path, [row()], merge=False)
    assert read_results(path) == [row()]


def test_rows_of_earlier_weights_are_told_apart():
    rows = [row(method="wl", epochs=None), row(method="untrained", epochs=0), row(epochs=20), row(epochs=50)]
    assert of_weights(rows, 50) == [*rows[:2], rows[3]] and of_weights(rows, None) == rows


def test_a_failed_write_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "tu.csv"
    write_results(path, [row()])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RunError, match=r"could not write .*tu\.csv: disk full"):
        write_results(path, [FULL])
    assert read_results(path) == [row()]
    assert [file.name for file in tmp_path.iterdir()] == ["tu.csv"]


def test_a_table_that_could_not_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "tu.csv"
    write_results(path, [row()])
    for change in ({"mean": float("nan")}, {"lift": 1.0, "lift_high": float("inf")}):
        with pytest.raises(ValueError, match=r"expected a finite (mean|lift_high) of .*, got (nan|inf)"):
            write_results(path, [row(**change)])
    assert read_results(path) == [row()]


def test_bad_files_are_named(tmp_path):
    assert read_results(tmp_path / "absent.csv") == []
    path = tmp_path / "tu.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"tu.csv: expected the columns dataset,"):
        write_results(path, [row()])
    assert path.read_text() == "a,b\n1,2\n"
    write_results(tmp_path / "cut.csv", [row()])
    cut = tmp_path / "cut.csv"
    cut.write_text(cut.read_text()[:-30])
    with pytest.raises(DataError, match=r"cut.csv, line 2"):
        read_results(cut)
    write_results(tmp_path / "word.csv", [row()])
    word = tmp_path / "word.csv"
    word.write_text(word.read_text().replace("80.5", "high"))
    with pytest.raises(DataError, match=r"word.csv, row 1: could not convert"):
        read_results(word)
    word.write_text(word.read_text().replace(",high,", ",nan,"))
    with pytest.raises(DataError, match="finite mean"):
        read_results(word)
