"""GBT: the paper's formula, written out over a graph, and its defaults."""

import torch
from torch import nn

from graphcl.augment import EdgeDrop, Identity
from graphcl.methods import GBT
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GBT(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(z1, z2):
    """Dimension by dimension."""
    total = 0.0
    for i in range(z1.size(1)):
        for j in range(z2.size(1)):
            c = torch.corrcoef(torch.stack([z1[:, i], z2[:, j]]))[0, 1]
            total = total + ((1 - c) ** 2 if i == j else c**2 / z1.size(1))
    return total


def test_loss_is_that_of_the_paper(data):
    method = make(views=(EdgeDrop(drop=0.3), Identity()))
    h1, h2 = (method.encoder.encode(view).node for view in method.views_of(data, method.key_at(0)))
    torch.testing.assert_close(method(data), literal(h1, h2), rtol=1e-4, atol=1e-5)


def test_defaults_are_the_authors_on_wikics():
    method = make()
    assert [(view.augmentations[0].drop, view.augmentations[1].mask) for view in method.views] == [(0.5, 0.1)] * 2
    assert method.loss.redundancy == 1 / 6  # the width of the encoder
    assert isinstance(method.head, nn.Identity)


def test_the_redundancy_goes_by_the_width_of_what_is_compared():
    encoder = GraphEncoder(GIN(4, 8, 2))
    assert GBT(encoder).loss.redundancy == 1 / 16
    assert GBT(encoder, head=torch.nn.Linear(16, 64)).loss.redundancy == 1 / 64
