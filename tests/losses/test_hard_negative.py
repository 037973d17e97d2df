"""Weighted negatives against the paper's formula written out as loops, and the authors' code line by line."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import debiased, hard_negative, nt_xent


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z1, z2, tau, beta, prior):
    z = z1.tolist() + z2.tolist()
    n = len(z1)
    total = 0.0
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        positive = math.exp(cosine(z[i], z[partner]) / tau)
        x = [cosine(z[i], z[j]) / tau for j in range(2 * n) if j not in (i, partner)]
        weights = [math.exp(beta * value) for value in x]
        mean = math.fsum(w * math.exp(value) for w, value in zip(weights, x, strict=True)) / math.fsum(weights)
        ng = max(len(x) * (mean - prior * positive) / (1 - prior), len(x) * math.exp(-1 / tau))
        total -= math.log(positive / (positive + ng))
    return total / (2 * n)


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    tau=st.sampled_from([0.05, 0.2, 1.0]),
    beta=st.sampled_from([0.0, 0.5, 1.0, 2.5]),
    prior=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, tau, beta, prior, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = hard_negative(z1, z2, temperature=tau, concentration=beta, class_prior=prior)
    assert value.item() == pytest.approx(literal(z1, z2, tau, beta, prior), rel=1e-7, abs=1e-9)


def test_hand_computed():
    # T = 1, beta = 1, no prior. Items at 0 and 60 degrees, identical views: each row sees e^0.5 twice.
    z = torch.tensor([[1.0, 0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    value = hard_negative(z, z, temperature=1.0, class_prior=0.0)
    assert value.item() == pytest.approx(math.log1p(2 * math.exp(0.5 - 1)))
    # Second view of item 1 turned to 90 degrees. Item 0 sees x = 0.5 and 0, in both views: 2 (e + 1) / (e^0.5 + 1).
    # Item 1 has its positive at cos 30; it sees 0.5 twice from 60 degrees, 0 twice from 90.
    other = torch.tensor([[1.0, 0], [0, 1]], dtype=torch.float64)
    item0 = math.log1p(2 * (math.e + 1) / (math.exp(0.5) + 1) / math.e)
    item1 = [math.log1p(2 * math.exp(x - math.sqrt(3) / 2)) for x in (0.5, 0)]
    value = hard_negative(z, other, temperature=1.0, class_prior=0.0)
    assert value.item() == pytest.approx((2 * item0 + sum(item1)) / 4)


def test_equals_the_authors_code(generator):
    """The criterion of the authors' repository, from scores to loss."""
    z1, z2 = torch.nn.functional.normalize(torch.randn(2, 8, 4, generator=generator, dtype=torch.float64), dim=2)
    tau, beta, prior, n = 0.5, 1.0, 0.1, 8
    out = torch.cat([z1, z2])
    neg = torch.exp(out @ out.T / tau)
    keep = ~torch.eye(n, dtype=torch.bool).repeat(2, 2)
    neg = neg[keep].view(2 * n, -1)
    pos = torch.exp((z1 * z2).sum(1) / tau).repeat(2)
    count = 2 * n - 2
    imp = (beta * neg.log()).exp()
    reweighted = (imp * neg).sum(1) / imp.mean(1)
    ng = ((-prior * count * pos + reweighted) / (1 - prior)).clamp(min=count * math.exp(-1 / tau))
    expected = -torch.log(pos / (pos + ng)).mean()
    torch.testing.assert_close(hard_negative(z1, z2, concentration=beta, class_prior=prior), expected)


def test_special_cases(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator)
    torch.testing.assert_close(hard_negative(z1, z2, concentration=0.0), debiased(z1, z2))
    torch.testing.assert_close(hard_negative(z1, z2, concentration=0.0, class_prior=0.0), nt_xent(z1, z2))


def test_harder_is_more(generator):
    z1, z2 = torch.randn(2, 8, 4, generator=generator)
    values = [hard_negative(z1, z2, concentration=beta) for beta in (0.0, 0.5, 1.0, 4.0)]
    assert values[0] < values[1] < values[2] < values[3]


def test_golden_shape_and_sign(generator):
    # A known library's version cannot be called at all (IndexError) and lacks the minus sign.
    z1 = torch.randn(6, 3, generator=generator)
    z2 = torch.randn(6, 3, generator=generator, requires_grad=True)
    value = hard_negative(z1, z2)
    assert value > 0
    (grad,) = torch.autograd.grad(value, z2)
    assert torch.cosine_similarity(z1, z2 - 0.1 * grad).mean() > torch.cosine_similarity(z1, z2).mean()


def test_an_item_without_negatives_costs_nothing(generator):
    z1, z2 = torch.randn(2, 4, 4, generator=generator).requires_grad_()
    value = hard_negative(z1, z2, exclude=[torch.zeros(4, dtype=torch.int64)])
    assert value.item() == 0
    assert all((grad == 0).all() for grad in torch.autograd.grad(value, (z1, z2)))
