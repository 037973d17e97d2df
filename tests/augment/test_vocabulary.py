"""The numbers of both index tables, against the packages they come from."""

import pytest
from ogb.utils.features import allowable_features as ogb
from ogb.utils.features import get_atom_feature_dims, get_bond_feature_dims
from torch_geometric.utils import smiles as pyg

from graphcl.augment._vocabulary import AROMATIC, CHIRALITY, DEGREE, HYBRIDIZATION, RING, VOCABULARIES


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
