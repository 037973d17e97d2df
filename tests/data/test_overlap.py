"""Molecules that two sets share: the same however they are written, left out, counted, and looked up once."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from graphcl.data import _processes, from_smiles_list, inchikeys, overlap, without_overlap
from graphcl.data.molecule_set import Texts
from graphcl.errors import DataError

pytest.importorskip("rdkit", reason="needs the extra molecules")


def test_a_key_is_that_of_the_molecule_not_of_its_smiles(tmp_path: Path) -> None:
    keys = inchikeys(["OCC", "C(O)C", "[CH3][CH2][OH]", "C[C@H](O)F", "C[C@@H](O)F", "", "C1CC"], root=tmp_path)
    assert keys[0] == keys[1] == keys[2] == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert keys[3] != keys[4] and keys[3][:14] == keys[4][:14]
    assert keys[5] == keys[6] == ""


def test_keys_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = inchikeys(["C", "CC"], root=tmp_path)
    monkeypatch.setattr(overlap, "inchikey_of", lambda text: pytest.fail("asked again"))
    np.testing.assert_array_equal(inchikeys(["C", "CC"], root=tmp_path), first)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="is damaged"):
        inchikeys(["C", "CC"], root=tmp_path)


def test_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = ["C" * n + end for n in range(1, 8) for end in ("O", "N", "?", "\n")]
    alone = inchikeys(smiles, root=tmp_path / "a", workers=0)
    monkeypatch.setattr(overlap, "AT_ONCE", 15)
    monkeypatch.setattr(_processes, "AT_ONCE", 15)
    np.testing.assert_array_equal(inchikeys(smiles, root=tmp_path / "b", workers=2), alone)
    assert (alone == "").sum() == 7


def test_shared_molecules_are_left_out_and_counted(tmp_path: Path) -> None:
    dataset = from_smiles_list(["CCO", "CCC", "OCC", "C[C@H](O)F", "CCN", "nothing"])
    others = {"one": ["C(C)O", "C"], "two": ["C[C@@H](O)F", "CCN", "NCC"]}
    rest, overlaps = without_overlap(dataset, others, root=tmp_path)
    assert list(rest.smiles) == ["CCC", "C[C@H](O)F"] and [g.row.item() for g in rest] == [1, 3]
    assert [tuple(o) for o in overlaps] == [("one", 2, 1, 2), ("two", 3, 2, 1)]
    rest, overlaps = without_overlap(dataset, others, by="skeleton", root=tmp_path)
    assert list(rest.smiles) == ["CCC"] and overlaps[1].shared == 3
    assert len(dataset) == 5


def test_nothing_shared_changes_nothing(tmp_path: Path) -> None:
    dataset = from_smiles_list(["CCO", "CCC"])
    rest, overlaps = without_overlap(dataset, {"one": ["C", "no molecule"]}, root=tmp_path)
    assert rest is dataset and overlaps[0].shared == overlaps[0].left_out == 0


def test_molecules_without_smiles_do_not_pass_for_molecules_that_are_not_shared(tmp_path: Path) -> None:
    dataset = from_smiles_list(["CCO", "CCC"])
    with pytest.raises(DataError, match=r"one came without SMILES.* in its folder mapping"):
        without_overlap(dataset, {"one": ["", ""]}, root=tmp_path)
    with pytest.raises(DataError, match="one has no SMILES for 2 of 4 molecules, the first at 1"):
        without_overlap(dataset, {"one": ["C", None, "CCO", ""]}, root=tmp_path)
    dataset._smiles = Texts.of(["", ""])  # as OGB's sets without their folder mapping
    with pytest.raises(DataError, match="molecules came without SMILES"):
        without_overlap(dataset, {"one": ["CCO"]}, root=tmp_path)


def test_a_gap_has_no_key(tmp_path: Path) -> None:
    keys = inchikeys(["CCO", None, float("nan"), ""], root=tmp_path)
    assert keys.tolist() == [*inchikeys(["CCO"], root=tmp_path), "", "", ""]


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_kept_file_that_is_damaged(tmp_path: Path, place: int) -> None:
    found = inchikeys(["CCO", "CCN", "c1ccccc1"], root=tmp_path).tolist()
    path = next((tmp_path / "molecules" / "inchikeys").iterdir())
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0xFF
    path.write_bytes(bytes(content))
    with contextlib.suppress(DataError):  # and nothing else; or it is read, where that byte says nothing of note
        assert inchikeys(["CCO", "CCN", "c1ccccc1"], root=tmp_path).tolist() == found


def test_refusals(tmp_path: Path) -> None:
    dataset = from_smiles_list(["CCO"])
    with pytest.raises(ValueError, match="expected molecules that are in none of one"):
        without_overlap(dataset, {"one": ["OCC"]}, root=tmp_path)
    with pytest.raises(ValueError, match="expected by to be"):
        without_overlap(dataset, {}, by="name", root=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"a list of SMILES, got one text 'CCO'; write \[smiles\]"):
        inchikeys("CCO", root=tmp_path)
    with pytest.raises(TypeError, match="got one text 'CCO'"):
        without_overlap(dataset, {"one": "CCO"}, root=tmp_path)
    with pytest.raises(TypeError, match="expected a set of molecules that graphcl.data has made, got list"):
        without_overlap(["CCO"], {"one": ["OCC"]}, root=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"the SMILES of other sets by name, got list; write \{'name': smiles\}"):
        without_overlap(dataset, [["OCC"]], root=tmp_path)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        inchikeys(["C"], root=tmp_path / "file")
