"""Encoders that take several views in one pass: the package's own, and one's own."""

import torch
from torch_geometric.data import Data

from graphcl.nn import GAT, GCN, GIN, SAGE, EdgeEncoder, GraphEncoder, JointEncoder, MoleculeEncoder

EDGES = torch.tensor([[0, 1], [1, 2]])


def test_the_packages_own_say_their_width():
    for kind, width in ((GIN, 14), (GCN, 7), (SAGE, 7), (GAT, 7)):
        encoder = kind(3, 7, 2)
        assert isinstance(encoder, JointEncoder)
        assert encoder.out_channels == encoder(torch.randn(3, 3), EDGES).size(1) == width
    assert isinstance(MoleculeEncoder(4), EdgeEncoder)


def test_ones_own_is_given_all_views_at_once_and_where_they_end():
    class Own(JointEncoder):
        out_channels = 3

        def forward(self, x, edge_index, *, splits=None):
            self.seen = splits
            return x

    own = Own()
    views = [Data(x=torch.randn(n, 3), edge_index=EDGES) for n in (4, 6)]
    found = GraphEncoder(own).encode_views(views)
    assert own.seen == [4, 6]
    assert [e.node.size(0) for e in found] == [4, 6]
