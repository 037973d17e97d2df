"""BGRL: the symmetric loss against the target, which moves after each step and is never trained."""

import copy

import pytest
import torch
from torch.nn import functional as F

from graphcl.augment import EdgeDrop, Identity, NodeDrop
from graphcl.methods import BGRL, prelu_predictor
from graphcl.nn import GIN, GraphEncoder


def make(norm="batch", **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BGRL(GraphEncoder(GIN(4, 6, 2, norm=norm)), **arguments)


def step(method, data, lr=0.01):
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=lr)
    method(data).backward()
    optimizer.step()
    method.after_step()


def test_loss_is_that_of_the_paper_up_to_a_constant(data):
    method = make(norm="none", views=(EdgeDrop(drop=0.3), Identity()))
    step(method, data, lr=0.5)  # so that target and online differ
    a, b = method.views_of(data, method.key_at(1))
    online = [method.predictor(method.encoder.encode(view).node) for view in (a, b)]
    target = [method.target.module.encode(view).node for view in (a, b)]
    cosines = [F.cosine_similarity(online[i], target[1 - i]).mean() for i in (0, 1)]
    torch.testing.assert_close(method(data), 2 - cosines[0] - cosines[1])


def test_target_follows_and_is_not_trained(data):
    method = make(momentum=0.9)
    before = copy.deepcopy(method.target.module)
    assert not any(p.requires_grad for p in method.target.module.parameters())
    step(method, data, lr=0.5)
    moved = zip(before.parameters(), method.target.module.parameters(), method.encoder.parameters(), strict=True)
    for old, new, online in moved:
        torch.testing.assert_close(new, 0.9 * old + 0.1 * online)
        assert new.grad is None


def test_momentum_rises_to_one(data):
    method = make(momentum=0.9, total_steps=2)
    momenta = []
    for _ in range(3):
        momenta.append(method.target.current_momentum)
        step(method, data)
    assert momenta == pytest.approx([0.9, 0.95, 1.0])


def test_batch_norm_of_the_target_takes_the_statistics_of_the_view(data):
    method = make(views=(Identity(), Identity()))
    seen = []
    method.target.module.register_forward_hook(lambda module, inputs, output: seen.append(output.node))
    method(data)
    z = torch.cat(seen)[:12]
    torch.testing.assert_close(z.mean(0), torch.zeros(12), atol=1e-5, rtol=0)


def test_views_that_drop_nodes_are_aligned(data):
    method = make(norm="none", views=(NodeDrop(drop=0.3), NodeDrop(drop=0.3)))
    data.edge_index = data.edge_index[:, :0]
    views = method.views_of(data, method.key_at(0))
    common = sorted(set(views[0].n_id.tolist()) & set(views[1].n_id.tolist()))
    h = method.encoder.encode(data).node[common]  # without neighbours a node is the same in both
    torch.testing.assert_close(method(data), 2 - 2 * F.cosine_similarity(method.predictor(h), h).mean())


def test_target_is_saved_with_the_method(data):
    method, other = make(), make()
    step(method, data, lr=0.5)
    other.load_state_dict(method.state_dict())
    torch.testing.assert_close(other.target.state_dict(), method.target.state_dict(), rtol=0, atol=0)


def test_predictor_goes_back_to_the_width_it_came_from():
    assert prelu_predictor(6, 3)(torch.ones(2, 6)).shape == (2, 6)


def test_defaults_are_the_authors_on_wikics():
    method = make()
    drops = [(view.augmentations[0].drop, view.augmentations[1].mask) for view in method.views]
    assert drops == [(0.2, 0.2), (0.3, 0.1)]
    assert method.target.momentum == 0.99 and method.target.total_steps is None
    assert method.predictor[0].out_features == 512
