"""Debiased contrast against the paper's formula written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import debiased, nt_xent


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z1, z2, tau, prior, groups=None):
    z = z1.tolist() + z2.tolist()
    n = len(z1)
    total = 0.0
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        positive = math.exp(cosine(z[i], z[partner]) / tau)
        others = [j for j in range(2 * n) if j not in (i, partner) and not (groups and groups[i % n] == groups[j % n])]
        negatives = math.fsum(math.exp(cosine(z[i], z[j]) / tau) for j in others)
        count = len(others)
        ng = max((negatives - count * prior * positive) / (1 - prior), count * math.exp(-1 / tau))
        total -= math.log(positive / (positive + ng))
    return total / (2 * n)


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    tau=st.sampled_from([0.05, 0.2, 1.0]),
    prior=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, tau, prior, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = debiased(z1, z2, temperature=tau, class_prior=prior)
    assert value.item() == pytest.approx(literal(z1, z2, tau, prior), rel=1e-7, abs=1e-9)


def test_hand_computed():
    # Opposite items, T = 1, tau+ = 0.1: the negatives are 2/e, minus 0.2 e below 0, so the floor 2/e: log(1 + 2/e^2).
    z = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    assert debiased(z, z, temperature=1.0).item() == pytest.approx(math.log1p(2 * math.exp(-2)))
    # Orthogonal items, opposite views: (2 - 0.2/e) / 0.9 against e^-1.
    z = torch.eye(2, dtype=torch.float64)
    ng = (2 - 0.2 / math.e) / 0.9
    assert debiased(z, -z, temperature=1.0).item() == pytest.approx(math.log1p(ng * math.e))


def test_without_a_prior_it_is_nt_xent(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator)
    torch.testing.assert_close(debiased(z1, z2, class_prior=0.0), nt_xent(z1, z2))


def test_golden_shape_and_sign(generator):
    # A known library's version cannot be called at all (IndexError) and lacks the minus sign: here any [N, D] will do,
    # and a step down the gradient brings the views of an item together.
    z1 = torch.randn(6, 3, generator=generator)
    z2 = torch.randn(6, 3, generator=generator, requires_grad=True)
    value = debiased(z1, z2)
    assert value > 0
    (grad,) = torch.autograd.grad(value, z2)
    nearer = torch.cosine_similarity(z1, z2 - 0.1 * grad).mean()
    assert nearer > torch.cosine_similarity(z1, z2).mean()


def test_a_larger_prior_repels_less(generator):
    z = torch.randn(8, 4, generator=generator)
    values = [debiased(z, z + 0.1, class_prior=p) for p in (0.0, 0.02, 0.05)]
    assert values[0] > values[1] > values[2]


def test_excluded_items_do_not_count_among_the_n(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    groups = [0, 0, 0, 1, 2, 2]
    value = debiased(z1, z2, class_prior=0.1, exclude=[torch.tensor(groups)])
    assert value.item() == pytest.approx(literal(z1, z2, 0.5, 0.1, groups))


def test_an_item_without_negatives_costs_nothing(generator):
    z1, z2 = torch.randn(2, 4, 4, generator=generator).requires_grad_()
    value = debiased(z1, z2, exclude=[torch.zeros(4, dtype=torch.int64)])
    assert value.item() == 0
    assert all((grad == 0).all() for grad in torch.autograd.grad(value, (z1, z2)))
