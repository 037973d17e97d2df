"""GAE: binary cross entropy of edges against as many absent pairs."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch, Data

from graphcl.augment._graph import Graph
from graphcl.augment.edge_add import add_edges
from graphcl.methods import GAE
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, num_nodes), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    edges = torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    return Data(x=torch.randn(num_nodes, 4, generator=generator), edge_index=edges)


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GAE(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def test_loss_is_binary_cross_entropy_over_edges_and_absent_pairs():
    method, data = make(), graph()
    z = method.encoder.encode(data).node
    absent = add_edges(Graph.of(data), method.key_at(0), add=1.0).new_edges
    pairs = torch.cat([data.edge_index, absent], 1).T.tolist()
    logits = torch.stack([z[i] @ z[j] for i, j in pairs])
    labels = (torch.arange(len(pairs)) < data.num_edges).float()
    torch.testing.assert_close(method(data), F.binary_cross_entropy_with_logits(logits, labels))


def test_as_many_negatives_as_edges_and_none_of_them_an_edge(spy):
    data = graph(30)
    absent = add_edges(Graph.of(data), make().key_at(0), add=1.0).new_edges
    assert absent.size(1) == data.num_edges
    assert not set(map(tuple, absent.T.tolist())) & set(map(tuple, data.edge_index.T.tolist()))
    method = make(loss=spy)
    method(data)
    z = method.encoder.encode(data).node
    wanted = [(z[source] * z[target]).sum(1) for source, target in (data.edge_index, absent)]
    torch.testing.assert_close(list(method.loss.given), wanted)


def test_pairs_lie_within_graphs_and_differ_from_step_to_step():
    batch = Batch.from_data_list([graph(10, 1), graph(12, 2)])
    first, second = (add_edges(Graph.of(batch), make().key_at(step), add=1.0).new_edges for step in (0, 1))
    assert torch.equal(batch.batch[first[0]], batch.batch[first[1]])
    assert not torch.equal(first, second)


def test_edges_come_to_score_higher_than_other_pairs():
    data, method = graph(20), make()
    data.x = torch.eye(20, 4) + data.x
    optimizer = torch.optim.Adam(method.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(method(data))
        losses[-1].backward()
        optimizer.step()
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize("edges", [torch.zeros(2, 0, dtype=torch.int64), torch.tensor([[0, 1], [1, 0]])])
def test_graphs_without_edges_or_without_absent_pairs_are_refused(edges):
    data = Data(x=torch.ones(2, 4), edge_index=edges)
    with pytest.raises(ValueError, match=f"pairs without one, got {edges.size(1)} edges between 2 nodes"):
        make()(data)
