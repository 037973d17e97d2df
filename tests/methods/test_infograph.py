"""InfoGraph's loss, pair by pair."""

import torch
from torch.nn import functional as F

from graphcl.methods import InfoGraph
from graphcl.nn import GIN, ConcatReadout, GraphEncoder, max_readout, sum_readout


def test_loss_equals_a_loop_over_all_pairs(batch):
    method = InfoGraph(GraphEncoder(GIN(4, 8, 2)).double()).double()
    batch.x = batch.x.double()
    node, graph = method.encoder.encode(batch)
    h, s = method.node_head(node), method.graph_head(graph)
    own, foreign = [], []
    for i in range(len(h)):
        for g in range(len(s)):
            score = h[i] @ s[g]
            (own if batch.batch[i] == g else foreign).append(
                F.softplus(-score) if batch.batch[i] == g else F.softplus(score)
            )
    torch.testing.assert_close(method(batch), torch.stack(own).mean() + torch.stack(foreign).mean())


def test_heads_meet_where_the_readout_is_wider(batch):
    encoder = GraphEncoder(GIN(4, 8, 2), ConcatReadout([sum_readout, max_readout]))
    method = InfoGraph(encoder)
    assert method.graph_head(encoder.encode(batch).graph).shape == (8, 16)
    assert method(batch).isfinite()


def test_learns_which_nodes_are_a_graphs_own(batch, take_step):
    method = InfoGraph(GraphEncoder(GIN(4, 8, 2)))
    losses = [take_step(method, batch, lr=0.01) for _ in range(60)]
    assert losses[-1] < 1.3 < losses[0]  # 2 log 2 = 1.386 is what knowing nothing costs
