"""GraphMAE for graphs: what differs from the one for nodes, and that the objective is the same."""

import pytest
import torch
from torch import nn

from graphcl._random import fold
from graphcl.methods import GraphMAEGraph
from graphcl.methods.graph_mae import scaled_cosine_error
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphMAEGraph(GraphEncoder(GIN(4, 8, 2, norm="none")), **arguments)


def test_loss_by_hand(batch):
    method = make(mask=0.4, seed=3)
    nn.init.normal_(method.token)
    _, hidden = method.masked(batch, fold(3, 0))
    x = torch.where(hidden[:, None], method.token, batch.x)
    h = method.to_decoder(method.encoder.gnn(x, batch.edge_index)).masked_fill(hidden[:, None], 0)
    restored = method.decoder(h, batch.edge_index)
    torch.testing.assert_close(method(batch), scaled_cosine_error(restored[hidden], batch.x[hidden], 2.0).mean())


def test_half_of_each_graph_is_hidden_behind_the_token(batch):
    method = make()
    view, hidden = method.masked(batch, 5)
    assert (view.x[hidden] == 0).all() and torch.equal(view.x[~hidden], batch.x[~hidden])
    for graph in range(batch.num_graphs):
        own = hidden[batch.ptr[graph] : batch.ptr[graph + 1]]
        assert abs(int(own.sum()) - len(own) / 2) <= 0.5


def test_is_for_sets_of_graphs_and_decodes_by_a_gin():
    method = make()
    assert method.level == "graph" and isinstance(method.decoder.gin, GIN)


def test_a_decoder_of_your_own(batch):
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 4)

        def forward(self, h, edge_index):
            return self.linear(h)

    method = make(decoder=Decoder())
    assert isinstance(method.decoder, Decoder) and method(batch).isfinite()


@pytest.mark.parametrize("arguments", [{"mask": -0.1}, {"mask": 1.1}, {"power": 0.5}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected (mask|power)"):
        make(**arguments)
