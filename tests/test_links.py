"""Attributes of other links than the edges, by their names: there may be just as many of them."""

import pytest
import torch
from torch_geometric.data import Data

from graphcl._links import is_of_links

PAIRS = torch.zeros(2, 4, dtype=torch.int64)
DATA = Data(
    x=torch.ones(4, 1),
    edge_index=PAIRS,
    edge_attr=torch.ones(4, 1),
    edge_label_index=PAIRS,
    edge_label=torch.ones(4),
    other_edge_index=PAIRS,
    tree_index=PAIRS,
    atom_index=torch.zeros(4, dtype=torch.int64),
    face=torch.zeros(3, 4, dtype=torch.int64),
)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("x", False),
        ("edge_index", False),
        ("edge_attr", False),
        ("edge_label_index", True),
        ("edge_label", True),
        ("other_edge_index", True),
        ("tree_index", True),
        ("atom_index", False),  # a number for each node
        ("face", True),
    ],
)
def test_by_name_and_shape(key: str, wanted: bool) -> None:
    assert is_of_links(DATA._store, key) is wanted


def test_a_label_without_links_is_that_of_an_edge() -> None:
    assert not is_of_links(Data(edge_index=PAIRS, edge_label=torch.ones(4))._store, "edge_label")
