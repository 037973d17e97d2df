"""Molecules to arrays: RDKit reads, NumPy looks all of them up in the index table at once.

Imports neither torch nor PyG, so that worker processes start quickly.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._vocabulary import Column, table

__all__ = ["Packed", "featurise", "molecule_of", "quiet", "rdkit_chem", "scaffold_of", "why_none"]

# Enough for every number that RDKit gives: the tables of look-ups run from -_LOW to _HIGH, and what lies outside is
# unknown to every vocabulary.
_LOW, _HIGH = 64, 256


@dataclass(frozen=True)
class Packed:
    """Several molecules, one after another.

    Attributes:
        x: ``[N, A]`` uint8.
        edge_index: ``[2, E]`` int32, counted from 0 in each molecule.
        edge_attr: ``[E, B]`` uint8.
        atoms, edges: ``[G]`` int64, how many each molecule has.
        position: ``[G]`` int64, which of the given SMILES each molecule is.
        scaffolds: ``[G]`` pairs of scaffolds, without and with chirality; none unless asked for.
        failed: Which of the given SMILES are not molecules, and why.
    """

    x: NDArray[np.uint8]
    edge_index: NDArray[np.int32]
    edge_attr: NDArray[np.uint8]
    atoms: NDArray[np.int64]
    edges: NDArray[np.int64]
    position: NDArray[np.int64]
    scaffolds: list[tuple[str, str]]
    failed: list[tuple[int, str]]


def texts_of(smiles: Iterable[Any]) -> list[str]:
    """The texts of SMILES, empty where there is none, such as None or NaN; a single text is refused.

    What UTF-8 has no bytes for, half of a pair of surrogates, is not a text for RDKit, nor for a file.
    """
    if isinstance(smiles, str):
        raise TypeError(f"expected a list of SMILES, got one text {smiles!r}; write [smiles]")
    return [text if isinstance(text, str) and in_utf8(text) else "" for text in smiles]


def in_utf8(text: str) -> bool:
    """Whether a text can be written in UTF-8."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def featurise(smiles: Sequence[str], vocab: str, *, scaffolds: bool = False) -> Packed:
    """The molecules of these SMILES under an index table; those that RDKit cannot read are named in ``failed``."""
    chem = rdkit_chem()
    numbers, columns = table(vocab), len(table(vocab).atom)
    atoms: list[int] = []
    bonds: list[int] = []
    sizes: list[int] = []
    counts: list[int] = []
    position: list[int] = []
    found: list[tuple[str, str]] = []
    failed: list[tuple[int, str]] = []
    add_atoms, add_bonds = _READERS[columns]
    with quiet():
        for i, text in enumerate(smiles):
            molecule = molecule_of(text) if text else None
            if molecule is None or molecule.GetNumAtoms() == 0:
                failed.append((i, why_none(chem.MolFromSmiles, text, "not a SMILES") if text else "empty"))
                continue
            add_atoms(molecule, atoms)
            add_bonds(molecule, bonds)
            sizes.append(molecule.GetNumAtoms())
            counts.append(molecule.GetNumBonds())
            position.append(i)
            if scaffolds:
                found.append((scaffold_of(molecule, False), scaffold_of(molecule, True)))
    raw_atoms = np.array(atoms, dtype=np.int32).reshape(-1, columns)
    raw_bonds = np.array(bonds, dtype=np.int32).reshape(-1, 2 + len(numbers.bond))
    ends = np.stack([raw_bonds[:, :2], raw_bonds[:, 1::-1]], 1).reshape(-1, 2)  # each bond there, then back
    edge_attr = _look_up(raw_bonds[:, 2:], numbers.bond).repeat(2, axis=0)
    edges = 2 * np.array(counts, dtype=np.int64)
    if numbers.sorted_edges:
        order = np.lexsort((ends[:, 1], ends[:, 0], np.arange(len(edges)).repeat(edges)))
        ends, edge_attr = ends[order], edge_attr[order]
    return Packed(
        x=_look_up(raw_atoms, numbers.atom),
        edge_index=np.ascontiguousarray(ends.T),
        edge_attr=edge_attr,
        atoms=np.array(sizes, dtype=np.int64),
        edges=edges,
        position=np.array(position, dtype=np.int64),
        scaffolds=found,
        failed=failed,
    )


