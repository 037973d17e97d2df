"""The index table of molecules that do not say it, told by the SMILES that they carry."""

from typing import Any

import numpy as np
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from graphcl._vocabulary import TABLES
from graphcl.data._featurise import featurise

__all__ = ["recognised"]


def recognised(dataset: Any) -> str | None:
    """The table under which the first graph's SMILES gives the graph's atoms; None where nothing or no one table does.

    Graphs that PyG made of SMILES, one by one or as its ``MoleculeNet``, carry them, and so do those of
    :func:`graphcl.data.from_smiles`. Where none of the atoms or bonds is beyond another table, nothing else would tell.
    """
    if isinstance(dataset, InMemoryDataset):
        if "smiles" not in dataset._data:
            return None
    elif not isinstance(dataset, list | tuple):
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
