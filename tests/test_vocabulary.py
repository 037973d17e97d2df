"""The numbers of the index tables, against the packages they come from."""

from types import SimpleNamespace

import pytest
import torch
from ogb.utils.features import allowable_features as ogb
from ogb.utils.features import get_atom_feature_dims, get_bond_feature_dims
from torch_geometric.utils import smiles as pyg

from graphcl import _vocabulary
from graphcl._vocabulary import (
    AROMATIC,
    CHIRALITY,
    DEGREE,
    HYBRIDIZATION,
    RING,
    TABLES,
    VOCABULARIES,
    check_same_vocabulary,
)


def test_the_columns() -> None:
    names = list(pyg.x_map)
    assert [names[i] for i in (CHIRALITY, DEGREE, HYBRIDIZATION, AROMATIC, RING)] == [
        "chirality",
        "degree",
        "hybridization",
        "is_aromatic",
        "is_in_ring",
    ]
    assert [name.removeprefix("possible_").removesuffix("_list") for name in ogb][1:9:5] == [
        "chirality",
        "hybridization",
    ]


def test_ogb() -> None:
    table, columns = VOCABULARIES["ogb"], list(ogb.values())
    assert len(table.atom) == len(get_atom_feature_dims())
    for column, number in zip(columns, table.atom + table.bond, strict=True):
        assert column[number] == ("misc" if "misc" in column else column[0])
    assert [ogb["possible_bond_type_list"][i] for i in table.multiple] == ["DOUBLE", "AROMATIC"]
    assert ogb["possible_bond_type_list"][table.aromatic] == "AROMATIC"
    assert ogb["possible_degree_list"][table.unknown_degree] == "misc"
    assert ogb["possible_chirality_list"][0] == pyg.x_map["chirality"][0] == "CHI_UNSPECIFIED"
    assert ogb["possible_bond_stereo_list"][0] == pyg.e_map["stereo"][0] == "STEREONONE"
    assert len(table.bond) == len(get_bond_feature_dims())


def test_pyg() -> None:
    table = VOCABULARIES["pyg"]
    columns = [*pyg.x_map.values(), *pyg.e_map.values()]
    meaning = [column[number] for column, number in zip(columns, table.atom + table.bond, strict=True)]
    assert meaning == [
        0,
        "CHI_UNSPECIFIED",
        0,
        0,
        0,
        0,
        "UNSPECIFIED",
        False,
        False,
        "UNSPECIFIED",
        "STEREONONE",
        False,
    ]
    types = pyg.e_map["bond_type"]
    assert types[table.aromatic] == "AROMATIC"
    low, high = table.multiple
    assert types[low : high + 1] == [
        *("DOUBLE", "TRIPLE", "QUADRUPLE", "QUINTUPLE", "HEXTUPLE"),
        *("ONEANDAHALF", "TWOANDAHALF", "THREEANDAHALF", "FOURANDAHALF", "FIVEANDAHALF", "AROMATIC"),
    ]


@pytest.mark.parametrize("vocab", ["ogb", "pyg"])
def test_one_table_of_degrees_counts_from_zero(vocab: str) -> None:
    degrees = ogb["possible_degree_list"] if vocab == "ogb" else pyg.x_map["degree"]
    assert degrees[:11] == list(range(11))


def test_sizes() -> None:
    assert [c.size for c in TABLES["ogb"].atom] == get_atom_feature_dims()
    assert [c.size for c in TABLES["ogb"].bond] == get_bond_feature_dims()
    assert [c.size for c in TABLES["pyg"].atom] == [len(column) for column in pyg.x_map.values()]
    assert [c.size for c in TABLES["pyg"].bond] == [len(column) for column in pyg.e_map.values()]


@pytest.mark.parametrize(
    ("names", "rdkit"),
    [
        (_vocabulary.CHIRAL_TAG, "ChiralType"),
        (_vocabulary.HYBRIDIZATION_TYPE, "HybridizationType"),
        (_vocabulary.BOND_TYPE, "BondType"),
        (_vocabulary.BOND_STEREO, "BondStereo"),
        (_vocabulary.BOND_DIR, "BondDir"),
    ],
)
def test_the_enumerations_of_rdkit(names: tuple[str, ...], rdkit: str) -> None:
    from rdkit.Chem import rdchem

    values = getattr(rdchem, rdkit).values
    assert [str(values[i]) for i in range(len(names))] == list(names)


def test_one_vocabulary() -> None:
    ogb_set, pyg_set = SimpleNamespace(vocab="ogb"), SimpleNamespace(vocab="pyg")
    check_same_vocabulary(dataset=ogb_set, encoder=torch.nn.Linear(1, 1), other=None)
    encoder = torch.nn.Sequential(torch.nn.Linear(1, 1))
    encoder[0].vocab = "ogb"  # type: ignore[assignment]
    check_same_vocabulary(dataset=ogb_set, encoder=encoder)
    with pytest.raises(ValueError, match="got 'pyg' in dataset and 'ogb' in encoder.Linear"):
        check_same_vocabulary(dataset=pyg_set, encoder=encoder)


def test_views_are_asked_too_however_deep() -> None:
    from graphcl.augment import AtomMask, BondDrop, Compose, Identity

    views = Compose([Identity(), Compose([BondDrop(vocab="pyg"), AtomMask(vocab="pyg")])])
    check_same_vocabulary(dataset=SimpleNamespace(vocab="pyg"), method=SimpleNamespace(views=(views,)))
    with pytest.raises(ValueError, match="got 'ogb' in dataset and 'pyg' in method.Compose.Compose.BondDrop"):
        check_same_vocabulary(dataset=SimpleNamespace(vocab="ogb"), method=SimpleNamespace(views=(Identity(), views)))
