"""GraphMAE for graphs: what is hidden, what is restored, and the error."""

import pytest
import torch
from torch import nn

from graphcl._random import fold, hash_ids
from graphcl.methods import GraphMAEGraph
from graphcl.methods.graphmae_graph import scaled_cosine_error
from graphcl.nn import GIN, GraphEncoder


def hidden_nodes(method, batch):
    key = fold(method.seed, int(method.step))
    return hash_ids(key, torch.arange(batch.num_nodes)).argsort()[: round(method.mask * batch.num_nodes)]


def test_error_by_hand(generator):
    found, wanted = torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator)
    for alpha in (1.0, 2.0, 3.0):
        loop = sum((1 - torch.cosine_similarity(a, b, dim=0)) ** alpha for a, b in zip(found, wanted, strict=True)) / 5
        torch.testing.assert_close(scaled_cosine_error(found, wanted, alpha=alpha), loop)


def test_loss_by_hand(batch):
    method = GraphMAEGraph(GraphEncoder(GIN(4, 8, 2, norm="none")), mask=0.4, seed=3)
    nn.init.normal_(method.token)
    hidden = hidden_nodes(method, batch)
    x = batch.x.clone()
    x[hidden] = method.token
    h = method.between(method.encoder.gnn(x, batch.edge_index))
    h = h.clone()
    h[hidden] = 0
    restored = method.decoder(h, batch.edge_index)
    wanted = scaled_cosine_error(restored[hidden], batch.x[hidden])
    torch.testing.assert_close(method(batch), wanted)


def test_what_is_hidden_is_not_seen(batch):
    method = GraphMAEGraph(GraphEncoder(GIN(4, 8, 2, norm="none")))
    seen = []
    method.encoder.gnn.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    hidden = hidden_nodes(method, batch)
    method(batch)
    others = torch.ones(batch.num_nodes, dtype=torch.bool).index_fill(0, hidden, False)
    assert (seen[0][hidden] == 0).all()
    assert torch.equal(seen[0][others], batch.x[others])
    assert len(hidden) == round(0.5 * batch.num_nodes)


def test_the_width_of_the_features(batch):
    class Silent(nn.Module):
        out_channels = 4

        def forward(self, x, edge_index):
            return x

    with pytest.raises(ValueError, match="expected in_channels, as Silent does not tell"):
        GraphMAEGraph(GraphEncoder(Silent()))
    assert GraphMAEGraph(GraphEncoder(Silent()), in_channels=4)(batch).isfinite()


def test_a_decoder_of_your_own(batch):
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 4)

        def forward(self, h, edge_index):
            return self.linear(h)

    method = GraphMAEGraph(GraphEncoder(GIN(4, 8, 2)), decoder=Decoder())
    assert method(batch).isfinite()


@pytest.mark.parametrize("arguments", [{"mask": 0.0}, {"mask": 1.0}, {"alpha": 0.5}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected (mask within|alpha of at least 1)"):
        GraphMAEGraph(GraphEncoder(GIN(4)), **arguments)
