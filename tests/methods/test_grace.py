"""GRACE: the paper's formula, written out over a graph, and its defaults."""

import torch
from torch import nn
from torch.nn import functional as F

from graphcl.augment import EdgeDrop, FeatureMask, Identity
from graphcl.methods import GRACE, edge_and_feature_drop, elu_head
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GRACE(GraphEncoder(GIN(4, 6, 2, norm="none")), **arguments)


def literal(u, v, tau):
    """Equation 1, node by node."""
    total = 0.0
    for a, b in ((u, v), (v, u)):
        for i in range(len(a)):
            theta = lambda x, y: F.cosine_similarity(x, y, dim=0) / tau  # noqa: E731
            positive = theta(a[i], b[i]).exp()
            others = sum(theta(a[i], b[k]).exp() + theta(a[i], a[k]).exp() for k in range(len(a)) if k != i)
            total = total - (positive / (positive + others)).log()
    return total / (2 * len(u))


def test_loss_is_that_of_the_paper(data):
    method = make(views=(EdgeDrop(drop=0.3), Identity()))
    first, second = method.views_of(data, method.key_at(0))
    u, v = (method.head(method.encoder.encode(view).node) for view in (first, second))
    torch.testing.assert_close(method(data), literal(u, v, 0.4))


def test_defaults_are_the_papers_on_cora():
    method = make()
    drops = [(view.augmentations[0].drop, view.augmentations[1].mask) for view in method.views]
    assert drops == [(0.2, 0.3), (0.4, 0.4)]
    assert method.loss.temperature == 0.4
    assert [type(part) for part in method.head] == [nn.Linear, nn.ELU, nn.Linear]


def test_views_are_columns_and_edges():
    edges, columns = edge_and_feature_drop(0.1, 0.2).augmentations
    assert isinstance(edges, EdgeDrop) and isinstance(columns, FeatureMask)
    assert (edges.count, columns.count) == ("bernoulli", "bernoulli")


def test_head_goes_back_to_the_width_it_came_from():
    assert elu_head(6, 3)(torch.ones(2, 6)).shape == (2, 6)
