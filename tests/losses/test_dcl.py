"""Decoupled contrast against the paper's equations written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import dcl, nt_xent


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z1, z2, tau, sigma=None):
    """-w_i <z_i, z_i'> / tau + log of the sum over both views of all other items, for each item and view."""
    views = [z1.tolist(), z2.tolist()]
    n = len(views[0])
    agreement = [math.exp(cosine(views[0][i], views[1][i]) / sigma) if sigma else 1.0 for i in range(n)]
    total = 0.0
    for k in (0, 1):
        for i in range(n):
            u = math.fsum(math.exp(cosine(views[k][i], view[j]) / tau) for view in views for j in range(n) if j != i)
            weight = 2 - agreement[i] / (math.fsum(agreement) / n)
            total += -weight * cosine(views[k][i], views[1 - k][i]) / tau + math.log(u)
    return total / (2 * n)


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    tau=st.sampled_from([0.05, 0.2, 1.0]),
    sigma=st.sampled_from([None, 0.5, 2.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, tau, sigma, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = dcl(z1, z2, temperature=tau, sigma=sigma)
    assert value.item() == pytest.approx(literal(z1, z2, tau, sigma), rel=1e-9, abs=1e-9)


def test_hand_computed():
    # Items at right angles, T = 1: the negatives are 1 + 1. Equal agreement makes all weights 1.
    z = torch.eye(2, dtype=torch.float64)
    assert dcl(z, z, temperature=1.0).item() == pytest.approx(math.log(2) - 1)
    assert dcl(z, z, temperature=1.0, sigma=0.5).item() == pytest.approx(math.log(2) - 1)


def test_weights_favour_pairs_that_disagree():
    # cos = 1 and 0, sigma = 1: w = 2 - 2e/(e+1) and 2 - 2/(e+1); only the first has a cosine to weight.
    z1 = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64)
    z2 = torch.tensor([[1.0, 0, 0], [0, 0, 1]], dtype=torch.float64)
    weight = 2 - 2 * math.e / (math.e + 1)
    assert dcl(z1, z2, temperature=1.0, sigma=1.0).item() == pytest.approx(math.log(2) - 2 * weight / 4)


def test_is_nt_xent_without_the_positive(generator):
    z1, z2 = torch.randn(2, 9, 6, generator=generator)
    expected = nt_xent(z1, z2, temperature=0.1, positive_in_denominator=False)
    torch.testing.assert_close(dcl(z1, z2), expected)
