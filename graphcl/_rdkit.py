"""RDKit's molecule of a SMILES, with valences that it does not know as well."""

from typing import Any

__all__ = ["any_molecule"]


def any_molecule(text: str) -> Any:
    """The molecule, or None where there is none; a valence that RDKit does not know is taken without that check.

    OGB's sets have such molecules. RDKit must be there.

    Example:
        >>> any_molecule("CCO").GetNumAtoms(), any_molecule("CN(C)(C)C").GetNumAtoms(), any_molecule("C1CC")
        (3, 5, None)
    """
    from rdkit import Chem

    try:
        molecule = Chem.MolFromSmiles(text)
    except RuntimeError:  # where it raises instead
        return None
    if molecule is not None:
        return molecule
    molecule = Chem.MolFromSmiles(text, sanitize=False)
    if molecule is None:
        return None
    molecule.UpdatePropertyCache(strict=False)
    steps = Chem.SanitizeFlags.SANITIZE_ALL ^ Chem.SanitizeFlags.SANITIZE_PROPERTIES
    if Chem.SanitizeMol(molecule, steps, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    return molecule
