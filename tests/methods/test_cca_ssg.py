"""CCASSG: the paper's formula, written out over a graph, and its defaults."""

import pytest
import torch
from torch import nn

from graphcl.augment import EdgeDrop, Identity
from graphcl.methods import CCASSG
from graphcl.nn import GIN, GraphEncoder, normalised_adjacency


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CCASSG(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(z1, z2, weight):
    """The loss of the authors' code: minus the sum of correlations, and the decorrelation of both views."""
    z1, z2 = ((z - z.mean(0)) / z.std(0, correction=0) for z in (z1, z2))
    n, identity = z1.size(0), torch.eye(z1.size(1))
    inside = sum((identity - z.T @ z / n).square().sum() for z in (z1, z2))
    return -(z1.T @ z2 / n).diagonal().sum() + weight * inside


def test_loss_is_twice_that_of_the_authors_code_and_a_constant(data):
    method = make(views=(EdgeDrop(drop=0.3), Identity()))
    h1, h2 = (method.encoder.encode(view).node for view in method.views_of(data, method.key_at(0)))
    torch.testing.assert_close(method(data), 2 * literal(h1, h2, 1e-3) + 2 * 6, rtol=1e-4, atol=1e-5)


def test_defaults_are_the_authors_on_cora():
    method = make()
    assert [(view.augmentations[0].drop, view.augmentations[1].mask) for view in method.views] == [(0.4, 0.1)] * 2
    assert method.loss.decorrelation == 2e-3
    assert isinstance(method.head, nn.Identity)


def test_embeddings_are_smoothed_if_asked_to(data):
    h, adjacency = make().embed(data).node, normalised_adjacency(data.edge_index, data.num_nodes)
    torch.testing.assert_close(make(power=2).embed(data).node, h + adjacency(adjacency(h)))
    with pytest.raises(ValueError, match="expected power of at least 0, got -1"):
        make(power=-1)
