"""Sampled negatives: exact with all of them, unbiased with a few, the same again from the same seed."""

import math

import pytest
import torch

from graphcl.losses._sample import sample_items
from graphcl.losses.functional import info_nce, nt_xent, sampled_info_nce, sampled_nt_xent


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("samples", [12, 40])
def test_all_items_give_the_exact_loss(samples, generator):
    z1, z2 = torch.randn(2, 12, 5, generator=generator, dtype=torch.float64)
    groups = torch.tensor([0, 0, 1, -1] * 3)
    for symmetric in (False, True):
        value = sampled_info_nce(z1, z2, samples=samples, symmetric=symmetric, exclude=[groups])
        torch.testing.assert_close(value, info_nce(z1, z2, symmetric=symmetric, exclude=[groups]))
    value = sampled_nt_xent(z1, z2, samples=samples, exclude=[groups])
    torch.testing.assert_close(value, nt_xent(z1, z2, exclude=[groups]))


@pytest.mark.parametrize("both_views", [False, True])
def test_equals_the_loop_over_the_drawn_items(both_views, generator):
    z1, z2 = torch.nn.functional.normalize(torch.randn(2, 9, 4, generator=generator, dtype=torch.float64), dim=2)
    drawn = sample_items(9, 4, seeded(5), z1.device).tolist()
    costs = []
    for query, key in ((z1, z2), (z2, z1))[: 1 + both_views]:
        for i in range(9):
            positive = math.exp(float(query[i] @ key[i]) / 0.5)
            negatives = sum(math.exp(float(query[i] @ key[j]) / 0.5) for j in drawn if j != i)
            negatives += sum(math.exp(float(query[i] @ query[j]) / 0.5) for j in drawn if j != i) if both_views else 0
            costs.append(-math.log(positive / (positive + negatives * 9 / 4)))
    function = sampled_nt_xent if both_views else sampled_info_nce
    value = function(z1, z2, samples=4, generator=seeded(5))
    assert value.item() == pytest.approx(sum(costs) / len(costs))


def test_hand_computed():
    # Two orthogonal items, one drawn: its own row has no negative (0), the other 1 x 2/1: log(e + 2) - 1.
    z = torch.eye(2, dtype=torch.float64)
    value = sampled_info_nce(z, z, samples=1, temperature=1.0, generator=seeded(0))
    assert value.item() == pytest.approx((math.log(math.e + 2) - 1) / 2)


def test_every_item_is_drawn_equally_often():
    counts = torch.zeros(20)
    for seed in range(2000):
        drawn = sample_items(20, 5, seeded(seed), torch.device("cpu"))
        assert len(set(drawn.tolist())) == 5
        counts[drawn] += 1
    # 500 each with a standard deviation of 19; chi-square with 19 degrees of freedom exceeds 44 once in a thousand.
    assert ((counts - 500) ** 2 / 375).sum() < 44


def test_denominator_is_unbiased(generator):
    # The mean over seeds of the estimated sums, read off the losses of one row each, against the exact ones.
    z1, z2 = torch.randn(2, 30, 4, generator=generator, dtype=torch.float64)
    unit1, unit2 = (torch.nn.functional.normalize(z) for z in (z1, z2))
    weights = (unit1 @ unit2.T / 0.5).exp().fill_diagonal_(0)
    exact = weights.sum(1)
    draws = torch.stack([weights[:, sample_items(30, 6, seeded(s), z1.device)].sum(1) * 30 / 6 for s in range(3000)])
    error = (draws.mean(0) - exact) / (draws.std(0) / math.sqrt(3000))
    assert error.abs().max() < 4
    # Without the factor, or with self among the negatives, it would be tens of standard errors off.
    assert ((draws.mean(0) * 6 / 30 - exact) / (draws.std(0) / math.sqrt(3000))).abs().min() > 10


def test_more_samples_come_closer(generator):
    z1, z2 = torch.randn(2, 200, 8, generator=generator)
    exact = nt_xent(z1, z2)

    def error(samples):
        values = [sampled_nt_xent(z1, z2, samples=samples, generator=seeded(s)) for s in range(8)]
        return (torch.stack(values) - exact).square().mean().sqrt()

    assert error(100) < error(10) < 0.2


def test_the_seed_decides(generator):
    z1, z2 = torch.randn(2, 20, 4, generator=generator)
    first, again, other = (sampled_info_nce(z1, z2, samples=3, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
