"""Morgan fingerprints with a random forest: RDKit's bits, the training part alone, and the real sets."""

from pathlib import Path

import numpy as np
import pytest

from graphcl.evaluate import fingerprint_scores, forest_predictions, morgan_fingerprints

SMILES = ["CCO", "c1ccccc1C(=O)O", "CC(C)C", "OCC"]


def test_the_bits_are_those_of_rdkit() -> None:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits, counts = (morgan_fingerprints(SMILES, bits=1024, counts=c) for c in (False, True))
    assert bits.dtype == np.uint8 and bits.shape == (4, 1024)
    for row, number, text in zip(bits, counts, SMILES, strict=True):
        molecule = Chem.MolFromSmiles(text)
        assert row.nonzero()[0].tolist() == list(generator.GetFingerprint(molecule).GetOnBits())
        assert number.tolist() == list(generator.GetCountFingerprint(molecule).ToList())
    assert (bits[0] == bits[3]).all() and (counts > 1).any()


def test_what_is_no_molecule_is_named() -> None:
    with pytest.raises(ValueError, match="expected SMILES of molecules, got 'xx'"):
        morgan_fingerprints(["C", "xx"])


def test_a_valence_that_is_not_known_is_no_obstacle() -> None:
    aluminium = "O=C1O[Al]23(OC1=O)(OC(=O)C(=O)O2)OC(=O)C(=O)O3"
    found = morgan_fingerprints([aluminium, "CCO"])
    assert found[0].sum() > 5
    np.testing.assert_array_equal(found[1:], morgan_fingerprints(["CCO"]))


def test_labels_outside_the_training_part_are_never_seen() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    x, y = rng.integers(0, 2, (40, 8)), rng.integers(0, 2, (40, 2)).astype(float)
    y[rng.random(y.shape) < 0.2] = np.nan
    train = np.arange(25)
    other = y.copy()
    other[25:] = 1 - other[25:]
    one, two = (forest_predictions(x, labels, train, classification=True, trees=10) for labels in (y, other))
    assert (one == two).all() and one.shape == (40, 2)
    assert not (one == forest_predictions(x, y, train, classification=True, trees=10, seed=1)).all()


def test_tasks_without_two_classes() -> None:
    x = np.eye(4)
    y = np.array([[1, np.nan, 0.5], [1, np.nan, 1.5], [0, 1, 2], [1, 0, 3]])
    said = forest_predictions(x, y, [0, 1], classification=False, trees=5)
    assert said[:, 0].tolist() == [1] * 4 and said[:, 1].tolist() == [0] * 4 and said[:, 2].std() > 0


def test_scores_of_a_part_with_one_class_are_refused() -> None:
    split = {"train": [0, 1], "valid": [2], "test": [3]}
    with pytest.raises(ValueError, match="expected a task that can be scored, got none"):
        fingerprint_scores(SMILES, np.array([[0.0], [1.0], [0.0], [1.0]]), split, classification=True, trees=2)


@pytest.mark.parametrize(("name", "low", "high"), [("BACE", 0.82, 0.92), ("ESOL", 1.5, 2.0)])
def test_real_sets(graphcl_home: Path, name: str, low: float, high: float) -> None:
    from graphcl.data import MoleculeDataset, load

    if not (graphcl_home / "MoleculeNet" / name.lower()).is_dir():
        pytest.skip(f"needs {name}")
    dataset = load(name, root=graphcl_home)
    assert isinstance(dataset, MoleculeDataset) and dataset.split is not None
    scores = fingerprint_scores(dataset.smiles, dataset.y, dataset.split, classification=name == "BACE", trees=100)
    assert low < scores["test"].mean < high
