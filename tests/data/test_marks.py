"""Marks of atoms for a packed set of molecules: what a transform notes of each, at its atoms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from graphcl.augment import AtomMask, BRICSFragment, MarkFragments, MarkFunctionalGroups, MarkScaffold
from graphcl.data import PackedDataset, from_smiles_list, load, with_marks
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

    with pytest.raises(
        DataError, match="new marks of every molecule of molecules, got none of some; it has edge_attr, "
    ):
        with_marks(dataset, nothing)
    with pytest.raises(DataError, match=r"marks 'size_of' of the 7 atoms of the molecule at 0, got \[2\]"):
        with_marks(dataset, whole)
    with pytest.raises(DataError, match="new marks of every molecule of molecules, got three of some"):
        with_marks(dataset, sometimes)
    with pytest.raises(ValueError, match=r"graphcl.data.with_marks\(dataset, MarkScaffold\(\)\)"):
        MarkScaffold()(dataset[0])


def test_marks_that_are_there_and_sets_of_others() -> None:
    once = with_marks(from_smiles_list(SMILES), MarkScaffold())
    with pytest.raises(DataError, match="it has .*scaffold, x already"):
        with_marks(once, MarkScaffold())
    with pytest.raises(TypeError, match="a set of molecules that graphcl.data has made, got list"):
        with_marks([once[0]], MarkScaffold())  # type: ignore[arg-type]


def test_a_valence_that_rdkit_does_not_know() -> None:
    graph = from_smiles_list(["CCCCCC"])[0]
    graph.smiles = "Cl[Al](Cl)(Cl)(Cl)Cl"
    graph.edge_index = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    with pytest.raises(ValueError, match="their order"):  # read, and its bonds compared
        MarkScaffold()(graph)


def test_the_molecule_that_fails_is_named() -> None:
    def fails(data: Data) -> Data:
        raise ValueError("no")

    with pytest.raises(ValueError, match="the molecule at 0 of molecules: no"):
        with_marks(from_smiles_list(SMILES), fails)


@pytest.mark.parametrize("name", ["ogbg-molhiv"])
def test_whole_sets(graphcl_home: Path, name: str) -> None:
    dataset = load(name, root=graphcl_home)
    odd = dataset[[137, 0]]
    assert with_marks(odd, MarkScaffold())[0].scaffold.dtype == torch.bool
