import pytest
import torch
from torch_geometric.nn import GCN as PyGGCN

from graphcl.nn import GCN, GIN, SAGE, GraphEncoder, UnitDepths, depths_of


def graph(generator, num_nodes=20):
    edges = torch.randint(num_nodes, (2, 40), generator=generator)
    return torch.randn(num_nodes, 4, generator=generator), torch.cat([edges, edges.flip(0)], 1)


@pytest.mark.parametrize(
    "make", [lambda: GIN(4, 8, 2), lambda: GCN(4, 8, 2, jk="cat"), lambda: SAGE(4, 8, 2, jk="cat")]
)
def test_features_and_layers_at_length_one(make, generator):
    x, edge_index = graph(generator)
    gnn = make()
    plain = torch.cat([x, gnn(x, edge_index)], 1)
    unit = UnitDepths(gnn)(x, edge_index)
    assert unit.shape == (20, 20)
    blocks = [plain[:, :4], plain[:, 4:12], plain[:, 12:]]
    torch.testing.assert_close(unit, torch.cat([block / block.norm(dim=1, keepdim=True) for block in blocks], 1))


def test_zero_features_stay_zero_with_a_finite_gradient(generator):
    x, edge_index = graph(generator)
    x[0] = 0
    x.requires_grad_()
    unit = UnitDepths(GIN(4, 8, 2))(x, edge_index)
    assert unit[0, :4].tolist() == [0, 0, 0, 0]
    unit.sum().backward()
    assert x.grad.isfinite().all()


def test_two_views_in_one_pass_are_two_passes(generator):
    views = [graph(generator, n) for n in (20, 13)]
    encoder = UnitDepths(GIN(4, 8, 2))
    alone = [encoder(*view) for view in views]
    joined = encoder(
        torch.cat([x for x, _ in views]),
        torch.cat([views[0][1], views[1][1] % 13 + 20], 1),
        splits=[20, 13],
    )
    torch.testing.assert_close(joined[:20], alone[0])
    torch.testing.assert_close(joined[20:], encoder(views[1][0], views[1][1] % 13))


def test_in_sixteen_bits_the_lengths_are_still_one(generator):
    x, edge_index = graph(generator)
    with torch.autocast("cpu", torch.bfloat16):
        unit = UnitDepths(GIN(4, 8, 2))(x, edge_index)
    assert unit.dtype == torch.float32
    torch.testing.assert_close(unit.square().sum(1), torch.full((20,), 3.0))


def test_depths():
    starts = lambda gnn: [(d.steps, d.columns.start, d.columns.stop) for d in depths_of(gnn)]  # noqa: E731
    assert starts(GIN(4, 8, 2)) == [(1, 0, 8), (2, 8, 16)]
    assert starts(UnitDepths(GIN(4, 8, 2))) == [(0, 0, 4), (1, 4, 12), (2, 12, 20)]
    assert starts(GCN(4, 8, 2, jk="cat")) == [(1, 0, 8), (2, 8, 16)]
    assert starts(GCN(4, 8, 3)) == [(3, None, None)]
    assert starts(PyGGCN(4, 8, 5)) == [(5, None, None)]
    assert starts(torch.nn.Linear(4, 4)) == [(3, None, None)]


class Compiled(torch.nn.Module):
    """What ``torch.compile`` puts around a network, as far as it matters here."""

    def __init__(self, network):
        super().__init__()
        self._orig_mod = network

    def forward(self, x, edge_index, **options):
        return self._orig_mod(x, edge_index, **options)


@pytest.mark.parametrize("gnn", [GIN(4, 8, 2), UnitDepths(GIN(4, 8, 2))])
def test_depths_of_a_compiled_network(gnn):
    assert depths_of(Compiled(gnn)) == depths_of(gnn)


def test_a_network_that_gives_its_last_layer_is_refused():
    with pytest.raises(TypeError, match="expected a network that gives out all of its layers .* got GCN"):
        UnitDepths(GCN(4, 8, 2))


def test_inside_a_graph_encoder(generator):
    x, edge_index = graph(generator)
    encoder = GraphEncoder(UnitDepths(GIN(4, 8, 2)))
    assert encoder.out_channels == encoder.graph_channels == 20
    assert encoder(x, edge_index).graph.shape == (1, 20)
