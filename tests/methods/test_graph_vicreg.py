"""Graph VICReg: the three terms as in the authors' code."""

import torch

from graphcl.methods import GraphVICReg
from graphcl.nn import GIN, GraphEncoder


def test_loss_is_that_of_the_authors_code(batch):
    method = GraphVICReg(GraphEncoder(GIN(4, 8, 2)), seed=2).double()
    batch.x = batch.x.double()
    z1, z2 = (method.head(method.encoder.encode(view).graph) for view in method.views_of(batch, method.key_at(0)))
    invariance = torch.nn.functional.mse_loss(z1, z2)
    variance = sum(torch.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() / 2 for z in (z1, z2))
    covariance = sum((c := z.T.cov()).square().sum() - c.diagonal().square().sum() for z in (z1, z2)) / 256
    torch.testing.assert_close(method(batch), 25 * invariance + 25 * variance + covariance)


def test_the_weight_of_the_invariance_goes_by_the_width_of_the_head():
    encoder = GraphEncoder(GIN(4, 8, 2))
    assert GraphVICReg(encoder).loss.invariance == 25 / 256
    assert GraphVICReg(encoder, head=torch.nn.Linear(16, 64)).loss.invariance == 25 / 64
