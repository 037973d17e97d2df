"""COSTA: the sketch keeps the covariance; both views are mixed alike, by the key of the step."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl.augment import Identity, NodeDrop
from graphcl.methods import COSTA, sketch
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1))


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return COSTA(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(a, b, tau):
    """The mean of both directions: a mixture against all of the other view."""
    total = 0.0
    for x, y in ((a, b), (b, a)):
        similarity = torch.stack([F.cosine_similarity(row, y, dim=1) for row in x]) / tau
        total = total + F.cross_entropy(similarity, torch.arange(len(x))) / 2
    return total


def test_loss_is_info_nce_of_both_views_mixed_alike():
    method, data = make(), graph()
    views = method.views_of(data, method.key_at(0))
    mixtures = sketch(torch.eye(12), views[0].sketch_key, 6)
    a, b = (method.head(mixtures @ method.encoder.encode(view).node) for view in views)
    torch.testing.assert_close(method(data), literal(a, b, 0.4))


def test_sketch_keeps_the_covariance_in_expectation():
    z = torch.randn(30, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = torch.stack([s.T @ s for s in (sketch(z, key, 10) for key in range(2000))]).mean(0)
    # A mean of 2000 Wishart matrices with 10 degrees of freedom: entries vary by about 30 sqrt(2 / 20,000) = 0.3.
    torch.testing.assert_close(found, z.T @ z, atol=1.5, rtol=0)


def test_sketch_is_keyed_and_of_the_dtype_of_the_nodes():
    z = torch.ones(5, 2, dtype=torch.float64)
    assert sketch(z, 1, 3).dtype == torch.float64 and sketch(z, 1, 3).shape == (3, 2)
    assert torch.equal(sketch(z, 1, 3), sketch(z, 1, 3)) and not torch.equal(sketch(z, 1, 3), sketch(z, 2, 3))


def test_every_step_mixes_anew():
    method, data = make(), graph()
    keys = {int(method.views_of(data, method.key_at(step))[0].sketch_key) for step in range(5)}
    assert len(keys) == 5


def test_views_that_drop_nodes_are_aligned_before_they_are_mixed(spy):
    method, data = make(views=(NodeDrop(drop=0.3), NodeDrop(drop=0.3)), loss=spy), graph(30)
    data.edge_index = data.edge_index[:, :0]  # without neighbours a node is the same in both views
    method(data)
    torch.testing.assert_close(*method.loss.given)


def test_defaults_are_the_authors_on_cora():
    method = make()
    drops = [(view.augmentations[0].drop, view.augmentations[1].mask) for view in method.views]
    assert drops == [(0.2, 0.3), (0.4, 0.3)]
    assert (method.ratio, method.loss.temperature, method.loss.symmetric) == (0.5, 0.4, True)


@pytest.mark.parametrize("ratio", [0, -0.5, 1.5, float("nan")])
def test_ratios_out_of_range_are_refused(ratio):
    with pytest.raises(ValueError, match=r"expected ratio within \(0, 1\]"):
        make(ratio=ratio)


def test_too_few_mixtures():
    with pytest.raises(ValueError, match="at least (2|two)"):
        make(ratio=0.1, views=(Identity(), Identity()))(graph())
