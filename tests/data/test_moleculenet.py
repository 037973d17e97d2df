"""The sets of MoleculeNet, from files in their own form, and the real ones where they are at hand."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from graphcl.data import MoleculeDataset, card, load
from graphcl.data.moleculenet import MOLECULENET, load_moleculenet
from graphcl.data.scaffold import scaffold_groups, scaffold_split, split_digest
from graphcl.errors import DataError

TOX = ["mol_id,A,smiles,B"] + [
    f"T{i},{i % 2},{text},{'' if i % 3 else 1}"
    for i, text in enumerate(
        [
            "Cc1ccccc1",
            "xx",
            "CCO",
            "c1ccncc1",
            "C1CC1N",
            "C1CCC1N",
            "CCC",
            "c1ccc2ccccc2c1",
            "C1CCCCC1",
            "c1ccoc1",
            "CN",
        ]
    )
]


@pytest.fixture
def tox(tmp_path: Path) -> Path:
    folder = tmp_path / "MoleculeNet" / "tox21" / "raw"
    folder.mkdir(parents=True)
    (folder / "tox21.csv").write_text("\n".join(TOX) + "\n")
    return tmp_path


@pytest.mark.parametrize("vocab", ["ogb", "hu2020"])
def test_labels_rows_and_split(tox: Path, vocab: str) -> None:
    dataset = load_moleculenet("Tox21", tox, vocab=vocab)
    assert repr(dataset) == f"Tox21(10, vocab='{vocab}', 1 skipped)" and dataset.tasks == ("A", "B")
    assert [graph.row.item() for graph in dataset] == [0, *range(2, 11)]
    np.testing.assert_array_equal(dataset.y[:3], [[0, 1], [0, np.nan], [1, 1]])
    assert dataset[2].y.shape == (1, 2)
    assert dataset.split is not None
    expected = scaffold_split(scaffold_groups(list(dataset.smiles), chirality=True))
    assert split_digest(dataset.split) == split_digest(expected)


def test_a_file_in_the_folder_of_packed_ones(tox: Path) -> None:
    plain = tox / "MoleculeNet" / "tox21" / "raw" / "tox21.csv"
    (tox / "MoleculeNet_gz").mkdir()
    (tox / "MoleculeNet_gz" / "tox21.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert len(load_moleculenet("Tox21", tox)) == 10


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="MoleculeNet has no set 'bbbp': expected one of BBBP, BACE"):
        load_moleculenet("bbbp", tmp_path)
    with pytest.raises(
        DataError, match=r"BBBP is not in .*raw and could not be downloaded .*put BBBP.csv, plain or gzip"
    ):
        load_moleculenet("BBBP", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_card_has_a_source() -> None:
    from graphcl.data import cards

    assert {entry.name for entry in cards() if entry.loader == "moleculenet"} <= set(MOLECULENET)


DIGESTS = {
    "BBBP": "ef2bde4419a93994", "BACE": "6b6221a039a21b99", "Tox21": "430914b534d5d5ff", "ESOL": "6bc4c5bfc7d1e4db",
    "FreeSolv": "5e403a10e5a363e9", "Lipo": "111670a7dcf4f5aa",
}  # fmt: skip


def real(home: Path, name: str, vocab: str | None = None) -> MoleculeDataset:
    folder = home / "MoleculeNet" / name.lower()
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    dataset = load(name, root=home, vocab=vocab)
    assert isinstance(dataset, MoleculeDataset)
    return dataset


@pytest.mark.parametrize("name", DIGESTS)
def test_real_sets_are_what_their_cards_say(graphcl_home: Path, name: str) -> None:
    dataset = real(graphcl_home, name)
    assert dataset.split is not None and split_digest(dataset.split) == DIGESTS[name]
    assert dataset[0].x.dtype == torch.int64 and dataset.y.shape == (len(dataset), len(dataset.tasks))
    assert dataset.num_rows - len(dataset) == len(dataset.skipped)
    assert bool(torch.isfinite(dataset.y).any(0).all())


def test_a_split_of_ogb_is_never_applied_to_fewer_graphs(graphcl_home: Path) -> None:
    dataset = real(graphcl_home, "BBBP")
    with pytest.raises(DataError, match="expected a split of the 2050 rows .* got one of 2039"):
        dataset.positions([0], num_rows=2039)
    assert len(dataset.positions(range(2050), num_rows=2050, missing="drop")) == 2039


def test_vocab_is_chosen_when_loading(graphcl_home: Path) -> None:
    dataset = real(graphcl_home, "FreeSolv", "hu2020")
    assert (dataset.vocab, dataset[0].x.size(1)) == ("hu2020", 2)
    assert dict(card("FreeSolv").counts)["features"] == 9
    with pytest.raises(
        ValueError, match="expected FreeSolv with its own features, indices of atoms, got features='const"
    ):
        load("FreeSolv", root=graphcl_home, features="constant")


def test_vocab_is_for_molecules() -> None:
    with pytest.raises(ValueError, match="expected vocab for a set of molecules alone, got vocab='ogb' for karate"):
        load("karate", vocab="ogb")
