"""Scaffold splits: molecules that share a skeleton are on one side, and the same file is split alike everywhere."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.data._featurise import molecule_of, quiet, scaffold_of, texts_of

__all__ = ["scaffold", "scaffold_groups", "scaffold_split", "split_digest"]

PARTS = ("train", "valid", "test")


def scaffold(smiles: str, *, chirality: bool = False) -> str:
    """The Bemis-Murcko scaffold of a molecule as canonical SMILES: its rings and what links them.

    Empty for a molecule without rings. Atom-map numbers are not part of it.

    Args:
        smiles: The SMILES.
        chirality: Tell scaffolds apart that differ in stereo marks only.

    Raises:
        ValueError: RDKit reads no molecule there, or one without atoms.
        ImportError: RDKit is not installed.

    Example:
        >>> scaffold("CC(=O)Oc1ccccc1C(=O)O"), scaffold("CCO")
        ('c1ccccc1', '')

    Source: Bemis and Murcko, "The properties of known drugs. 1. Molecular frameworks", Journal of Medicinal Chemistry
    39, 1996, as RDKit has it.
    """
    with quiet():
        molecule = molecule_of(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:  # an empty text has no scaffold to share
        raise ValueError(f"expected a SMILES of a molecule, got {smiles!r}")
    return scaffold_of(molecule, chirality)


def scaffold_groups(smiles: Iterable[Any], *, chirality: bool = False) -> Tensor:
    """Which molecules share a scaffold: int64 [molecules], groups numbered in the order of their first molecule.

    Molecules without rings share the empty scaffold, as in the splits of MoleculeNet.

    Raises:
        ValueError: RDKit reads no molecule in a row, as in one that is empty.
        TypeError: The SMILES are a single text.
        ImportError: RDKit is not installed.

    Example:
        >>> scaffold_groups(["Cc1ccccc1", "CCO", "Oc1ccccc1", "CC"])
        tensor([0, 1, 0, 1])
    """
    numbers: dict[str, int] = {}
    found, given = [], smiles if isinstance(smiles, str) else list(smiles)
    for row, text in enumerate(texts_of(given)):
        try:
            if text is not given[row]:
                raise ValueError(f"expected a SMILES of a molecule, got {given[row]!r}")
            found.append(numbers.setdefault(scaffold(text, chirality=chirality), len(numbers)))
        except ValueError as error:
            raise ValueError(f"row {row}: {error}") from error
    return torch.tensor(found, dtype=torch.int64)


def scaffold_split(
    groups: Tensor,
    *,
    train: float = 0.8,
    valid: float = 0.1,
    kind: Literal["ordered", "balanced", "random"] = "ordered",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Split molecules so that no group lies on two sides; whole groups go to the first part that still has room.

    - ``ordered``: groups from the largest to the smallest, among equals the one with the later first molecule first. No
      chance in it: this is "the" scaffold split of MoleculeNet and of Hu et al., whose common skeletons all train.
    - ``balanced``: groups larger than half of a held-out part first, then the others, each shuffled.
    - ``random``: all groups shuffled; validation and test fill up first.

    Args:
        groups: int64 [molecules], from :func:`scaffold_groups`, or a data set's ``scaffolds[chirality]``.
        train: The share of molecules to train on.
        valid: The share to select by; the rest is for the test.
        kind: One of the above.
        seed: Of the shuffles.

    Returns:
        Positions under ``train``, ``valid`` and ``test``, int64; :func:`split_digest` names them.

    Raises:
        ValueError: The shares leave nothing for a part, or a part is left empty because no group fits into it.
        TypeError: ``groups`` are not integers, one a molecule.

    Example:
        >>> split = scaffold_split(torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 2]))
        >>> {part: positions.tolist() for part, positions in split.items()}
        {'train': [0, 1, 2, 3, 5, 6, 7, 8], 'valid': [9], 'test': [4]}

    Source: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science 9, 2018; Hu et al.,
    "Strategies for Pre-training Graph Neural Networks", ICLR 2020 (``ordered``, with chirality; ``random``); Yang et
    al., "Analyzing Learned Molecular Representations for Property Prediction", JCIM 59, 2019 (``balanced``).
    """
    check_choice("kind", kind, ("ordered", "balanced", "random"))
    if not (train > 0 and valid > 0 and train + valid < 1):
        raise ValueError(f"expected shares that leave some for the test, got train={train}, valid={valid}")
    if not isinstance(groups, Tensor) or groups.dim() != 1 or groups.dtype.is_floating_point:
        got = f"{groups.dtype} {list(groups.shape)}" if isinstance(groups, Tensor) else type(groups).__name__
        raise TypeError(
            f"expected groups as integers [molecules], got {got}; make them of SMILES: scaffold_groups(dataset.smiles)"
        )
    values = groups.cpu().numpy()
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=values.min(initial=0) - 1))
    sets = np.split(order, starts[1:]) if len(order) else []
    n = len(values)
    if kind == "ordered":
        parts = _ordered(sets, _room(train * n), _room((train + valid) * n))
    else:
        generator = np.random.Generator(np.random.PCG64(seed))
        parts = (_balanced if kind == "balanced" else _random)(sets, n, train, valid, generator)
    split = {part: torch.from_numpy(np.concatenate([*chosen, np.empty(0, np.int64)])) for part, chosen in parts.items()}
    empty = [part for part, positions in split.items() if positions.numel() == 0]
    if empty:
        raise ValueError(
            f"expected molecules in every part, got none for {empty[0]}: of {n} molecules with {len(sets)} scaffolds "
            f"no group fits there; take other shares, kind='random', or a random split"
        )
    return split


