"""The moment estimator: exact with all samples, unbiased with a few, closer than plain sampling, refused when sharp."""

import math

import pytest
import torch

from graphcl.losses._sample import sample_items
from graphcl.losses.functional import (
    info_nce,
    moment_info_nce,
    moment_nt_xent,
    nt_xent,
    sampled_info_nce,
    sampled_nt_xent,
)
from graphcl.losses.moments import _log_negatives


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("tau", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("samples", [10, 99])
def test_all_items_give_the_exact_loss(tau, samples, generator):
    z1, z2 = torch.randn(2, 10, 4, generator=generator, dtype=torch.float64)
    value = moment_info_nce(z1, z2, samples=samples, temperature=tau)
    torch.testing.assert_close(value, info_nce(z1, z2, temperature=tau))
    value = moment_nt_xent(z1, z2, samples=samples, temperature=tau)
    torch.testing.assert_close(value, nt_xent(z1, z2, temperature=tau))


@pytest.mark.parametrize("both_views", [False, True])
def test_equals_the_literal_loop(both_views, generator):
    n, k, tau = 9, 4, 0.5
    z1, z2 = torch.nn.functional.normalize(torch.randn(2, n, 3, generator=generator, dtype=torch.float64), dim=2)
    drawn = set(sample_items(n, k, seeded(3), z1.device).tolist())

    def estimate(x, j):
        parabola = 1 + x + x * x / 2
        return parabola + (n / k * (math.exp(x) - parabola) if j in drawn else 0)

    costs = []
    for query, key in ((z1, z2), (z2, z1))[: 1 + both_views]:
        for i in range(n):
            total = positive = math.exp(float(query[i] @ key[i]) / tau)
            for j in range(n):
                if j != i:
                    total += estimate(float(query[i] @ key[j]) / tau, j)
                    total += estimate(float(query[i] @ query[j]) / tau, j) if both_views else 0
            costs.append(-math.log(positive / total))
    function = moment_nt_xent if both_views else moment_info_nce
    value = function(z1, z2, samples=k, temperature=tau, generator=seeded(3))
    assert value.item() == pytest.approx(sum(costs) / len(costs))


def test_hand_computed():
    # One negative each, x = 0: the parabola is exact, so one sample of two items changes nothing: log(e + 1) - 1.
    z = torch.eye(2, dtype=torch.float64)
    for seed in range(4):
        value = moment_info_nce(z, z, samples=1, temperature=1.0, generator=seeded(seed))
        assert value.item() == pytest.approx(math.log(math.e + 1) - 1)


def test_denominator_is_unbiased(generator):
    z1, z2 = torch.nn.functional.normalize(torch.randn(2, 30, 4, generator=generator, dtype=torch.float64), dim=2)
    x = z1 @ z2.T / 0.5
    exact = x.exp().fill_diagonal_(0).sum(1)
    item = torch.arange(30)
    draws = torch.stack(
        [
            _log_negatives(
                z1, z2, item, item, sample_items(30, 6, seeded(s), z1.device), x.diagonal()[:, None], 0.5
            ).exp()
            for s in range(2000)
        ]
    )
    error = (draws.mean(0) - exact) / (draws.std(0) / math.sqrt(2000))
    assert error.abs().max() < 4
    assert (draws.std(0) / exact).max() < 0.5


@pytest.mark.parametrize(
    ("moments", "plain", "exact"),
    [(moment_info_nce, sampled_info_nce, info_nce), (moment_nt_xent, sampled_nt_xent, nt_xent)],
)
def test_is_far_closer_than_plain_sampling(moments, plain, exact, generator):
    z1, z2 = torch.randn(2, 1000, 32, generator=generator)

    def error(function):
        values = [function(z1, z2, samples=64, temperature=0.5, generator=seeded(s)) for s in range(8)]
        return (torch.stack(values) - exact(z1, z2, temperature=0.5)).square().mean().sqrt()

    assert error(moments) < error(plain) / 4
    assert error(moments) < 2e-3


def test_never_below_the_least_possible_sum():
    # All negatives opposite but for one at a right angle: a sample of the opposite ones alone would give less than 0.
    z1 = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [-1, 0]], requires_grad=True)
    z2 = z1.detach().clone()
    for seed in range(20):
        value = moment_info_nce(z1, z2, samples=1, temperature=0.3, generator=seeded(seed))
        assert value.isfinite() and value >= 0
        (grad,) = torch.autograd.grad(value, z1)
        assert grad.isfinite().all()


@pytest.mark.parametrize("function", [moment_info_nce, moment_nt_xent])
def test_sharp_temperatures_are_refused_with_the_reason(function):
    with pytest.raises(ValueError, match="at least 0.3, got 0.1: below it the moments say little.*Use the exact loss"):
        function(torch.eye(3), torch.eye(3), temperature=0.1)


def test_the_seed_decides(generator):
    z1, z2 = torch.randn(2, 20, 4, generator=generator)
    first, again, other = (moment_nt_xent(z1, z2, samples=3, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
