"""Fingerprints and properties as vectors of molecules: those of RDKit, standardised, found once, by position."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graphcl._descriptors import PROPERTIES, VECTOR_WIDTHS
from graphcl.data import PackedDataset, _processes, descriptors, from_smiles_list, with_vectors
from graphcl.errors import DataError

pytest.importorskip("rdkit", reason="needs the extra molecules")

SMILES = ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "CCCCCCCC"]


def test_bits_are_those_of_the_morgan_fingerprint(tmp_path: Path) -> None:
    from graphcl.evaluate import morgan_fingerprints

    dataset = with_vectors(from_smiles_list(SMILES), "fingerprint", root=tmp_path)
    bits = torch.cat([graph.fingerprint for graph in dataset])
    assert bits.shape == (6, VECTOR_WIDTHS["fingerprint"]) and bits.dtype == torch.uint8
    np.testing.assert_array_equal(bits, morgan_fingerprints(SMILES, bits=1024))


def test_numbers_are_standardised_over_the_set(tmp_path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import Crippen, Descriptors

    dataset = with_vectors(from_smiles_list(SMILES), "properties", root=tmp_path)
    numbers = torch.cat([graph.properties for graph in dataset]).double()
    molecules = [Chem.MolFromSmiles(text) for text in SMILES]
    for name, of in (("exactmw", Descriptors.ExactMolWt), ("CrippenClogP", Crippen.MolLogP)):
        expected = np.array([of(molecule) for molecule in molecules])
        expected = (expected - expected.mean()) / expected.std()
        np.testing.assert_allclose(numbers[:, PROPERTIES.index(name)], expected, atol=1e-5)
    assert bool(numbers.isfinite().all())


def test_far_and_unknown_numbers() -> None:
    known = np.full((100, 3), 2.0)
    known[:50, 0], known[0, 1], known[1, 1], known[:, 2] = 4, 1e9, np.inf, np.nan
    found = descriptors._standardised(known)
    np.testing.assert_allclose(found[:, 0], np.repeat([1.0, -1.0], 50))
    assert found[0, 1] == 5 and found[1, 1] == 0 and not found[:, 2].any()


def test_what_is_no_molecule_is_unknown() -> None:
    from graphcl.data._describe import fingerprints_and_properties

    rows = fingerprints_and_properties(["CCO", "nothing"])
    assert np.isfinite(rows["properties"][0]).all() and np.isnan(rows["properties"][1]).all()
    assert not rows["fingerprint"][1].any()


def test_both_lie_side_by_side_and_in_batches(tmp_path: Path) -> None:
    dataset = from_smiles_list([*SMILES, "nothing", "CCN"])
    both = with_vectors(dataset, "descriptors", root=tmp_path)
    parts = with_vectors(with_vectors(dataset, "properties", root=tmp_path), "fingerprint", root=tmp_path)
    batch, other = (PackedDataset(d).batch([6, 0, 3]) for d in (both, parts))
    assert batch.descriptors.shape == (3, VECTOR_WIDTHS["descriptors"])
    expected = torch.cat([other.fingerprint.float(), other.properties], 1)
    torch.testing.assert_close(batch.descriptors.float(), expected, atol=5e-3, rtol=0)
    assert "descriptors" not in dataset[0] and "fingerprint" not in both[0]


def test_a_part_of_a_set_keeps_its_rows(tmp_path: Path) -> None:
    dataset = from_smiles_list(SMILES)
    whole = with_vectors(dataset, "descriptors", root=tmp_path)
    part = with_vectors(dataset[[4, 1]], "descriptors", root=tmp_path)
    assert torch.equal(part[1].descriptors, whole[1].descriptors)
    assert torch.equal(whole[[4, 1]][0].descriptors, part[0].descriptors)


def test_they_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = with_vectors(from_smiles_list(SMILES), "descriptors", root=tmp_path)
    monkeypatch.setattr(descriptors, "fingerprints_and_properties", lambda texts: pytest.fail("asked again"))
    again = with_vectors(from_smiles_list(SMILES), "descriptors", root=tmp_path)
    assert torch.equal(first[2].descriptors, again[2].descriptors)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="is damaged"):
        with_vectors(from_smiles_list(SMILES), "descriptors", root=tmp_path)


def test_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = from_smiles_list(["C" * n + end for n in range(1, 8) for end in ("O", "N", "Cl")])
    alone = with_vectors(dataset, "descriptors", root=tmp_path / "a", workers=0)
    for module in (descriptors, _processes):
        monkeypatch.setattr(module, "AT_ONCE", 10)
    many = with_vectors(dataset, "descriptors", root=tmp_path / "b", workers=2)
    assert all(torch.equal(one.descriptors, other.descriptors) for one, other in zip(alone, many, strict=True))


def test_refusals(tmp_path: Path) -> None:
    dataset = from_smiles_list(["CCO", "CC"])
    with pytest.raises(ValueError, match="to be 'fingerprint', 'properties' or 'descriptors', got 'morgan'"):
        with_vectors(dataset, "morgan", root=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="has its vectors already"):
        with_vectors(with_vectors(dataset, root=tmp_path), root=tmp_path)
    with pytest.raises(TypeError, match="expected a set of molecules that graphcl.data has made, got PackedDataset"):
        with_vectors(PackedDataset(dataset), root=tmp_path)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        with_vectors(dataset, "descriptors", root=tmp_path / "file")
