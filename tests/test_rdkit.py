"""RDKit's molecule of a SMILES, whatever its valences."""

import pytest

from graphcl._rdkit import any_molecule

Chem = pytest.importorskip("rdkit.Chem", reason="needs the extra molecules")


def test_what_rdkit_reads_and_what_it_would_refuse() -> None:
    assert Chem.MolToSmiles(any_molecule("OCC")) == "CCO"
    odd = "O=C1O[Al]23(OC1=O)(OC(=O)C(=O)O2)OC(=O)C(=O)O3"  # of ogbg-molhiv
    assert Chem.MolFromSmiles(odd) is None and any_molecule(odd).GetNumAtoms() == 19
    assert any_molecule("C1CC") is None and any_molecule("no molecule") is None
