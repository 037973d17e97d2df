"""The index table of molecules that do not say it, told by the SMILES that they carry."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset
from torch_geometric.data import InMemoryDataset

from graphcl._vocabulary import TABLES
from graphcl.data._featurise import featurise

__all__ = ["recognised", "vocabulary_of"]

_FEW = 16  # graphs of a list: milliseconds


def vocabulary_of(dataset: Any) -> str | None:
    """The index table of a set's molecules: what it says itself, what torch's subsets and sums are made of, or SMILES.

    Raises:
        ValueError: The parts of a sum, or graphs of a list, differ.
    """
    own = getattr(dataset, "vocab", None)
    if isinstance(own, str):
        return own
    if isinstance(dataset, Subset):
        return vocabulary_of(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        return _the_one(map(vocabulary_of, dataset.datasets))
    return recognised(dataset)


def recognised(dataset: Any) -> str | None:
    """The table under which a graph's SMILES gives the graph's atoms; None where nothing or no one table does.

    Graphs that PyG made of SMILES, one by one or as its ``MoleculeNet``, carry them, and so do those of
    :func:`graphcl.data.from_smiles`. Where none of the atoms or bonds is beyond another table, nothing else would tell.
    Of a list a few graphs from its first to its last are looked at, as it may have been put together from others.

    Raises:
        ValueError: Graphs of a list differ.
    """
    if isinstance(dataset, InMemoryDataset):
        return None if dataset._data is None or "smiles" not in dataset._data else _of_graph(dataset[0])
    if not isinstance(dataset, list | tuple) or not dataset:
        return None
    few = dict.fromkeys(np.linspace(0, len(dataset) - 1, _FEW).astype(int).tolist())
    return _the_one(_of_graph(dataset[i]) for i in few)


def _the_one(found: Iterable[str | None]) -> str | None:
    names = list(dict.fromkeys(filter(None, found)))
    if len(names) > 1:
        raise ValueError(
            f"expected parts of one table of atoms and bonds, got {' and '.join(map(repr, names))}: the same number "
            f"means another atom there; load the molecules with one vocab"
        )
    return names[0] if names else None


def _of_graph(graph: Any) -> str | None:
    smiles, x = getattr(graph, "smiles", None), getattr(graph, "x", None)
    if not isinstance(smiles, str) or not isinstance(x, Tensor) or x.is_floating_point():
        return None
    try:
        fits = [vocab for vocab in TABLES if np.array_equal(featurise([smiles], vocab).x, x.cpu().numpy())]
    except ImportError:  # without RDKit nothing is told
        return None
    return fits[0] if len(fits) == 1 else None
