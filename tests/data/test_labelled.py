"""Labelled molecules of the user's own: a set like any other, added whole or not at all."""

from pathlib import Path

import pytest
import torch

from graphcl.data import add_labelled, card, cards, load, load_molecules, scaffold_split, split_digest
from graphcl.data.cards import write_card
from graphcl.errors import DataError

CORES = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOCC1", "c1ccoc1"]
SMILES = [f"{'C' * (1 + i % 5)}{core}" for core in CORES for i in range(4)]
ROWS = [f'"{text}, no. {i}",{text},{i % 2},{"" if i % 3 else 1},{i / 7:.3f},yes' for i, text in enumerate(SMILES)]
CSV = "name,SMILES,active,toxic,logp,word\n" + "\n".join([*ROWS[:5], "none,C1CC,1,0,0.5,no", *ROWS[5:]]) + "\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my file.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_it_is_a_set_like_any_other(mine: Path, home: Path) -> None:
    entry = add_labelled("mine", mine, ["active", "toxic"], root=home)
    assert (entry.task, entry.metric, entry.level, entry.counts["classes"]) == ("classification", "rocauc", "graph", 2)
    assert entry == card("mine", root=home) and entry in cards(root=home)
    mine.unlink()  # it has its own copy
    dataset = load("mine", root=home)
    assert (dataset.name, len(dataset), dataset.tasks) == ("mine", 32, ("active", "toxic"))
    assert dataset.skipped == ((5, "C1CC", "not a SMILES"),) and list(dataset.smiles) == SMILES
    assert dataset[5].row.tolist() == [6] and dataset[5].y[0, 0] == 1 and bool(dataset[5].y[0, 1].isnan())
    assert split_digest(dataset.split) == split_digest(scaffold_split(dataset.scaffolds[True]))
    assert load("mine", root=home, vocab="hu2020").num_features == 2
    assert sorted(path.name for path in home.iterdir()) == ["cards", "labelled", "molecules"]
    assert [path.name for path in (home / "labelled" / "mine").iterdir()] == ["my file.csv"]


def test_numbers_are_a_task_of_regression(mine: Path, home: Path) -> None:
    entry = add_labelled("mine", mine, ["logp"], smiles="SMILES", root=home)
    assert (entry.task, entry.metric, entry.counts["classes"]) == ("regression", "rmse", 0)
    dataset = load("mine", root=home)
    expected = load_molecules(mine, labels=["logp"], root=home)
    assert torch.equal(dataset._data.y, expected._data.y)


@pytest.mark.parametrize("values", [(-1, 1), (-1, 0, 1)])
def test_minus_one_among_classes_is_no_number_to_learn(values: tuple[int, ...], tmp_path: Path, home: Path) -> None:
    path = tmp_path / "signs.csv"
    path.write_text("smiles,active\n" + "\n".join(f"{s},{values[i % len(values)]}" for i, s in enumerate(SMILES)))
    with pytest.raises(DataError, match=r"'active': expected classes 0 and 1, got -1 and .*leave the cell empty"):
        add_labelled("signs", path, ["active"], root=home)
    assert not home.exists()


def test_the_same_may_be_added_again_and_nothing_is_replaced(mine: Path, home: Path) -> None:
    first = add_labelled("mine", mine, ["active"], root=home)
    assert add_labelled("mine", mine, ["active"], root=home) == first
    with pytest.raises(DataError, match="mine is there already, another data set or with other labels"):
        add_labelled("mine", mine, ["logp"], root=home)
    mine.write_text(CSV + "new,CCCCC,1,1,1,yes\n")
    with pytest.raises(DataError, match="mine is there already, with another file.*nothing was changed"):
        add_labelled("mine", mine, ["active"], root=home)
    assert card("mine", root=home) == first and len(load("mine", root=home)) == 32


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "expected the label columns of .*my file.csv, got none"),
        (["word"], "row 0, column 'word': expected a number or an empty cell, got the text 'yes'"),
        (["activ"], "has no column 'activ' to learn from. Its columns: name, SMILES, active"),
        (["active", "logp"], "got 0 and 1 in 'active' and other numbers in 'logp'. Add them as two sets"),
    ],
)
def test_labels_that_are_none(mine: Path, home: Path, labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        add_labelled("mine", mine, labels, root=home)
    assert not home.exists()


def test_what_cannot_be_scored_is_not_added(mine: Path, home: Path) -> None:
    mine.write_text("smiles,y\nC,1\nCC,1\nCCC,\n")
    with pytest.raises(DataError, match="expected labels to tell molecules apart by, got one value or none in 'y'"):
        add_labelled("mine", mine, ["y"], root=home)
    mine.write_text("smiles,y\nC,1\nCC,0\nCCC,\n")  # all with the one empty scaffold
    with pytest.raises(
        DataError, match=f"{mine} cannot be split by scaffolds: expected molecules in every part"
    ) as raised:
        add_labelled("mine", mine, ["y"], root=home)
    assert "kind=" not in str(raised.value)  # which nobody can say here
    assert not (home / "cards").exists() and not (home / "labelled").exists()


def test_names_and_folders_that_cannot_be(mine: Path, home: Path) -> None:
    with pytest.raises(DataError, match="BBBP is a data set of the package: choose another name"):
        add_labelled("BBBP", mine, ["active"], root=home)
    with pytest.raises(DataError, match="expected a name of letters"):
        add_labelled("my set", mine, ["active"], root=home)
    with pytest.raises(DataError, match="could not be added to .*my file.csv"):
        add_labelled("mine", mine, ["active"], root=mine)


def test_a_card_that_somebody_changed(mine: Path, home: Path) -> None:
    entry = add_labelled("mine", mine, ["active"], root=home)
    for wrong in ({"file": "../my file.csv"}, {"labels": "active"}, {"smiles": 3}):
        write_card(type(entry)(**{**vars(entry), "arguments": {**entry.arguments, **wrong}}))
        with pytest.raises(DataError, match="mine.yaml, key 'arguments': expected file, labels, smiles and"):
            load("mine", root=home)
    write_card(entry)
    (home / "labelled" / "mine" / "my file.csv").unlink()
    with pytest.raises(DataError, match="is not there: expected a file of molecules"):
        load("mine", root=home)


def test_a_column_without_labels(mine: Path, home: Path) -> None:
    path = mine.with_name("empty.csv")
    path.write_text("smiles,active,logp,none\n" + "\n".join(f"{s},{i % 2},{i / 7}," for i, s in enumerate(SMILES)))
    assert add_labelled("classes", path, ["active", "none"], root=home).task == "classification"
    with pytest.raises(DataError, match="column 'none': expected numbers, got none; leave the column out"):
        add_labelled("numbers", path, ["logp", "none"], root=home)
    with pytest.raises(TypeError, match=r"got one text 'active'; write \['active'\]"):
        add_labelled("text", path, "active", root=home)


def test_an_edited_card_is_kept(mine: Path, home: Path) -> None:
    entry = add_labelled("mine", mine, ["active"], root=home)
    entry.path.write_text(entry.path.read_text().replace("licence: not stated", "licence: CC-BY"))
    assert add_labelled("mine", mine, ["active"], root=home).licence == card("mine", root=home).licence == "CC-BY"
