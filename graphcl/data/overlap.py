"""Molecules that two sets share, by InChIKey: what was pretrained on should not be what is tested on."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graphcl._arguments import check_choice
from graphcl.data._featurise import texts_of
from graphcl.data._inchi import inchikey_of
from graphcl.data._kept import kept
from graphcl.data._processes import AT_ONCE, answers
from graphcl.data.molecule_set import MoleculeDataset, check_molecules
from graphcl.errors import DataError

__all__ = ["Overlap", "inchikeys", "without_overlap"]

_FORM = "graphcl-inchikeys-1"
_SKELETON = 14  # letters of the first block: atoms and bonds, without stereo marks, isotopes and charge


class Overlap(NamedTuple):
    """What a set shares with another.

    Args:
        name: Of the other set.
        molecules: How many the other set has.
        shared: How many of those are in this set.
        left_out: How many of this set are in the other one.
    """

    name: str
    molecules: int
    shared: int
    left_out: int


def inchikeys(smiles: Iterable[Any], *, root: str | Path | None = None, workers: int | None = None) -> NDArray[Any]:
    """The InChIKey of each molecule: the same for every way to write it down, and for its tautomers mostly.

    They are found once, in several processes where there are many, and kept in the data folder under the hash of the
    SMILES.

    Args:
        smiles: N SMILES; None and NaN are not molecules.
        root: The data folder (:func:`graphcl.data.home`).
        workers: Processes; None takes one per core for more than ten thousand molecules, 0 none but this one.

    Returns:
        ``[N]`` texts of 27 letters; empty where a molecule has no InChI, or there is no molecule.

    Raises:
        TypeError: The SMILES are a single text.
        DataError: The data folder cannot be written.
        ImportError: RDKit is not installed.

    Example:
        >>> import tempfile
        >>> inchikeys(["CCO", "OCC", "no molecule"], root=tempfile.mkdtemp()).tolist()
        ['LFQSCWFLJHTTHZ-UHFFFAOYSA-N', 'LFQSCWFLJHTTHZ-UHFFFAOYSA-N', '']

    Source: Heller, McNaught, Pletnev, Stein, Tchekhovskoi, "InChI, the IUPAC International Chemical Identifier",
    Journal of Cheminformatics 7, 2015.
    """
    texts = texts_of(smiles)
    workers = (os.cpu_count() or 1) if workers is None else workers
    return kept("inchikeys", _FORM, texts, root, lambda: {"keys": _found(texts, workers)})["keys"]


def without_overlap(
    dataset: MoleculeDataset,
    others: Mapping[str, Sequence[str]],
    *,
    by: Literal["inchikey", "skeleton"] = "inchikey",
    root: str | Path | None = None,
    workers: int | None = None,
) -> tuple[MoleculeDataset, list[Overlap]]:
    """A set without the molecules of other sets, such as those that it will be tested on, and what they shared.

    Molecules are the same that have the same InChIKey, or the same first block of it: the same atoms and bonds whatever
    their stereo marks, isotopes and protons. A salt is another molecule than its acid or base alone, by either. Those
    without a key are kept.

    Args:
        dataset: The set to take molecules from; it stays as it was.
        others: The SMILES of the other sets, by name, none of them a gap.
        by: What counts as the same molecule.
        root: The data folder, where keys are kept.
        workers: As for :func:`inchikeys`.

    Raises:
        ValueError: Nothing would be left, or ``by`` is none of the two.
        DataError: Molecules on either side have no SMILES, so that nothing tells what is shared.
        TypeError: ``dataset`` is not a :class:`MoleculeDataset`, or ``others`` has no names.

    Example:
        >>> import tempfile
        >>> from graphcl.data import from_smiles_list
        >>> dataset = from_smiles_list(["CCO", "CCC", "CCN"])
        >>> rest, overlaps = without_overlap(dataset, {"mine": ["NCC", "C"]}, root=tempfile.mkdtemp())
        >>> len(rest), overlaps
        (2, [Overlap(name='mine', molecules=2, shared=1, left_out=1)])
    """
    check_choice("by", by, ("inchikey", "skeleton"))
    check_molecules(dataset)
    if not isinstance(others, Mapping):
        raise TypeError(
            f"expected the SMILES of other sets by name, got {type(others).__name__}; write {{'name': smiles}}"
        )
    width = _SKELETON if by == "skeleton" else None
    own = _cut(inchikeys(_whole(dataset.name, dataset.smiles), root=root, workers=workers), width)
    stay, overlaps = np.ones(len(own), dtype=bool), []
    for name, smiles in others.items():
        theirs = _cut(inchikeys(_whole(name, smiles), root=root, workers=workers), width)
        found = np.isin(own, theirs[theirs != ""])
        shared = np.isin(theirs, own[own != ""])
        stay &= ~found
        overlaps.append(Overlap(name, len(theirs), int(shared.sum()), int(found.sum())))
    if not stay.any():
        raise ValueError(f"expected molecules that are in none of {', '.join(others)}, got {dataset.name} with none")
    return (dataset if stay.all() else dataset[torch.from_numpy(stay)]), overlaps


def _whole(name: str, smiles: Iterable[Any]) -> list[str]:
    """The SMILES of a set, all of them: molecules without one would pass for molecules that are not shared."""
    texts = texts_of(smiles)
    gaps = [row for row, text in enumerate(texts) if not text]
    if texts and len(gaps) == len(texts):
        raise DataError(
            f"{name} came without SMILES, by which to tell what it shares; a set of OGB has them in its folder mapping."
        )
    if gaps:
        raise DataError(
            f"{name} has no SMILES for {len(gaps)} of {len(texts)} molecules, the first at {gaps[0]}, by which to tell "
            f"what it shares: add them, or leave those rows out."
        )
    return texts


def _cut(keys: NDArray[Any], width: int | None) -> NDArray[Any]:
    return keys if width is None else keys.astype(f"<U{width}")


def _found(texts: Sequence[str], workers: int) -> NDArray[Any]:
    if workers == 0 or len(texts) <= AT_ONCE:
        return np.array([inchikey_of(text) for text in texts], dtype="<U27")
    found = answers("graphcl.data._inchi", texts, workers)
    return np.array([key for part in found for key in part.decode().split("\n")[:-1]], dtype="<U27")
