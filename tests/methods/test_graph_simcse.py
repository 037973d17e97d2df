"""SimCSE on graphs: two masks of dropout are the only difference."""

import pytest
import torch
from torch import nn

from graphcl.methods import GraphSimCSE
from graphcl.nn import GIN, GraphEncoder


class Spy(nn.Module):
    def forward(self, z1, z2):
        self.seen = z1, z2
        return (z1 * z2).mean()


def test_without_dropout_both_views_are_the_clean_graph(batch):
    method = GraphSimCSE(GraphEncoder(GIN(4, 8, 2)), drop=0.0, loss=Spy())
    method(batch)
    first, second = method.loss.seen
    assert torch.equal(first, second)
    torch.testing.assert_close(first, method.head(method.encoder.encode(batch).graph))


def test_dropout_falls_on_features_and_nodes_at_its_rate(batch):
    seen = {}

    class Network(nn.Module):
        out_channels = 400

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x, edge_index):
            seen["x"] = x
            return self.scale * torch.ones(x.size(0), 400)

    def readout(x, nodes, num_graphs):
        seen["node"] = x
        return x.new_zeros(num_graphs, 400).index_add(0, nodes, x)

    batch.x = torch.ones(batch.num_nodes, 300)
    GraphSimCSE(GraphEncoder(Network(), readout), drop=0.3)(batch)
    for z in seen.values():
        assert z.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
        assert (z == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_the_two_views_differ(batch):
    method = GraphSimCSE(GraphEncoder(GIN(4, 8, 2)), loss=Spy())
    method(batch)
    assert not torch.allclose(*method.loss.seen)


@pytest.mark.parametrize("drop", [-0.1, 1.0])
def test_a_rate_out_of_range_is_refused(drop):
    with pytest.raises(ValueError, match="expected drop within"):
        GraphSimCSE(GraphEncoder(GIN(4)), drop=drop)
