"""GraphBYOL: both directions by hand, and the target's way."""

import copy
import math

import torch

from graphcl._random import fold
from graphcl.methods import GraphBYOL
from graphcl.nn import GIN, GraphEncoder


def test_loss_equals_both_directions_by_hand(batch, take_step):
    method = GraphBYOL(GraphEncoder(GIN(4, 8, 2)), seed=3)
    take_step(method, batch)
    copied = copy.deepcopy(method)
    key = fold(3, 1)
    views = [view.view(batch, fold(key, i)) for i, view in enumerate(method.views)]
    slow_encoder, slow_head = copied.target.module
    z = [copied.head(copied.encoder.encode(view).graph) for view in views]
    q = [copied.predictor(each) for each in z]
    t = [slow_head(slow_encoder.encode(view).graph) for view in views]
    wanted = sum(2 - 2 * torch.cosine_similarity(q[i], t[1 - i]).mean() for i in range(2))
    torch.testing.assert_close(method(batch), wanted)


def test_no_gradient_reaches_the_target(batch):
    method = GraphBYOL(GraphEncoder(GIN(4, 8, 2)))
    method(batch).backward()
    assert all(p.grad is None for p in method.target.parameters())
    assert all(p.grad is not None for p in method.encoder.parameters())


def test_momentum_follows_its_schedule(batch, take_step):
    method = GraphBYOL(GraphEncoder(GIN(4, 8, 2)), momentum=0.9, total_steps=4)
    seen = []
    for _ in range(5):
        seen.append(method.target.current_momentum)
        take_step(method, batch)
    wanted = [1 - 0.1 * (math.cos(math.pi * k / 4) + 1) / 2 for k in range(5)]
    torch.testing.assert_close(torch.tensor(seen), torch.tensor(wanted))
    before = copy.deepcopy(method.target.module[0].state_dict())
    take_step(method, batch)
    weights = {k: v for k, v in before.items() if "running" not in k and "tracked" not in k}
    after = {k: v for k, v in method.target.module[0].state_dict().items() if k in weights}
    torch.testing.assert_close(after, weights, rtol=0, atol=0)


def test_the_target_moves_only_after_a_step_in_training(batch):
    method = GraphBYOL(GraphEncoder(GIN(4, 8, 2)))
    method.after_step()
    method.eval()(batch)
    method.after_step()
    assert method.target.step == 0
    method.train()(batch)
    method.after_step()
    method.after_step()
    assert method.target.step == 1
