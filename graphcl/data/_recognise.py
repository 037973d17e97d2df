"""The index table of molecules that do not say it, told by the SMILES that they carry."""

from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset
from torch_geometric.data import InMemoryDataset

from graphcl._vocabulary import TABLES
from graphcl.data._featurise import featurise

__all__ = ["recognised", "vocabulary_of"]


def vocabulary_of(dataset: Any) -> str | None:
    """The index table of a set's molecules: what it says itself, what torch's subsets and sums are made of, or SMILES.

    Raises:
        ValueError: The parts of a sum differ.
    """
    own = getattr(dataset, "vocab", None)
    if isinstance(own, str):
        return own
    if isinstance(dataset, Subset):
        return vocabulary_of(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        found = list(dict.fromkeys(filter(None, map(vocabulary_of, dataset.datasets))))
        if len(found) > 1:
            raise ValueError(
                f"expected parts of one table of atoms and bonds, got {' and '.join(map(repr, found))}: the same "
                f"number means another atom there; load the molecules with one vocab"
            )
        return found[0] if found else None
    return recognised(dataset)


def recognised(dataset: Any) -> str | None:
    """The table under which the first graph's SMILES gives the graph's atoms; None where nothing or no one table does.

    Graphs that PyG made of SMILES, one by one or as its ``MoleculeNet``, carry them, and so do those of
    :func:`graphcl.data.from_smiles`. Where none of the atoms or bonds is beyond another table, nothing else would tell.
    """
    if isinstance(dataset, InMemoryDataset):
        if dataset._data is None or "smiles" not in dataset._data:
            return None
    elif not isinstance(dataset, list | tuple) or not dataset:
        return None
    graph = dataset[0]
    smiles, x = getattr(graph, "smiles", None), getattr(graph, "x", None)
    if not isinstance(smiles, str) or not isinstance(x, Tensor) or x.is_floating_point():
        return None
    try:
        fits = [vocab for vocab in TABLES if np.array_equal(featurise([smiles], vocab).x, x.cpu().numpy())]
    except ImportError:  # without RDKit nothing is told
        return None
    return fits[0] if len(fits) == 1 else None
