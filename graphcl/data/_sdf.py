"""Structure-data files: molecules with their properties, record by record."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from graphcl.data._featurise import quiet, rdkit_chem, why_none

__all__ = ["records_of"]

_END = "$$$$"


def records_of(lines: Iterable[str]) -> tuple[Iterator[Sequence[str]], dict[int, str]]:
    """The records of an SDF as rows, and why RDKit reads no molecule in some of them.

    Returns:
        A header, ``smiles`` and the properties of all records in the order in which they come up, and after it a row
        for every record; reasons by row, whose SMILES is empty.
    """
    chem = rdkit_chem()
    found: list[tuple[str, dict[str, str]]] = []
    reasons: dict[int, str] = {}
    reader = chem.SDMolSupplier()
    with quiet():
        for row, record in enumerate(_records(lines)):
            reader.SetData(record)
            molecule = reader[0] if len(reader) else None
            if molecule is None:
                reasons[row] = why_none(chem.MolFromMolBlock, record, "no record that RDKit can read")
            elif molecule.GetNumAtoms() == 0:
                reasons[row] = "no atoms"
            own = {} if molecule is None else molecule.GetPropsAsDict(autoConvertStrings=False)
            found.append(("" if row in reasons else chem.MolToSmiles(molecule), own))
    names = [name for name in dict.fromkeys(itertools.chain.from_iterable(own for _, own in found)) if name != "smiles"]
    rows = ([text, *(str(own.get(name, "")) for name in names)] for text, own in found)
    return itertools.chain([["smiles", *names]], rows), reasons


def _records(lines: Iterable[str]) -> Iterator[str]:
    """The text of each record; empty lines after the last are left out."""
    record: list[str] = []
    for line in lines:
        record.append(line)
        if line.startswith(_END):
            yield "".join(record)
            record = []
    if "".join(record).strip():
        yield "".join(record)
