"""MVGRL for graphs: two encoders, two directions, one sum."""

import copy

import pytest
import torch
from torch_geometric.nn import GCN
from torch_geometric.transforms import BaseTransform

from graphcl.augment import HeatDiffusion, Identity, PPRDiffusion
from graphcl.losses.functional import node_graph_jsd
from graphcl.methods import MVGRLGraph
from graphcl.nn import GIN, AttentionReadout, GraphEncoder


class Halved(BaseTransform):
    """A transform that is not one of the package's."""

    def forward(self, data):
        data.edge_weight = torch.full((data.num_edges,), 0.5)
        return data


def test_loss_crosses_the_views(batch):
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2)))
    copied = copy.deepcopy(method)
    view = PPRDiffusion(alpha=0.2, threshold=0.01)(batch)
    first, second = copied.encoder.encode(batch), copied.second.encode(view)
    h = [copied.node_head(each.node) for each in (first, second)]
    s = [copied.graph_head(each.graph) for each in (first, second)]
    wanted = node_graph_jsd(h[0], s[1], batch.batch) + node_graph_jsd(h[1], s[0], batch.batch)
    torch.testing.assert_close(method(batch), wanted)


def test_embeddings_are_the_sum_of_both(batch):
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2)))
    for _ in range(3):
        method(batch)
    found = method.embed(batch)
    assert method.encoder.training
    assert method.second.training
    method.eval()
    view = method.diffusion(batch)
    wanted = method.encoder.encode(batch), method.second.encode(view)
    torch.testing.assert_close(found.graph, wanted[0].graph + wanted[1].graph)
    torch.testing.assert_close(found.node, wanted[0].node + wanted[1].node)


def test_the_second_encoder_is_drawn_anew(batch):
    encoder = GraphEncoder(GIN(4, 8, 2))
    method = MVGRLGraph(encoder)
    assert not torch.equal(method.second.gnn.lower[0].weight, encoder.gnn.lower[0].weight)


def test_views_and_encoders_of_your_own(batch):
    second = GraphEncoder(GCN(4, 16, 2))
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2)), second=second, diffusion=HeatDiffusion(t=3.0, top_k=3))
    assert method.second is second
    assert method(batch).isfinite()
    assert MVGRLGraph(GraphEncoder(GIN(4, 8, 2)), diffusion=Identity())(batch).isfinite()


def test_encoders_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r"expected encoders whose .* can be added, got .*\(16, 16\) and \(24, 24\)"):
        MVGRLGraph(GraphEncoder(GIN(4, 8, 2)), second=GraphEncoder(GIN(4, 8, 3)))


def test_a_bare_network_as_the_second_encoder_is_refused():
    with pytest.raises(TypeError, match="expected second to be a GraphEncoder, got GIN; wrap the network"):
        MVGRLGraph(GraphEncoder(GIN(4, 8, 2)), second=GIN(4, 8, 2))


def test_any_transform_will_do_as_diffusion(batch):
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2)), diffusion=Halved())
    halved = copy.copy(batch)
    halved.edge_weight = torch.full((batch.num_edges,), 0.5)
    wanted = method.eval().encoder.encode(batch).node + method.second.encode(halved).node
    torch.testing.assert_close(method.embed(batch).node, wanted)
    assert "edge_weight" not in batch


def test_the_second_encoder_has_weights_of_its_own_in_the_readout_too():
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2), readout=AttentionReadout(16)))
    for first, second in zip(method.encoder.parameters(), method.second.parameters(), strict=True):
        assert first.dim() == 1 or not torch.equal(first, second)
