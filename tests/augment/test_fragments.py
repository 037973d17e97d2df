"""What RDKit marks in a molecule, and views that keep one fragment of it."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rdkit import Chem
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose
from torch_geometric.utils import from_smiles

from graphcl.augment import AtomDrop, BRICSFragment, MarkFragments, MarkFunctionalGroups, MarkScaffold
from graphcl.augment.fragments import FUNCTIONAL_GROUPS

Make = Callable[..., Data]
MARKERS = [MarkScaffold(), MarkFunctionalGroups(), MarkFragments()]


def marked(smiles: str, marker: Any, name: str) -> list[int]:
    return marker(from_smiles(smiles))[name].long().tolist()


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smiles", "atoms"),
    [
        ("CCCO", []),  # no ring, no scaffold
        ("Cc1ccccc1", [1, 2, 3, 4, 5, 6]),
        ("C1CC1CCC1CC1C", [0, 1, 2, 3, 4, 5, 6, 7]),  # the linker belongs to it
        ("CC1CCC(=O)CC1", [1, 2, 3, 4, 5, 6, 7]),  # and the oxygen of the ketone
        ("C1CC1.CC", [0, 1, 2]),
        ("C", []),
    ],
)
def test_scaffolds(smiles: str, atoms: list[int]) -> None:
    found = MarkScaffold()(from_smiles(smiles)).scaffold
    assert found.dtype == torch.bool
    assert found.nonzero().squeeze(1).tolist() == atoms


@pytest.mark.parametrize(
    ("name", "smiles", "atoms"),
    [
        ("carboxylic acid", "CCC(=O)O", [2, 3, 4]),
        ("ester", "CC(=O)OC", [1, 2, 3, 4]),
        ("amide", "CC(=O)NC", [1, 2, 3]),
        ("amine", "CCN", [1, 2]),
        ("hydroxyl", "CCCO", [2, 3]),
        ("ether", "CCOCC", [1, 2, 3]),
        ("nitrile", "CCC#N", [2, 3]),
        ("nitro", "CC[N+](=O)[O-]", [2, 3, 4]),
        ("halide", "CCCl", [1, 2]),
        ("thiol", "CCS", [2]),
        ("sulfonyl", "CS(=O)(=O)C", [1, 2, 3]),
        ("alkene", "CC=CC", [1, 2]),
        ("azide", "CN=[N+]=[N-]", [1, 2, 3]),
        ("phosphoryl", "CP(=O)(O)O", [1, 2]),
    ],
)
def test_functional_groups(name: str, smiles: str, atoms: list[int]) -> None:
    found = MarkFunctionalGroups({name: FUNCTIONAL_GROUPS[name]})(from_smiles(smiles)).functional_group
    assert found.nonzero().squeeze(1).tolist() == atoms


def test_all_patterns_can_be_read_and_together_are_the_default() -> None:
    assert all(Chem.MolFromSmarts(smarts) for smarts in FUNCTIONAL_GROUPS.values())
    assert marked("CCCC(=O)OCCC#N", MarkFunctionalGroups(), "functional_group") == [0, 0, 0, 1, 1, 1, 1, 0, 1, 1]
    assert not any(marked("CCCCc1ccccc1", MarkFunctionalGroups(), "functional_group"))


def test_fragments_are_those_of_brics() -> None:
    assert marked("CCCOCCC(=O)c1ccccc1", MarkFragments(), "fragment") == [0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
    assert marked("CCCCCC", MarkFragments(), "fragment") == [0] * 6
    assert marked("CC(=O)[O-].[Na+]", MarkFragments(), "fragment") == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("marker", MARKERS, ids=lambda m: type(m).__name__)
def test_markers_are_transforms(marker: Any, molecule: Make) -> None:
    data = molecule("CC(=O)Nc1ccccc1")
    names = set(data.keys())
    out = Compose([marker])(data)
    assert set(data.keys()) == names  # the input is left alone
    (name,) = set(out.keys()) - names
    assert out[name].shape == (10,)
    assert repr(marker) == f"{type(marker).__name__}()"
    batch = Batch.from_data_list([out, marker(molecule("CCO"))])
    assert [d[name].numel() for d in batch.to_data_list()] == [10, 3]
    assert torch.equal(batch[0][name], out[name])


@pytest.mark.parametrize("marker", MARKERS, ids=lambda m: type(m).__name__)
def test_explicit_hydrogens_are_atoms_too(marker: Any) -> None:
    data = marker(from_smiles("CCO", with_hydrogen=True))
    (name,) = {"scaffold", "functional_group", "fragment"} & set(data.keys())
    assert data[name].numel() == data.num_nodes == 9


@pytest.mark.parametrize("marker", MARKERS, ids=lambda m: type(m).__name__)
def test_markers_say_what_they_need(marker: Any, molecule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    data = molecule("CCO")
    with pytest.raises(TypeError, match="expected one molecule as a Data, got .*Batch.*pre_transform"):
        marker(Batch.from_data_list([data]))
    del data.smiles
    with pytest.raises(ValueError, match="data.smiles to be a string, got None"):
        marker(data)
    data.smiles = "C(("
    with pytest.raises(ValueError, match=r"expected a SMILES that RDKit can read, got 'C\(\('"):
        marker(data)
    data.smiles = "CCOC"
    with pytest.raises(ValueError, match="as many nodes as atoms, got 3 for 'CCOC'"):
        marker(data)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ImportError, match=r"pip install 'graphcl\[molecules\]'"):
        marker(data)


def test_nodes_in_another_order_than_the_atoms_are_refused() -> None:
    data = from_smiles("CCc1ccccc1O")
    data.edge_index = data.num_nodes - 1 - data.edge_index  # numbered from the other end, as a file may have it
    with pytest.raises(ValueError, match=r"in their order, got no edge between 7 and 2, which are bonded there"):
        MarkScaffold()(data)
    pairs = torch.cartesian_prod(torch.arange(9), torch.arange(9)).t()
    assert MarkScaffold()(Data(x=data.x, edge_index=pairs, smiles=data.smiles)).scaffold.sum() == 6
    assert MarkScaffold()(Data(x=data.x, smiles=data.smiles)).scaffold.sum() == 6


def test_all_groups_of_a_polymer_are_marked() -> None:
    polymer = MarkFunctionalGroups({"amide": "C(=O)N"})(from_smiles("C(=O)N" * 1001))
    assert polymer.functional_group.all()


def test_patterns_must_be_smarts() -> None:
    with pytest.raises(ValueError, match=r"expected a SMARTS pattern for 'mine', got '\[\['"):
        MarkFunctionalGroups({"mine": "[["})(from_smiles("CC"))
    assert repr(MarkFunctionalGroups({"mine": "CC"})) == "MarkFunctionalGroups(groups={'mine': 'CC'})"


# --- one fragment -----------------------------------------------------------------------------------------------------


def test_a_view_is_one_whole_fragment(molecule: Make) -> None:
    data = MarkFragments()(molecule("CCCOCCC(=O)c1ccccc1"))
    for key in range(20):
        view = BRICSFragment().view(data, key)
        (chosen,) = set(view.fragment.tolist())
        assert torch.equal(view.n_id, (data.fragment == chosen).nonzero().squeeze(1))


def test_fragments_are_chosen_uniformly_each_molecule_for_itself(molecule: Make) -> None:
    data = MarkFragments()(molecule("CCCOCCC(=O)c1ccccc1"))
    batch = Batch.from_data_list([data] * 4000)
    view = BRICSFragment().view(batch, 1)
    chosen = view.fragment[view.ptr[:-1]]
    assert stats.chisquare(chosen.bincount().numpy()).pvalue > 1e-3
    pairs = 4 * chosen[1:] + chosen[:-1]
    assert stats.chisquare(pairs.bincount(minlength=16).numpy()).pvalue > 1e-3


def test_only_fragments_that_are_still_there_are_chosen(molecule: Make) -> None:
    data = MarkFragments()(molecule("CCCOCCC(=O)c1ccccc1"))
    first = AtomDrop(drop=0.7).view(Batch.from_data_list([data] * 50), 0)
    view = BRICSFragment().view(first, 1)
    assert (view.ptr.diff() >= 1).all()
    for part, before in zip(view.to_data_list(), first.to_data_list(), strict=True):
        (chosen,) = set(part.fragment.tolist())
        assert torch.equal(part.n_id, before.n_id[before.fragment == chosen])


def test_molecules_that_cannot_be_broken_stay_whole(molecule: Make) -> None:
    for smiles in ("CCCCCC", "C", "c1ccccc1"):
        data = MarkFragments()(molecule(smiles))
        view = BRICSFragment().view(data, 0)
        assert torch.equal(view.x, data.x) and torch.equal(view.edge_attr, data.edge_attr)


def test_fragments_must_be_marked(molecule: Make) -> None:
    with pytest.raises(ValueError, match=r"expected an attribute 'fragment'.*got none; apply MarkFragments\(\)"):
        BRICSFragment()(molecule("CCO"))
    with pytest.raises(ValueError, match="vocab to be 'ogb' or 'pyg'"):
        BRICSFragment(vocab="other")
