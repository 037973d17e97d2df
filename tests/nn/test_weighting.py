"""Edge weights in networks that know of them, and in GIN."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT, GCN, GraphSAGE
from torch_geometric.nn import GIN as PyGGIN

from graphcl.nn import GIN, GraphEncoder
from graphcl.nn._weighting import encode_weighted


@pytest.fixture
def batch(generator):
    def graph(n):
        return Data(
            x=torch.randn(n, 4, generator=generator, dtype=torch.float64),
            edge_index=torch.randint(n, (2, 3 * n), generator=generator),
        )

    return Batch.from_data_list([graph(n) for n in (5, 7, 4)])


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("width", [2, 8])  # features mapped before the sum, and after it
def test_weights_of_one_change_nothing(batch, norm, width):
    encoder = GraphEncoder(GIN(4, width, 2, norm=norm).double())
    if width == 2:
        encoder = GraphEncoder(GIN(4, 1, 2, norm=norm).double())
    wanted = encoder.encode(batch)
    torch.testing.assert_close(encode_weighted(encoder, batch, torch.ones(batch.num_edges)), wanted)


def test_weights_of_zero_drop_edges(batch, generator):
    encoder = GraphEncoder(GIN(4, 8, 2).double())
    keep = torch.rand(batch.num_edges, generator=generator) > 0.5
    found = encode_weighted(encoder, batch, keep.double())
    wanted = encoder(batch.x, batch.edge_index[:, keep], batch.batch, num_graphs=3)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("width", [1, 8])
def test_gradient_of_the_weights(batch, width):
    encoder = GraphEncoder(GIN(4, width, 2, norm="none").double())
    weight = torch.full((batch.num_edges,), 0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: encode_weighted(encoder, batch, w).graph, (weight,))


def test_networks_that_take_weights_get_them(batch):
    gcn = GCN(4, 8, 2).double()
    weight = torch.linspace(0.1, 1, batch.num_edges, dtype=torch.float64)
    found = encode_weighted(GraphEncoder(gcn), batch, weight)
    torch.testing.assert_close(found.node, gcn(batch.x, batch.edge_index, edge_weight=weight))


def test_a_single_graph_and_integer_features():
    data = Data(x=torch.ones(3, 4, dtype=torch.int64), edge_index=torch.tensor([[0, 1], [1, 2]]))
    assert encode_weighted(GraphEncoder(GIN(4, 8, 2)), data, torch.ones(2)).graph.shape == (1, 16)


def test_networks_that_take_none_are_refused(batch):
    class Own(nn.Module):
        def forward(self, x, edge_index):
            return x

    with pytest.raises(ValueError, match="expected a network whose forward takes edge_weight, got Own; take GIN"):
        encode_weighted(GraphEncoder(Own()), batch, torch.ones(batch.num_edges))


@pytest.mark.parametrize("kind", [PyGGIN, GraphSAGE, GAT])
def test_networks_that_take_them_and_make_nothing_of_them_are_refused(kind, batch):
    with pytest.raises(ValueError, match=f"got {kind.__name__}, which makes no use of it; take GIN of graphcl.nn"):
        encode_weighted(GraphEncoder(kind(4, 8, 2).double()), batch, torch.ones(batch.num_edges))


def test_a_norm_over_graphs_keeps_them_apart(batch):
    encoder, weight = GraphEncoder(GCN(4, 8, 2, norm="graph_norm").double()), torch.full((batch.num_edges,), 0.5)
    weights = weight.split([graph.num_edges for graph in batch.to_data_list()])
    alone = [encode_weighted(encoder, graph, w).graph for graph, w in zip(batch.to_data_list(), weights, strict=True)]
    torch.testing.assert_close(encode_weighted(encoder, batch, weight).graph, torch.cat(alone))


@pytest.mark.parametrize("width", [1, 8])  # features mapped before the sum, and after it
def test_what_stands_in_for_a_linear_map_is_called(batch, width):
    encoder = GraphEncoder(GIN(4, width, 2).double()).eval()
    encoder.gnn.lower[0] = nn.Sequential(encoder.gnn.lower[0], nn.Tanh())
    torch.testing.assert_close(encode_weighted(encoder, batch, torch.ones(batch.num_edges)), encoder.encode(batch))


def test_a_network_made_of_gin_is_asked_itself(batch):
    class Scaled(GIN):
        def forward(self, x, edge_index, *, splits=None):
            return 2 * super().forward(x, edge_index, splits=splits)

    with pytest.raises(ValueError, match="expected a network whose forward takes edge_weight, got Scaled"):
        encode_weighted(GraphEncoder(Scaled(4, 8, 2)), batch, torch.ones(batch.num_edges))
