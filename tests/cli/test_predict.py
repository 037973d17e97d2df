"""Predictions of molecules without labels, from the command line."""

import csv
from pathlib import Path

import pytest
from rdkit.Chem import CanonSmiles

from graphcl.cli import main
from graphcl.data import load

TUNING = ["--epochs", "3", "--batch-size", "8", "--threads", "1", "--device", "cpu"]
TINY = ["predict", "mine", "--dataset", "Tiny", "--data", "new.csv", *TUNING]


@pytest.fixture
def pretrained(molecules: list[str], fast_molecules: list[str]) -> list[str]:
    """A run on molecules, and a file to predict with a row that is none."""
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "mine", *fast_molecules]) == 0
    lines = ["smiles,name", f"{molecules[0]},a", "nonsense,b", f"{molecules[1]},c"]
    Path("new.csv").write_text("\n".join(lines) + "\n")
    return molecules


def rows_of(path: str) -> list[list[str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_probabilities_are_the_mean_over_the_seeds(capsys, pretrained):
    assert main([*TINY, "--out", "both.csv", "--seeds", "0", "1"]) == 0
    told = capsys.readouterr()
    assert "both.csv: 2 molecules, 2 tasks" in told.out and "1 of 3 rows are not molecules" in told.out
    assert (
        "Tiny, seed 1: epoch" in told.err
        and "auc in %: " in told.err
        and "nonsense" in Path("both.skipped.csv").read_text()
    )
    tasks = list(load("Tiny").tasks)
    header, *both = rows_of("both.csv")
    assert header == ["row", "smiles", *tasks, *(f"{task} std" for task in tasks)]
    assert [row[0] for row in both] == ["0", "2"]
    assert [CanonSmiles(row[1]) for row in both] == [CanonSmiles(text) for text in pretrained[:2]]
    single = []
    for seed in ("0", "1"):
        assert main([*TINY, "--out", f"{seed}.csv", "--seeds", seed]) == 0
        header, *rows = rows_of(f"{seed}.csv")
        assert header == ["row", "smiles", *tasks]
        single.append([[float(value) for value in row[2:]] for row in rows])
    for row, first, second in zip(both, *single, strict=True):
        means, spreads = ([float(value) for value in part] for part in (row[2:4], row[4:]))
        assert all(0 < value < 1 for value in first + second) and first != second
        assert means == pytest.approx([(a + b) / 2 for a, b in zip(first, second, strict=True)], rel=1e-4)
        assert spreads == pytest.approx(
            [abs(a - b) / 2**0.5 for a, b in zip(first, second, strict=True)], rel=1e-3, abs=1e-6
        )


@pytest.mark.usefixtures("pretrained")
def test_numbers_come_in_their_own_unit():
    labels = load("TinyValues").y
    values = [*TINY[:3], "TinyValues", *TINY[4:]]
    assert main([*values, "--out", "p.csv", "--seeds", "0"]) == 0
    low, high = float(labels.min()), float(labels.max())
    reach = 2 * (high - low)
    assert all(low - reach < float(row[2]) < high + reach for row in rows_of("p.csv")[1:])


@pytest.mark.usefixtures("pretrained")
def test_an_exported_encoder_predicts_and_leaves_no_folder():
    assert main(["export", "mine", "--out", "exported"]) == 0
    model = ["predict", "--model", "exported", *TINY[2:]]
    assert main([*model, "--out", "p.csv", "--head-only", "--seeds", "0"]) == 0
    assert len(rows_of("p.csv")) == 3 and not Path("runs").exists()


@pytest.mark.usefixtures("run", "pretrained")
def test_what_cannot_be_predicted(refused):
    out = ["--out", "p.csv"]
    assert "expected a run folder or --model NAME, got both" in refused(*TINY, *out, "--model", "zinc-gin")
    assert "expected a new file" in refused(*TINY, "--out", "new.csv")
    assert "expected the folder" in refused(*TINY, "--out", "nowhere/p.csv")
    assert "expected a file that ends in .csv" in refused(*TINY, "--out", "p.parquet")
    assert "expected seeds of at least 0, each once, got 1 1" in refused(*TINY, *out, "--seeds", "1", "1")
    assert "expected a run on molecules" in refused("predict", "run", *TINY[2:], *out)
    others = [*TINY[:3], "synthetic-molecules", *TINY[4:]]
    assert "expected a labelled set of molecules to learn from" in refused(*others, *out)
    assert "expected a protocol" in refused(*TINY, *out, "--protocol", "moleculenet-linear")
    assert "none.csv" in refused(*TINY[:5], "none.csv", *TINY[6:], *out)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can write")
@pytest.mark.usefixtures("pretrained")
def test_a_folder_that_cannot_be_written_to_is_refused_before_tuning(refused):
    assert "expected a folder that can be written to, got /proc" in refused(*TINY, "--out", "/proc/p.csv")


@pytest.mark.usefixtures("pretrained")
def test_a_task_without_labels_is_left_empty(capsys):
    cores = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOCC1", "c1ccoc1"]
    lines = [f"{'C' * (1 + i)}{core},{i % 2},," for core in cores for i in range(4)]
    Path("gap.csv").write_text("\n".join(["smiles,row,none,", *lines]) + "\n")
    assert main(["datasets", "add", "Gap", "--from", "gap.csv", "--labels", "row", "none"]) == 0
    capsys.readouterr()
    assert main([*TINY[:3], "Gap", *TINY[4:], "--out", "gap.out.csv", "--seeds", "0", "1"]) == 0
    assert "none: no labels in the training part to learn from; left empty" in capsys.readouterr().out
    header, *rows = rows_of("gap.out.csv")
    assert header == ["row", "smiles", "row predicted", "none", "row predicted std", "none std"]
    assert all(0 < float(row[2]) < 1 and row[3] == row[5] == "" for row in rows)


@pytest.mark.usefixtures("pretrained")
def test_what_was_left_out_is_listed_beside_and_nothing_is_replaced_unasked(refused):
    Path("p.skipped.csv").write_text("mine")
    assert "p.skipped.csv is there already" in refused(*TINY, "--out", "p.csv")
    assert main([*TINY, "--out", "p.csv", "--seeds", "0", "--overwrite"]) == 0
    assert "nonsense" in Path("p.skipped.csv").read_text()
    again = [*TINY[:5], "p.skipped.csv", *TINY[6:], "--out", "p.csv", "--overwrite"]
    assert "p.skipped.csv, which is read" in refused(*again)
    Path("new.csv").write_text("smiles\nCCO\n")
    assert main([*TINY, "--out", "p.csv", "--seeds", "0", "--overwrite"]) == 0
    assert not Path("p.skipped.csv").exists()
    Path("p.skipped.csv").write_text("mine")
    assert main([*TINY, "--out", "p.csv", "--seeds", "0", "--overwrite"]) == 0
    assert Path("p.skipped.csv").read_text() == "mine"
