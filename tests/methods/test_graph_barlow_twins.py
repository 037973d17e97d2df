"""Graph Barlow Twins: the cross-correlation, written out."""

import torch

from graphcl.methods import GraphBarlowTwins
from graphcl.nn import GIN, GraphEncoder


def test_loss_is_that_of_the_cross_correlation(batch):
    method = GraphBarlowTwins(GraphEncoder(GIN(4, 8, 2)), seed=2).double()
    batch.x = batch.x.double()
    z1, z2 = (method.head(method.encoder.encode(view).graph) for view in method.views_of(batch, method.key_at(0)))
    z1, z2 = ((z - z.mean(0)) / z.std(0, unbiased=False) for z in (z1, z2))
    c = z1.T @ z2 / len(z1)
    eye = torch.eye(256, dtype=torch.bool)
    wanted = (1 - c[eye]).square().sum() + c[~eye].square().sum() / 256
    torch.testing.assert_close(method(batch), wanted)


def test_the_redundancy_goes_by_the_width_of_the_head():
    encoder = GraphEncoder(GIN(4, 8, 2))
    assert GraphBarlowTwins(encoder).loss.redundancy == 1 / 256
    assert GraphBarlowTwins(encoder, head=torch.nn.Linear(16, 64)).loss.redundancy == 1 / 64
