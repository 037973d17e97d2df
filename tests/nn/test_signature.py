"""Networks that are told how much each edge counts, and those that are refused."""

import pytest
from torch import nn
from torch_geometric.nn import GAT as PyGGAT
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import GIN as PyGGIN
from torch_geometric.nn import GraphSAGE

from graphcl.nn import GAT, GCN, GIN, SAGE, MoleculeEncoder, UnitDepths
from graphcl.nn._signature import check_takes_weights


class Own(nn.Module):
    def forward(self, x, edge_index):
        return x


class Scaled(GIN):
    def forward(self, x, edge_index, *, splits=None):
        return 2 * super().forward(x, edge_index, splits=splits)


def test_networks_that_take_weights_are_taken():
    for network in (GIN(4), GCN(4), SAGE(4), UnitDepths(GIN(4)), MoleculeEncoder(4), PyGGCN(4, 8, 2)):
        check_takes_weights(network)


@pytest.mark.parametrize("network", [Own(), Scaled(4), GAT(4)])
def test_networks_that_take_none_are_refused(network):
    name = type(network).__name__
    with pytest.raises(ValueError, match=f"expected a network whose forward takes edge_weight, got {name}; take GIN"):
        check_takes_weights(network)


@pytest.mark.parametrize(
    "network", [PyGGIN(4, 8, 2), GraphSAGE(4, 8, 2), PyGGAT(4, 8, 2), UnitDepths(GAT(4, jk="cat"))]
)
def test_networks_that_make_nothing_of_them_are_refused(network):
    with pytest.raises(ValueError, match=f"got {type(network).__name__}, which makes no use of it; take GIN"):
        check_takes_weights(network)
