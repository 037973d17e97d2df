"""RGCL: who is drawn, who learns, and both terms of the loss."""

import copy

import pytest
import torch
from torch_geometric.data import Batch

from graphcl._random import fold, hash_ids
from graphcl.augment._graph import Graph
from graphcl.methods import RGCL
from graphcl.methods.rgcl import draw_nodes, log_softmax_by_graph
from graphcl.nn import GIN, GraphEncoder


def hashes(key, count):
    return hash_ids(key, torch.arange(count))


class TestDraws:
    def test_sizes_and_graphs(self):
        batch = torch.arange(6).repeat_interleave(torch.tensor([1, 2, 5, 10, 0, 4]))
        kept = draw_nodes(torch.rand(22) + 0.1, batch, 6, 0.5, hashes(3, 22))
        assert torch.bincount(batch[kept], minlength=6).tolist() == [1, 1, 2, 5, 0, 2]
        assert kept.unique().numel() == kept.numel()

    def test_in_proportion_to_the_chance(self):
        chance = torch.tensor([1.0, 2.0, 3.0, 4.0]).repeat(5000)
        batch = torch.arange(5000).repeat_interleave(4)
        kept = draw_nodes(chance, batch, 5000, 0.25, hashes(7, 20_000))  # one of four
        share = torch.bincount(kept % 4, minlength=4) / 5000
        torch.testing.assert_close(share, torch.tensor([0.1, 0.2, 0.3, 0.4]), atol=0.025, rtol=0)

    def test_keyed(self):
        arguments = torch.rand(50) + 0.1, torch.arange(50) // 10, 5, 0.5
        assert torch.equal(draw_nodes(*arguments, hashes(1, 50)), draw_nodes(*arguments, hashes(1, 50)))
        assert not torch.equal(draw_nodes(*arguments, hashes(1, 50)), draw_nodes(*arguments, hashes(2, 50)))

    def test_of_a_graph_wherever_it_is_in_the_batch(self, batch):
        graphs = [graph.clone() for graph in batch.to_data_list()]
        for i, graph in enumerate(graphs):
            graph.graph_id = torch.tensor([i])
        method = RGCL(GraphEncoder(GIN(4, 8, 2))).eval()
        there, back = Batch.from_data_list(graphs), Batch.from_data_list(graphs[::-1])
        torch.testing.assert_close(method(there), method(back))


def test_softmax_by_graph(generator):
    score, batch = 50 * torch.randn(9, generator=generator), torch.tensor([0, 0, 0, 2, 2, 3, 3, 3, 3])
    found = log_softmax_by_graph(score, batch, 4)
    torch.testing.assert_close(found, torch.cat([torch.log_softmax(part, 0) for part in score.split([3, 2, 4])]))


def test_loss_by_hand(batch):
    method = RGCL(GraphEncoder(GIN(4, 8, 2)), keep=0.6, weight=0.5, seed=3)
    copied = copy.deepcopy(method)
    score = copied.score(copied.rationale.encode(batch).node)[:, 0]
    p = torch.cat([torch.softmax(part, 0) for part in score.split(batch.ptr.diff().tolist())])
    z = []
    for i, chance in enumerate((p, p, 1 - p)):
        kept = draw_nodes(chance.detach(), batch.batch, 8, 0.6, Graph.of(batch).node_hashes(fold(fold(3, 0), i)))
        part = batch.subgraph(kept)
        node = copied.encoder(part.x, part.edge_index, part.batch, num_graphs=8).node
        size = batch.ptr.diff()[batch.batch]
        weight = (size * p if i < 2 else size * (1 - p) / (size - 1))[kept, None]
        z.append(copied.head(torch.zeros(8, 16).index_add(0, part.batch, weight * node)))
    s = torch.cosine_similarity(z[0][:, None], z[1][None], dim=2) / 0.2
    away = torch.cosine_similarity(z[0][:, None], z[2][None], dim=2) / 0.2
    costs = []
    for n in range(8):
        others = torch.cat([s[n, :n], s[n, n + 1 :]])
        first = torch.logsumexp(others, 0) - s[n, n]
        costs.append(first + 0.5 * (torch.logsumexp(torch.cat([s[n, n : n + 1], away[n]]), 0) - s[n, n]))
    torch.testing.assert_close(method(batch), torch.stack(costs).mean())


def test_the_rationale_learns_through_the_weights(batch):
    method = RGCL(GraphEncoder(GIN(4, 8, 2)))
    method(batch).backward()
    assert method.score.weight.grad.abs().sum() > 0
    assert method.rationale.gnn.lower[0].weight.grad.abs().sum() > 0


def test_network_and_loss_of_your_own(batch, spy):
    rationale = GIN(4, 5, 1)
    method = RGCL(GraphEncoder(GIN(4, 8, 2)), rationale=rationale, loss=spy, weight=0.0)
    assert method.rationale.gnn is rationale
    torch.testing.assert_close(method(batch), spy.given[0].sum())


@pytest.mark.parametrize("arguments", [{"keep": 0.0}, {"keep": 1.0}, {"weight": -1.0}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected keep within"):
        RGCL(GraphEncoder(GIN(4)), **arguments)
