import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.methods import SubtreeContrast
from graphcl.nn import GCN, GIN, GraphEncoder, MoleculeEncoder, UnitDepths, rooted_subtrees


@pytest.fixture
def batch(generator):
    graphs = []
    for n in range(6, 14):
        edges = torch.randint(n, (2, n), generator=generator)
        x = torch.nn.functional.one_hot(torch.randint(2, (n,), generator=generator), 2).float()
        graphs.append(Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1)))
    return Batch.from_data_list(graphs)


def build(gnn, **arguments):
    return SubtreeContrast(GraphEncoder(gnn), **arguments)


@pytest.mark.parametrize("unit", [False, True])
def test_equals_the_formula_written_out(batch, unit):
    gnn = GIN(2, 8, 2)
    method = build(UnitDepths(gnn) if unit else gnn).train()
    wanted = 0.0
    for colours, h in zip(rooted_subtrees(batch, 2)[1:], gnn(batch.x, batch.edge_index).split(8, 1), strict=True):
        costs = []
        for i in range(batch.num_nodes):
            others = [j for j in range(batch.num_nodes) if colours[j] != colours[i]]
            cosines = torch.stack([torch.cosine_similarity(h[i], h[j], dim=0) for j in others]) / 0.2
            costs.append(cosines.logsumexp(0) - 1 / 0.2)
        wanted += torch.stack(costs).mean()
    torch.testing.assert_close(method(batch), wanted, rtol=1e-4, atol=1e-4)


def test_nodes_that_all_look_alike_cost_nothing():
    ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
    data = Batch.from_data_list([Data(x=torch.ones(6, 2), edge_index=torch.cat([ring, ring.flip(0)], 1))] * 3)
    loss = build(GIN(2, 8, 2))(data)
    loss.backward()
    assert loss == 0


def test_two_subtrees_by_hand():
    """Nodes without edges, of two kinds, one of each: the cosine c of the two costs c / tau - 1 / tau at each depth."""
    data = Data(x=torch.eye(2), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    gnn = GIN(2, 8, 1, norm="none")
    z = gnn(data.x, data.edge_index)
    cosine = torch.cosine_similarity(z[0], z[1], dim=0).item()
    assert math.isclose(build(gnn)(data).item(), (cosine - 1) / 0.2, abs_tol=1e-4)


def test_a_draw_of_nodes_is_new_in_every_step(batch):
    method = build(GIN(2, 8, 2), num_nodes=10)
    losses = [method(batch).item() for _ in range(3)]
    assert len(set(losses)) == 3


def test_networks_that_give_their_last_layer(batch):
    loss = build(GCN(2, 8, 2))(batch)
    loss.backward()
    assert loss.isfinite()


def test_bonds_mark_the_subtrees_of_molecules():
    """Two chains of atoms alike that differ in a bond alone are told apart, as the encoder tells them apart."""
    edges = torch.tensor([[0, 1], [1, 0]])
    bonds = torch.zeros(2, 2, 3, dtype=torch.int64)
    bonds[1, :, 0] = 1
    graphs = [Data(x=torch.zeros(2, 9, dtype=torch.int64), edge_index=edges, edge_attr=bonds[i]) for i in range(2)]
    method = build(MoleculeEncoder(8, 2, vocab="ogb"))
    loss = method(Batch.from_data_list(graphs))
    loss.backward()
    assert loss != 0


def test_training_spreads_what_differs(batch):
    """The cosines of different subtrees draw towards 0, and nodes of one subtree stay where they were: at 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = build(GIN(2, 32, 2))
    colours = rooted_subtrees(batch, 2)[2]
    differ = colours[:, None] != colours[None]

    def cosines():
        z = torch.nn.functional.normalize(method.encoder.encode_views([batch])[0].node[:, 32:].detach(), dim=1)
        return z @ z.T

    before = cosines()
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        method(batch).backward()
        optimizer.step()
    after = cosines()
    assert after[differ].square().mean() < 0.7 * before[differ].square().mean()
    assert after[~differ].min() > 0.999


def test_refusals(batch):
    with pytest.raises(ValueError, match="expected num_nodes of at least 2, got 1"):
        build(GIN(2, 8, 2), num_nodes=1)
    with pytest.raises(TypeError, match="expected num_nodes as a whole number, got 2.5"):
        build(GIN(2, 8, 2), num_nodes=2.5)
    with pytest.raises(ValueError, match="expected at least 2 nodes to tell apart, got 1: use a larger batch"):
        build(GIN(2, 8, 2, norm="none"))(Data(x=torch.ones(1, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64)))