Parts = dict[str, list[np.ndarray]]


def _ordered(sets: list[np.ndarray], first: int, second: int) -> Parts:
    parts: Parts = {part: [] for part in PARTS}
    train = held = 0
    for chosen in sorted(sets, key=lambda positions: (len(positions), positions[0]), reverse=True):
        if train + len(chosen) <= first:
            train += len(chosen)
            parts["train"].append(chosen)
        elif train + held + len(chosen) <= second:
            held += len(chosen)
            parts["valid"].append(chosen)
        else:
            parts["test"].append(chosen)
    return parts


def _balanced(sets: list[np.ndarray], n: int, train: float, valid: float, generator: np.random.Generator) -> Parts:
    room = {"train": _room(train * n), "valid": _room(valid * n)}
    half = min(valid, 1 - train - valid) * n / 2
    large = [chosen for chosen in sets if len(chosen) > half]
    small = [chosen for chosen in sets if len(chosen) <= half]
    turns = [few[i] for few in (large, small) for i in generator.permutation(len(few))]
    return _fill(turns, room, "test")


def _random(sets: list[np.ndarray], n: int, train: float, valid: float, generator: np.random.Generator) -> Parts:
    room = {"valid": _room(valid * n), "test": _room((1 - train - valid) * n)}
    return _fill([sets[i] for i in generator.permutation(len(sets))], room, "train")


def _room(share: float) -> int:
    """How many molecules fit; a share that is a whole number but for rounding, (0.7 + 0.1) * 10, is that number."""
    return int(share + 1e-9)


def _fill(turns: list[np.ndarray], room: Mapping[str, int], rest: str) -> Parts:
    """Each group goes to the first part with room for it, else to the rest."""
    parts: Parts = {part: [] for part in PARTS}
    left = dict(room)
    for chosen in turns:
        part = next((part for part, space in left.items() if len(chosen) <= space), rest)
        if part in left:
            left[part] -= len(chosen)
        parts[part].append(chosen)
    return parts


def split_digest(split: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a split, whatever the order within its parts.

    Args:
        split: Positions under ``train``, ``valid`` and ``test``: tensors, arrays or lists.

    Raises:
        TypeError: Positions are not whole numbers, or a mask.

    Example:
        >>> positions = {"train": torch.tensor([0, 2]), "valid": torch.tensor([1]), "test": torch.tensor([3])}
        >>> split_digest(positions)
        'a73554857f2c4809'
    """
    digest = hashlib.sha256()
    for part in PARTS:
        given = split[part]
        positions = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
        if positions.size and positions.dtype.kind not in "iu":
            mend = "; write mask.nonzero()[0]" if positions.dtype == bool else ""
            raise TypeError(f"expected positions under {part!r} as whole numbers, got {positions.dtype}{mend}")
        digest.update(f"{part}:{len(positions)};".encode())
        digest.update(np.sort(positions).astype("<i8").tobytes())
    return digest.hexdigest()[:16]
