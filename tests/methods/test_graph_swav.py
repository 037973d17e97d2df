"""Graph SwAV: swapped prediction by hand; prototypes stay at length one."""

import torch

from graphcl.losses.swav import sinkhorn
from graphcl.methods import GraphSwAV
from graphcl.nn import GIN, GraphEncoder


def test_loss_is_the_swapped_prediction(batch):
    method = GraphSwAV(GraphEncoder(GIN(4, 8, 2)), num_prototypes=5, seed=2)
    z = [method.head(method.encoder.encode(view).graph) for view in method.views_of(batch, method.key_at(0))]
    scores = [method.prototypes(each) for each in z]
    codes = [sinkhorn(each.detach()) for each in scores]
    wanted = -sum((codes[1 - i] * torch.log_softmax(scores[i] / 0.1, 1)).sum(1).mean() for i in range(2)) / 2
    torch.testing.assert_close(method(batch), wanted)


def test_prototypes_stay_at_length_one_and_learn(batch, take_step):
    method = GraphSwAV(GraphEncoder(GIN(4, 8, 2)), num_prototypes=5)
    before = method.prototypes.weight.detach().clone()
    take_step(method, batch)
    torch.testing.assert_close(method.prototypes.weight.norm(dim=1), torch.ones(5))
    assert not torch.allclose(method.prototypes.weight, before)


def test_prototypes_are_as_wide_as_the_head():
    method = GraphSwAV(GraphEncoder(GIN(4, 8, 2)), head=torch.nn.Linear(16, 3))
    assert method.prototypes.weight.shape == (32, 3)
