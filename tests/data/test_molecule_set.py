"""Sets of molecules: rows keep their identity, and a split of other rows is refused."""

from pathlib import Path

import pytest
import torch

from graphcl.data import MoleculeDataset, from_smiles_list
from graphcl.data.molecule_set import Texts
from graphcl.errors import DataError


@pytest.fixture
def dataset() -> MoleculeDataset:
    return from_smiles_list(["C", "nothing", "CC", "CCC", "", "CCCC"])


def test_positions_of_rows(dataset: MoleculeDataset) -> None:
    assert dataset.positions([5, 0, 3], num_rows=6).tolist() == [3, 0, 2]
    assert dataset.positions(torch.tensor([], dtype=torch.int64), num_rows=6).tolist() == []
    rows = torch.tensor([graph.row.item() for graph in dataset])
    assert dataset.positions(rows, num_rows=6).tolist() == [0, 1, 2, 3]


def test_a_skipped_row_is_an_error_that_says_why(dataset: MoleculeDataset) -> None:
    with pytest.raises(DataError, match=r"2 of the rows asked for .*, row 4 the first \(empty\); pass missing='drop'"):
        dataset.positions([0, 4, 1], num_rows=6)
    assert dataset.positions([0, 4, 1, 2], num_rows=6, missing="drop").tolist() == [0, 1]


def test_a_split_of_another_file_is_refused(dataset: MoleculeDataset) -> None:
    with pytest.raises(DataError, match="expected a split of the 6 rows from which molecules was made, got one of 4"):
        dataset.positions([0, 1], num_rows=4)
    with pytest.raises(IndexError, match="expected rows from 0 to 5, got 0 to 6"):
        dataset.positions([0, 6], num_rows=6)
    with pytest.raises(ValueError, match="expected missing to be 'raise' or 'drop'"):
        dataset.positions([0], num_rows=6, missing="ignore")
    with pytest.raises(TypeError, match=r"expected rows as whole numbers, got torch.bool; write mask.nonzero"):
        dataset.positions(torch.ones(6, dtype=torch.bool), num_rows=6)
    with pytest.raises(TypeError, match=r"expected rows as whole numbers, got torch.float32"):
        dataset.positions(torch.tensor([0.5]), num_rows=6)


def test_the_skipped_rows_are_listed_in_a_file(dataset: MoleculeDataset, tmp_path: Path) -> None:
    assert dataset.write_skipped(tmp_path / "skipped.csv") == 2
    assert (tmp_path / "skipped.csv").read_text().splitlines() == [
        "row,smiles,reason", "1,nothing,not a SMILES", "4,,empty",
    ]  # fmt: skip


def test_a_subset_keeps_the_name_of_the_table(dataset: MoleculeDataset) -> None:
    part = dataset[1:3]
    assert (part.vocab, len(part), [graph.num_nodes for graph in part]) == ("ogb", 2, [2, 3])


def test_a_subset_has_what_belongs_to_it_and_no_split_of_the_whole(dataset: MoleculeDataset) -> None:
    dataset.split = {part: torch.tensor([i]) for i, part in enumerate(("train", "valid", "test"))}
    dataset._scaffolds = {False: torch.tensor([0, 1, 0, 2])}
    part = dataset[[3, 1]]
    assert list(part.smiles) == ["CCCC", "CC"] and part.scaffolds[False].tolist() == [2, 1]
    assert part.split is None and dataset.split is not None
    with pytest.raises(DataError, match="expected the whole of molecules, got a part of it"):
        part.positions([0], num_rows=6)


def test_a_copy_has_what_belongs_to_it(dataset: MoleculeDataset) -> None:
    dataset.split = {part: torch.tensor([i]) for i, part in enumerate(("train", "valid", "test"))}
    dataset._scaffolds = {False: torch.tensor([0, 1, 0, 2])}
    for chosen in ([3, 1], [2], []):
        for part in (dataset.copy(chosen), dataset[chosen].copy()):
            assert list(part.smiles) == [dataset.smiles[i] for i in chosen]
            for graph, i in zip(part, chosen, strict=True):
                assert all(torch.equal(graph[key], value) for key, value in dataset[i].to_dict().items())
            assert part.scaffolds[False].tolist() == [[0, 1, 0, 2][i] for i in chosen] and part.split is None
    assert dataset.copy([3, 1]).positions([2, 5], num_rows=6).tolist() == [1, 0]
    whole = dataset.copy()
    assert list(whole.smiles) == list(dataset.smiles) and whole.split == dataset.split
    whole._data.x += 1
    assert not torch.equal(whole[0].x, dataset[0].x)


def test_without_labels(dataset: MoleculeDataset) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'y'"):
        _ = dataset.y


def test_atoms_are_kept_in_bytes(dataset: MoleculeDataset) -> None:
    assert dataset._data.x.dtype == torch.uint8 and dataset[0].x.dtype == torch.int64
    for part in (dataset, dataset[1:]):  # 120 times carbon's 5 is more than a byte holds
        assert set((part.x[:, 0] * 120).tolist()) == {600} and part.edge_attr.dtype == torch.int64


def test_texts() -> None:
    texts = Texts.of(["a", "", "grüß"])
    assert (list(texts), texts[-1], texts[1:], len(texts)) == (["a", "", "grüß"], "grüß", ["", "grüß"], 3)
    assert list(Texts.of([])) == []
    with pytest.raises(IndexError, match="expected a position below 3, got 3"):
        texts[3]
