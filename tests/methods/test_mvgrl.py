"""MVGRL: the cross-view formula, node by node; two encoders; embeddings that are their sum."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN

from graphcl import nn as nets
from graphcl.augment import Identity, NodeDrop, PPRDiffusion
from graphcl.methods import MVGRL
from graphcl.nn import GIN, ConcatReadout, GraphEncoder, max_readout, sum_readout


def graph(num_nodes=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1))


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        arguments = {"diffusion": PPRDiffusion(alpha=0.2, top_k=4), **arguments}
        return MVGRL(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(h1, h2, c1, c2, weight):
    """The mean over both views and over true and corrupted nodes, node by node."""
    s1, s2 = (torch.sigmoid(sum(h) / len(h)) for h in (h1, h2))
    score = lambda node, summary: torch.sigmoid(node @ weight @ summary)  # noqa: E731
    true = sum(score(node, s2).log() for node in h1) + sum(score(node, s1).log() for node in h2)
    false = sum((1 - score(node, s2)).log() for node in c1) + sum((1 - score(node, s1)).log() for node in c2)
    return -(true + false) / (4 * len(h1))


def encoded(method, data):
    first, second, *corrupted = method.views_of(data, method.key_at(int(method.step)))
    encoders = (method.encoder, method.second) * 2
    return [e.encode(view).node for e, view in zip(encoders, (first, second, *corrupted), strict=True)]


def test_loss_is_that_of_the_paper():
    method, data = make(), graph()
    h1, h2, c1, c2 = encoded(method, data)
    torch.testing.assert_close(method(data), literal(h1, h2, c1, c2, method.discriminator.weight))


def test_every_graph_of_a_batch_has_its_own_summaries():
    method, batch = make(), Batch.from_data_list([graph(7, 1), graph(5, 2)])
    parts = zip(*(h.split([7, 5]) for h in encoded(method, batch)), strict=True)
    weight = method.discriminator.weight
    a, b = (literal(*part, weight) for part in parts)
    torch.testing.assert_close(method(batch), (7 * a + 5 * b) / 12)


def test_second_view_is_the_diffusion_and_the_corruption_is_the_same_in_both():
    method, data = make(), graph()
    first, second, third, fourth = method.views_of(data, method.key_at(0))
    wanted = PPRDiffusion(alpha=0.2, top_k=4)(data)
    assert torch.equal(first.edge_index, data.edge_index) and torch.equal(third.edge_index, data.edge_index)
    for view in (second, fourth):
        assert torch.equal(view.edge_index, wanted.edge_index) and torch.equal(view.edge_weight, wanted.edge_weight)
    assert torch.equal(third.x, fourth.x) and not torch.equal(third.x, data.x)


def test_embeddings_are_the_sum_of_both_encoders():
    method, data = make(), graph()
    method(data)
    found = method.embed(data)
    diffused = PPRDiffusion(alpha=0.2, top_k=4)(data)
    first, second = method.encoder.encode(data), method.second.encode(diffused)
    torch.testing.assert_close(found.node, first.node + second.node)
    torch.testing.assert_close(found.graph, first.graph + second.graph)


def test_embeddings_are_smoothed_if_asked_to():
    method, data = make(power=2), graph()
    adjacency = nets.normalised_adjacency(data.edge_index, 9)
    h = make().embed(data).node
    found = method.embed(data)
    torch.testing.assert_close(found.node, h + adjacency(adjacency(h)))
    torch.testing.assert_close(found.graph, found.node.sum(0, keepdim=True))
    with pytest.raises(ValueError, match="expected power of at least 0, got -1"):
        make(power=-1)


@pytest.mark.parametrize("kind", [GCN, nets.GCN], ids=["PyG's", "ours"])
def test_diffusion_is_the_matrix_of_its_encoder_and_only_of_that(kind):
    gnn, data, diffusion = kind(4, 3, 1), graph(), PPRDiffusion(alpha=0.2, top_k=4)
    first, diffused = gnn(data.x, data.edge_index), diffusion(data)
    method = MVGRL(GraphEncoder(gnn), diffusion=diffusion)
    matrix = torch.zeros(9, 9).index_put((diffused.edge_index[1], diffused.edge_index[0]), diffused.edge_weight)
    loops = torch.arange(9).expand(2, -1)
    wanted = first + method.second.gnn(matrix @ data.x, loops)
    torch.testing.assert_close(method.embed(data).node, wanted)


def test_diffusion_is_worked_out_once_per_graph(monkeypatch):
    method, data = make(), graph()
    calls = []
    compute = PPRDiffusion._sparsified
    monkeypatch.setattr(PPRDiffusion, "_sparsified", lambda self, a: calls.append(1) or compute(self, a))
    for _ in range(3):
        method(data)
    method.embed(data)
    assert len(calls) == 1


def test_encoders_have_weights_of_their_own_and_both_learn():
    method = make()
    method(graph()).backward()
    pairs = list(zip(method.encoder.named_parameters(), method.second.named_parameters(), strict=True))
    assert all(a is not b and b.grad is not None for (_, a), (_, b) in pairs)
    assert all(not torch.equal(a, b) for (name, a), (_, b) in pairs if name.endswith("weight") and a.dim() == 2)


def test_encoders_can_be_given():
    second = GraphEncoder(GIN(4, 2, 3, norm="none"))
    assert make(second=second).second is second
    with pytest.raises(ValueError, match=r"expected encoders whose .* can be added, got .* \(6, 6\) and \(12, 12\)"):
        make(second=GraphEncoder(GIN(4, 6, 2)))
    with pytest.raises(ValueError, match=r"of \(6, 6\) and \(6, 12\)"):
        make(second=GraphEncoder(GIN(4, 3, 2), ConcatReadout([sum_readout, max_readout])))
    with pytest.raises(TypeError, match="expected second to be a GraphEncoder, got GIN"):
        make(second=GIN(4, 3, 2))


def test_any_transform_will_do_as_corruption():
    def nothing_left(data):
        view = data.clone()
        view.x = torch.zeros_like(view.x)
        return view

    method, data = make(corruption=nothing_left, diffusion=Identity(), loss=nn.MSELoss()), graph()
    *_, third, fourth = method.views_of(data, method.key_at(0))
    assert third.x.abs().sum() == fourth.x.abs().sum() == 0


def test_of_a_loaders_batch_the_seeds_are_scored():
    method, data = make(), graph()
    data.batch_size, data.n_id = 4, torch.arange(9)
    h1, h2, c1, c2 = (h[:4] for h in encoded(method, data))
    torch.testing.assert_close(method(data), literal(h1, h2, c1, c2, method.discriminator.weight))


def test_diffusions_that_drop_nodes_are_aligned():
    loss = make(diffusion=NodeDrop(drop=0.4))(graph(20))
    loss.backward()
    assert loss.isfinite()
