"""DGI: the paper's formula, written out node by node, for one graph, several graphs and a loader's seeds."""

import torch
from torch_geometric.data import Batch, Data

from graphcl.augment import FeatureShuffle, NodeDrop
from graphcl.methods import DGI, Discriminator
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1))


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DGI(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(h, corrupted, weight):
    """Equation 1 for one graph: the sum over its nodes."""
    summary = torch.sigmoid(sum(h) / len(h))
    score = lambda node: torch.sigmoid(node @ weight @ summary)  # noqa: E731
    return -sum(score(node).log() for node in h) - sum((1 - score(node)).log() for node in corrupted)


def test_loss_is_that_of_the_paper():
    method, data = make(), graph()
    views = method.views_of(data, method.key_at(0))
    h, corrupted = (method.encoder.encode(view).node for view in views)
    torch.testing.assert_close(method(data), literal(h, corrupted, method.discriminator.weight) / 18)


def test_every_graph_of_a_batch_has_its_own_summary():
    method, batch = make(), Batch.from_data_list([graph(7, 1), graph(5, 2), graph(8, 3)])
    first, second = method.views_of(batch, method.key_at(0))
    h, corrupted = (method.encoder.encode(view).node for view in (first, second))
    parts = zip(h.split([7, 5, 8]), corrupted.split([7, 5, 8]), strict=True)
    wanted = sum(literal(a, b, method.discriminator.weight) for a, b in parts) / 40
    torch.testing.assert_close(method(batch), wanted)


def test_of_a_loaders_batch_the_seeds_are_scored_and_summed_up():
    method, data = make(), graph()
    data.batch_size, data.n_id = 4, torch.arange(9)
    views = method.views_of(data, method.key_at(0))
    h, corrupted = (method.encoder.encode(view).node[:4] for view in views)
    torch.testing.assert_close(method(data), literal(h, corrupted, method.discriminator.weight) / 8)


def test_views_that_drop_nodes():
    method = make(views=(NodeDrop(drop=0.3), FeatureShuffle()))
    loss = method(graph(20))
    loss.backward()
    assert loss.isfinite() and method.discriminator.weight.grad.abs().sum() > 0


def test_defaults_are_the_clean_graph_and_shuffled_features():
    method, data = make(), graph()
    clean, corrupted = method.views_of(data, method.key_at(0))
    assert torch.equal(clean.x, data.x) and not torch.equal(corrupted.x, data.x)
    assert torch.equal(corrupted.x.sort(0).values, data.x.sort(0).values)
    assert torch.equal(corrupted.edge_index, data.edge_index)


def test_scores_before_the_sigmoid():
    discriminator = Discriminator(2)
    with torch.no_grad():
        discriminator.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        discriminator.bias.fill_(0.5)
    h, summary = torch.tensor([[1.0, 1.0], [2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    assert discriminator(h, summary, torch.tensor([0, 1])).tolist() == [1.5, 5.5]


def test_discriminator_starts_as_a_bilinear_layer_of_one_output():
    discriminator = Discriminator(64)
    bound = (6 / (64 * 64 + 64)) ** 0.5  # Xavier's rule for D x D inputs to each of D: torch's fans of [1, D, D]
    assert discriminator.bias == 0 and 0.95 * bound < discriminator.weight.abs().max() <= bound
