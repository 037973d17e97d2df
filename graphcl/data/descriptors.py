"""What RDKit computes of molecules, as vectors that their graphs can be contrasted with."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl._descriptors import VectorKind
from graphcl.data._describe import ROW, fingerprints_and_properties
from graphcl.data._kept import Arrays, kept
from graphcl.data._processes import AT_ONCE, answers
from graphcl.data.molecule_set import MoleculeDataset, check_molecules
from graphcl.errors import DataError

__all__ = ["with_vectors"]

_FORM = "graphcl-descriptors-1"
_FAR = 5.0  # standard deviations: a single peptide must not outweigh all else


def with_vectors(
    dataset: MoleculeDataset,
    kind: VectorKind = "properties",
    *,
    root: str | Path | None = None,
    workers: int | None = None,
) -> MoleculeDataset:
    """The set with a vector for each molecule, an attribute of that name, ``[1, M]`` in every graph.

    ``"fingerprint"`` is the Morgan fingerprint of radius 2 in 1,024 bits, ``"properties"`` 43 numbers, each
    standardised over the set and cut off at five standard deviations (an unknown one is the mean), ``"descriptors"``
    the two side by side. They are what :class:`graphcl.methods.CrossModal` contrasts graphs with, or targets of your
    own. RDKit computes them once, and they are kept in the data folder.

    Args:
        dataset: A set of molecules; it stays as it was.
        kind: Which vectors.
        root: The data folder (:func:`graphcl.data.home`).
        workers: Processes; None takes one per core for more than ten thousand molecules, 0 none but this one.

    Raises:
        ValueError: The kind is unknown.
        TypeError: ``dataset`` is not a :class:`MoleculeDataset`.
        DataError: Molecules have no SMILES, the set has such an attribute, or the data folder cannot be written.
        ImportError: RDKit is not installed.

    Example:
        >>> import tempfile
        >>> from graphcl.data import from_smiles_list
        >>> dataset = with_vectors(from_smiles_list(["CCO", "c1ccccc1"]), "properties", root=tempfile.mkdtemp())
        >>> dataset[0].properties.shape
        torch.Size([1, 43])

    Source: Rogers and Hahn, "Extended-Connectivity Fingerprints", Journal of Chemical Information and Modeling 50,
    2010; the numbers are those of RDKit's ``rdMolDescriptors.Properties``.
    """
    check_choice("kind", kind, get_args(VectorKind))
    check_molecules(dataset)
    if kind in dataset._data:
        raise DataError(f"expected {dataset.name} without an attribute {kind!r}, got one; it has its vectors already")
    # Those of the whole set, where this is a part of it: positions go through to it.
    texts = list(dataset._smiles)
    if not all(texts):
        raise DataError(f"expected a SMILES of every molecule of {dataset.name}, got none of {texts.count('')}")
    workers = (os.cpu_count() or 1) if workers is None else workers
    arrays = kept("descriptors", _FORM, texts, root, lambda: _found(texts, workers))
    out = copy.copy(dataset)
    out._data, out.slices = copy.copy(dataset._data), dict(dataset.slices)
    out._data[kind] = _vectors(arrays, kind)
    out.slices[kind] = torch.arange(len(texts) + 1)
    return out


def _vectors(arrays: Arrays, kind: VectorKind) -> Tensor:
    """``[N, M]``; bytes for bits alone, half precision for what has numbers too."""
    bits = np.unpackbits(arrays["fingerprint"], axis=1)
    if kind == "fingerprint":
        return torch.from_numpy(bits)
    numbers = _standardised(arrays["properties"].astype(np.float64))
    if kind == "properties":
        return torch.from_numpy(numbers.astype(np.float32))
    out = torch.empty(len(bits), bits.shape[1] + numbers.shape[1], dtype=torch.float16)
    out[:, : bits.shape[1]], out[:, bits.shape[1] :] = torch.from_numpy(bits), torch.from_numpy(numbers)
    return out


def _standardised(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column by its mean and deviation, where it is known."""
    known = np.isfinite(numbers)
    count = known.sum(0).clip(1)
    numbers = np.where(known, numbers, 0)
    numbers = np.where(known, numbers - numbers.sum(0) / count, 0)
    spread = np.sqrt((numbers**2).sum(0) / count)
    return (numbers / np.where(spread > 0, spread, 1)).clip(-_FAR, _FAR)


def _found(texts: Sequence[str], workers: int) -> Arrays:
    rows = (
        fingerprints_and_properties(texts) if workers == 0 or len(texts) <= AT_ONCE else _in_processes(texts, workers)
    )
    return {name: rows[name] for name in ROW.names or ()}


def _in_processes(texts: Sequence[str], workers: int) -> NDArray[Any]:
    return np.concatenate([np.frombuffer(part, ROW) for part in answers("graphcl.data._describe", texts, workers)])
