"""GRACE against the paper's two equations written out as loops, and against a known wrong form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import grace, nt_xent


def theta(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(u, v, tau, own_negative=False):
    """Equations 1 and 2; with `own_negative` the sum over the own view runs over k = i too, which is wrong."""
    u, v = u.tolist(), v.tolist()
    n = len(u)

    def ell(u, v, i):
        positive = math.exp(theta(u[i], v[i]) / tau)
        inter = math.fsum(math.exp(theta(u[i], v[k]) / tau) for k in range(n) if k != i)
        intra = math.fsum(math.exp(theta(u[i], u[k]) / tau) for k in range(n) if own_negative or k != i)
        return -math.log(positive / (positive + inter + intra))

    return math.fsum(ell(u, v, i) + ell(v, u, i) for i in range(n)) / (2 * n)


@given(n=st.integers(2, 6), d=st.integers(1, 5), tau=st.sampled_from([0.05, 0.4, 1.0]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, tau, seed):
    u, v = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert grace(u, v, temperature=tau).item() == pytest.approx(literal(u, v, tau), rel=1e-9, abs=1e-9)


def test_hand_computed():
    # u = v = two orthogonal nodes, tau = 1: each row is log(e + 1 + 1) - 1.
    z = torch.eye(2, dtype=torch.float64)
    assert grace(z, z, temperature=1.0).item() == pytest.approx(0.551444713, abs=1e-9)


def test_a_node_is_never_its_own_negative(generator):
    # Golden: a known library lets k = i into the sum over the own view. With tau = 1 that adds e to each denominator.
    z = torch.eye(2, dtype=torch.float64)
    right, wrong = math.log(math.e + 2) - 1, math.log(2 * math.e + 2) - 1
    assert literal(z, z, 1.0, own_negative=True) == pytest.approx(wrong)
    assert grace(z, z, temperature=1.0).item() == pytest.approx(right)
    u, v = torch.randn(2, 16, 8, generator=generator, dtype=torch.float64)
    for tau in (0.1, 0.5):
        assert grace(u, v, temperature=tau).item() < literal(u, v, tau, own_negative=True) - 1e-3


def test_solved_pairs_cost_nothing():
    # With itself among its negatives a node could never get below log(2).
    z = torch.eye(8)
    assert grace(z, z, temperature=0.05).item() < 1e-5


def test_is_nt_xent(generator):
    u, v = torch.randn(2, 7, 5, generator=generator)
    groups = torch.tensor([0, 0, 1, 2, 3, 4, 5])
    assert torch.equal(grace(u, v, temperature=0.4, exclude=[groups]), nt_xent(u, v, temperature=0.4, exclude=[groups]))
