"""InChIKeys of SMILES; run as a program, those of the lines of its standard input."""

import sys

from graphcl.data._featurise import molecule_of, quiet, rdkit_chem

__all__ = ["inchikey_of"]


def inchikey_of(smiles: str) -> str:
    """The InChIKey of a molecule, or an empty text if it has none."""
    chem = rdkit_chem()
    with quiet():
        molecule = molecule_of(smiles)
        return "" if molecule is None or not molecule.GetNumAtoms() else str(chem.MolToInchiKey(molecule))


def main() -> None:
    """One key per line."""
    for line in sys.stdin:
        print(inchikey_of(line.rstrip("\n")))


if __name__ == "__main__":
    main()
