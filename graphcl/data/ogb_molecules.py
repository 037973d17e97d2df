"""The molecule sets of the Open Graph Benchmark, as sets of molecules like any other, with OGB's own split."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphcl.data.molecule_set import MoleculeDataset, Texts
from graphcl.data.ogb import load_ogb
from graphcl.data.tables import read_molecules
from graphcl.errors import DataError

__all__ = ["load_ogb_molecules"]


def load_ogb_molecules(name: str, root: str | Path) -> MoleculeDataset:
    """Load ``ogbg-molhiv`` and the like: OGB's graphs, labels and split, none of it computed anew.

    Args:
        name: OGB's name; it begins with ``ogbg-mol``.
        root: The folder of the OGB sets.

    Returns:
        Molecules under the index table ``ogb``, with ``y`` ``[1, tasks]`` as float32 (NaN for what is missing), ``row``
        (equal to the position: OGB has one graph for every row), ``split``, and ``smiles`` where OGB's folder
        ``mapping`` is there.

    Raises:
        DataError: As :func:`graphcl.data.load_ogb`, or the set is not a set of molecules.

    Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020.
    """
    if not name.startswith("ogbg-mol"):
        raise DataError(f"expected a set of molecules, whose name begins with ogbg-mol, got {name!r}.")
    dataset: Any = load_ogb(name, root)
    data, slices, count = dataset._data, dataset.slices, len(dataset)
    if data.x is None or data.x.size(1) != 9 or data.edge_attr is None or data.edge_attr.size(1) != 3:
        raise DataError(f"{name} has no atoms and bonds of OGB's table: delete its folder processed and load it again.")
    texts = Texts.of(_smiles(Path(dataset.root), name, count))
    tensors: dict[str, Tensor] = {
        "x": data.x.to(torch.uint8),
        "edge_index": data.edge_index.to(torch.int32),
        "edge_attr": data.edge_attr.to(torch.uint8),
        "atoms": slices["x"].diff(),
        "edges": slices["edge_index"].diff(),
        "row": torch.arange(count),
        "y": data.y.reshape(count, -1).float(),
        "smiles": texts.data,
        "smiles_ends": texts.ends,
    }
    tasks = [f"{name}-{i}" for i in range(tensors["y"].size(1))] if tensors["y"].size(1) > 1 else [name]
    result = MoleculeDataset(tensors, name=name, vocab="ogb", num_rows=count, tasks=tasks)
    result.split = {part: torch.as_tensor(positions) for part, positions in dataset.split.items()}
    return result


def _smiles(folder: Path, name: str, count: int) -> list[str]:
    path = folder / "mapping" / "mol.csv.gz"
    if not path.is_file():
        return [""] * count
    found = read_molecules(path).smiles
    if len(found) != count:
        raise DataError(f"{path} has {len(found)} molecules, {name} {count}: they are of different releases.")
    return found