def rdkit_chem() -> Any:
    """``rdkit.Chem``, or an error that names the extra."""
    try:
        from rdkit import Chem
    except ImportError as error:
        raise ImportError("reading molecules needs RDKit; install it with: pip install 'graphcl[molecules]'") from error
    return Chem


def molecule_of(text: str) -> Any:
    """RDKit's molecule; None where it reads none, also where it raises instead."""
    try:
        return rdkit_chem().MolFromSmiles(text)
    except RuntimeError:
        return None


def scaffold_of(molecule: Any, chirality: bool) -> str:
    """The Bemis-Murcko scaffold as canonical SMILES, empty for a molecule without rings; atom-map numbers left out."""
    from rdkit.Chem.Scaffolds import MurckoScaffold

    find: Any = MurckoScaffold.GetScaffoldForMol  # which carries no types
    core = find(molecule)
    for atom in core.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(rdkit_chem().MolToSmiles(core, isomericSmiles=chirality))


@contextmanager
def quiet() -> Iterator[None]:
    """RDKit writes a line or more to the terminal for each molecule that it cannot read."""
    from rdkit import rdBase

    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


def why_none(read: Callable[..., Any], text: str, otherwise: str) -> str:
    """Why RDKit makes no molecule of a text.

    Args:
        read: What reads such texts, told to leave the molecule as it is written.
        text: The text.
        otherwise: What to say where nothing can be read at all.
    """
    try:
        molecule = read(text, sanitize=False)
        problems = () if molecule is None else rdkit_chem().DetectChemistryProblems(molecule)
    except RuntimeError as error:  # such as an unknown element
        return ": ".join(line.strip() for line in str(error).splitlines()[:2])
    if molecule is None:
        return otherwise
    if molecule.GetNumAtoms() == 0:
        return "no atoms"
    return str(problems[0].Message()) if problems else "RDKit cannot sanitise it"


def _nine(molecule: Any, out: list[int]) -> None:
    for atom in molecule.GetAtoms():
        out += (
            atom.GetAtomicNum(),
            atom.GetChiralTag(),
            atom.GetTotalDegree(),
            atom.GetFormalCharge(),
            atom.GetTotalNumHs(),
            atom.GetNumRadicalElectrons(),
            atom.GetHybridization(),
            atom.GetIsAromatic(),
            atom.IsInRing(),
        )


def _three(molecule: Any, out: list[int]) -> None:
    for bond in molecule.GetBonds():
        out += (
            bond.GetBeginAtomIdx(),
            bond.GetEndAtomIdx(),
            bond.GetBondType(),
            bond.GetStereo(),
            bond.GetIsConjugated(),
        )


def _two(molecule: Any, out: list[int]) -> None:
    for atom in molecule.GetAtoms():
        out += (atom.GetAtomicNum(), atom.GetChiralTag())


def _two_of_bonds(molecule: Any, out: list[int]) -> None:
    for bond in molecule.GetBonds():
        out += (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType(), bond.GetBondDir())


_Reader = Callable[[Any, list[int]], None]
_READERS: dict[int, tuple[_Reader, _Reader]] = {9: (_nine, _three), 2: (_two, _two_of_bonds)}


@lru_cache
def _indices(columns: tuple[Column, ...]) -> NDArray[np.uint8]:
    """``[columns, numbers]`` the index of each of RDKit's numbers."""
    out = np.empty((len(columns), _LOW + _HIGH), dtype=np.uint8)
    for row, column in zip(out, columns, strict=True):
        row[:] = column.unknown
        for index, number in enumerate(column.values):
            row[number + _LOW] = index
    return out


def _look_up(raw: NDArray[np.int32], columns: tuple[Column, ...]) -> NDArray[np.uint8]:
    inside = np.clip(raw, -_LOW, _HIGH - 1) + _LOW
    return _indices(columns)[np.arange(len(columns)), inside]
