"""Marks of atoms for a packed set of molecules: what a transform notes of each, at its atoms."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from graphcl.augment import AtomMask, BRICSFragment, MarkFragments, MarkFunctionalGroups, MarkScaffold
from graphcl.data import PackedDataset, from_smiles_list, with_marks
from graphcl.errors import DataError

SMILES = ["Cc1ccccc1", "CCO", "none", "CC(=O)Nc1ccccc1", "C"]


def marked(mark: Callable[[Data], Data], position: int) -> Any:
    dataset = from_smiles_list(SMILES)
    graph = dataset[position]
    graph.smiles = dataset.smiles[position]
    return mark(graph)


def test_they_are_those_of_each_molecule_alone() -> None:
    dataset = from_smiles_list(SMILES)
    out = with_marks(dataset, [MarkScaffold(), MarkFunctionalGroups(), MarkFragments()])
    assert "scaffold" not in dataset._data and "smiles" not in out._data and len(out) == 4
    for i in range(4):
        assert torch.equal(out[i].scaffold, marked(MarkScaffold(), i).scaffold)
        assert torch.equal(out[i].functional_group, marked(MarkFunctionalGroups(), i).functional_group)
        assert torch.equal(out[i].fragment, marked(MarkFragments(), i).fragment)
        assert torch.equal(out[i].x, dataset[i].x)


def test_views_take_them_from_batches() -> None:
    packed = PackedDataset(with_marks(from_smiles_list(SMILES), [MarkScaffold(), MarkFragments()]), graph_id=True)
    batch = packed.batch([3, 0, 1])
    view = AtomMask(mask=0.5, protect="scaffold")(batch)
    kept = (view.x == batch.x).all(1)
    assert bool(kept[batch.scaffold].all()) and not bool(kept.all())
    assert BRICSFragment()(packed.batch([2, 0])).num_nodes in (8, 10, 13)  # one of three parts, and the whole


def test_a_part_of_a_set_keeps_its_places() -> None:
    part = with_marks(from_smiles_list(SMILES)[[3, 1]], MarkScaffold())
    assert torch.equal(part[0].scaffold, marked(MarkScaffold(), 3).scaffold)
    assert torch.equal(part.copy()[1].scaffold, marked(MarkScaffold(), 1).scaffold)


def test_what_is_no_mark_of_atoms() -> None:
    dataset = from_smiles_list(SMILES)

    def nothing(data: Data) -> Data:
        return data

    def whole(data: Data) -> Data:
        data.size_of = torch.tensor([data.num_nodes, 0])
        return data

    def sometimes(data: Data) -> Data:
        if data.num_nodes == 3:
            data.three = torch.ones(3)
        return data

    with pytest.raises(DataError, match="a mark of every molecule of molecules, got none of some"):
        with_marks(dataset, nothing)
    with pytest.raises(DataError, match=r"marks 'size_of' of the 7 atoms of the molecule at 0, got \[2\]"):
        with_marks(dataset, whole)
    with pytest.raises(DataError, match="a mark of every molecule of molecules, got three of some"):
        with_marks(dataset, sometimes)
    with pytest.raises(ValueError, match=r"graphcl.data.with_marks\(dataset, MarkScaffold\(\)\)"):
        MarkScaffold()(dataset[0])
