"""SimGRACE: the noise, its law, and what it leaves alone."""

import copy

import pytest
import torch
from torch import nn

from graphcl._random import fold
from graphcl.methods import SimGRACE
from graphcl.methods.simgrace import perturbed
from graphcl.nn import GIN, GraphEncoder


class TestNoise:
    def test_has_the_deviation_of_each_tensor(self):
        module = nn.Sequential(nn.Linear(200, 300), nn.Linear(300, 200))
        with torch.no_grad():
            module[1].weight.mul_(10)
        noisy = perturbed(module, 5, 0.5)
        for name in ("0.weight", "1.weight"):
            weight = module.state_dict()[name]
            noise = noisy[name] - weight
            assert noise.std().item() == pytest.approx(0.5 * weight.std().item(), rel=0.02)
            assert abs(noise.mean().item()) < 0.02 * weight.std().item()
        correlation = torch.corrcoef(torch.stack([noisy["0.weight"].flatten(), noisy["1.weight"].flatten()]))[0, 1]
        assert abs(correlation) < 0.02

    def test_keyed(self):
        module = nn.Linear(3, 4)
        torch.testing.assert_close(perturbed(module, 1, 1.0), perturbed(module, 1, 1.0), rtol=0, atol=0)
        assert not torch.equal(perturbed(module, 1, 1.0)["weight"], perturbed(module, 2, 1.0)["weight"])

    def test_no_noise_where_there_is_no_deviation(self):
        module = nn.Sequential(nn.BatchNorm1d(3), nn.PReLU())
        noisy = perturbed(module, 1, 1.0)
        torch.testing.assert_close(noisy, dict(module.state_dict()), rtol=0, atol=0)
        noisy["0.running_mean"] += 1  # a copy
        assert (module[0].running_mean == 0).all()

    def test_nothing_to_perturb(self):
        assert perturbed(nn.Identity(), 0, 1.0) == {}


def by_hand(method, batch):
    """Clean and noisy projections of the next step, by two encoders."""
    noisy = copy.deepcopy(method.encoder)
    noisy.load_state_dict(perturbed(method.encoder, fold(method.seed, int(method.step)), method.eta))
    return method.head(copy.deepcopy(method.encoder).encode(batch).graph), method.head(noisy.encode(batch).graph)


def test_loss_equals_a_loop(batch):
    method = SimGRACE(GraphEncoder(GIN(4, 8, 2)), eta=0.7, seed=3)
    z1, z2 = by_hand(method, batch)
    s = torch.cosine_similarity(z1[:, None], z2[None].detach(), dim=2) / 0.2
    others = ~torch.eye(8, dtype=torch.bool)
    wanted = -torch.stack([s[i, i] - torch.logsumexp(s[i][others[i]], 0) for i in range(8)]).mean()
    loss = method(batch)
    torch.testing.assert_close(loss, wanted)


def test_running_statistics_are_those_of_the_clean_pass_alone(batch):
    method = SimGRACE(GraphEncoder(GIN(4, 8, 2)))
    clean = copy.deepcopy(method.encoder)
    clean.encode(batch)
    method(batch)
    torch.testing.assert_close(method.encoder.state_dict(), clean.state_dict(), rtol=0, atol=0)


def test_no_gradient_through_the_noisy_side(batch):
    method = SimGRACE(GraphEncoder(GIN(4, 8, 2)), seed=1)
    z1, z2 = by_hand(method, batch)
    parameters = list(method.head.parameters())
    wanted = torch.autograd.grad(method.loss(z1, z2.detach()), parameters)
    torch.testing.assert_close(torch.autograd.grad(method(batch), parameters), wanted)


def test_negative_noise_is_refused():
    for eta in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="expected a finite eta >= 0"):
            SimGRACE(GraphEncoder(GIN(4)), eta=eta)
