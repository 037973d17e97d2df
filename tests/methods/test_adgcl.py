"""AD-GCL: the weighted view, and who is pushed which way."""

import copy

import pytest
import torch
from torch_geometric.nn import GCN

from graphcl._random import fold
from graphcl.augment import EdgeDropper
from graphcl.losses import InfoNCE
from graphcl.methods import ADGCL
from graphcl.nn import GIN, GraphEncoder


def make(gnn=None, **arguments):
    return ADGCL(GraphEncoder(GIN(4, 8, 2) if gnn is None else gnn), **arguments)


def by_hand(method, batch):
    """The contrastive loss and the penalty, as functions of all weights."""
    weight = method.dropper(method.scorer.encode(batch).node, batch, fold(fold(method.seed, int(method.step)), 0))
    z1 = method.head(method.encoder.encode(batch).graph)
    view = batch.clone()
    view.edge_weight = weight
    z2 = method.head(method.encoder.encode(view).graph)
    loss = InfoNCE(temperature=0.2, symmetric=True, positive_in_denominator=False)(z1, z2)
    return loss, method.dropper.penalty(weight, batch)


@pytest.mark.parametrize("network", ["GIN", "GCN"])
def test_value_and_both_gradients(batch, network):
    method = make(GIN(4, 8, 2) if network == "GIN" else GCN(4, 8, 2, jk="cat"), seed=3)
    copied = copy.deepcopy(method)
    loss, penalty = by_hand(copied, batch)
    value = method(batch)
    torch.testing.assert_close(value, loss)
    value.backward()
    ours, adversary = [], []
    for name, p in method.named_parameters():
        (adversary if name.startswith(("dropper", "scorer")) else ours).append(p.grad)
    theirs = dict(copied.named_parameters())
    minimising = [p for name, p in theirs.items() if not name.startswith(("dropper", "scorer"))]
    maximising = [p for name, p in theirs.items() if name.startswith(("dropper", "scorer"))]
    torch.testing.assert_close(ours, list(torch.autograd.grad(loss, minimising, retain_graph=True)))
    # Descent on this is ascent on the loss less the penalty.
    torch.testing.assert_close(adversary, list(torch.autograd.grad(penalty - loss, maximising)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("strength", "drops"), [(0.0, True), (50.0, False)])
def test_the_penalty_decides_how_much_is_dropped(batch, strength, drops):
    method = make(dropper=EdgeDropper(16, strength=strength))
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
    kept = []
    for _ in range(60):
        optimizer.zero_grad()
        method(batch).backward()
        optimizer.step()
        with torch.no_grad():
            kept.append(torch.sigmoid(method.dropper.score(method.scorer.encode(batch).node, batch)).mean().item())
    assert (kept[-1] < kept[0]) if drops else (kept[-1] > 0.9)


def test_the_scorer_is_a_network_of_its_own():
    encoder = GraphEncoder(GIN(4, 8, 2))
    method = ADGCL(encoder)
    pairs = zip(method.scorer.parameters(), encoder.parameters(), strict=True)
    assert all(a is not b for a, b in pairs)
    assert not torch.equal(method.scorer.gnn.lower[0].weight, encoder.gnn.lower[0].weight)
    own = GIN(4, 6, 1)
    assert ADGCL(encoder, scorer=own).scorer.gnn is own


def test_embeddings_are_those_of_the_clean_graph(batch):
    method = make()
    before = method.embed(batch).graph
    with torch.no_grad():
        for p in method.dropper.parameters():
            p.add_(1)
    torch.testing.assert_close(method.embed(batch).graph, before)


class KeepsAll(EdgeDropper):
    """Drops nothing."""

    def forward(self, h, data, key):
        return torch.ones(data.num_edges)


def test_the_weights_of_the_data_are_those_of_both_views(batch):
    batch.edge_weight = torch.linspace(0.1, 2, batch.num_edges)
    method, seen = make(GCN(4, 8, 2, jk="cat"), dropper=KeepsAll(16), head=torch.nn.Identity()), []
    method.loss.register_forward_pre_hook(lambda _, views: seen.extend(views))
    method(batch)
    torch.testing.assert_close(seen[0], seen[1])
    torch.testing.assert_close(seen[0], method.encoder.encode(batch).graph)


def test_a_dropper_that_looks_at_edge_features(batch):
    batch.edge_attr = torch.rand(batch.num_edges, 3)
    method = make(dropper=EdgeDropper(16, edge_channels=3))
    method(batch).backward()
    assert method.dropper.mlp[0].weight.grad[:, -3:].abs().sum() > 0
