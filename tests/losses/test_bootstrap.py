"""The bootstrap loss against equation 2 of BYOL, and the sign that a known library has wrong."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import bootstrap


def literal(prediction, target):
    total = 0.0
    for q, t in zip(prediction.tolist(), target.tolist(), strict=True):
        length_q, length_t = math.hypot(*q), math.hypot(*t)
        total += math.fsum((a / length_q - b / length_t) ** 2 for a, b in zip(q, t, strict=True))
    return total / len(prediction)


@given(n=st.integers(1, 6), d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, seed):
    q, t = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert bootstrap(q, t).item() == pytest.approx(literal(q, t), rel=1e-9, abs=1e-12)


def test_hand_computed():
    # Angles of 0, 60, 90 and 180 degrees: 2 - 2 cos = 0, 1, 2 and 4.
    q = torch.tensor([[1.0, 0]] * 4).double()
    t = torch.tensor([[3.0, 0], [1, math.sqrt(3)], [0, 2], [-1, 0]]).double()
    assert bootstrap(q, t).item() == pytest.approx(7 / 4)


def test_golden_sign(generator):
    # A known library returns +1 for identical views and -1 for opposite ones and minimises that: views move apart.
    z = torch.randn(8, 4, generator=generator)
    assert bootstrap(z, z).item() == pytest.approx(0, abs=1e-6)
    assert bootstrap(z, -z).item() == pytest.approx(4, abs=1e-6)


def test_minimising_aligns(generator):
    q, t = torch.randn(2, 16, 8, generator=generator)
    q.requires_grad_()
    optimizer = torch.optim.SGD([q], lr=5.0)
    before = torch.cosine_similarity(q, t).mean()
    for _ in range(60):
        optimizer.zero_grad()
        bootstrap(q, t).backward()
        optimizer.step()
    after = torch.cosine_similarity(q, t).mean()
    assert after > before + 0.3


def test_target_gets_no_gradient(generator):
    q, t = (torch.randn(3, 4, generator=generator, requires_grad=True) for _ in range(2))
    bootstrap(q, t).backward()
    assert t.grad is None and q.grad.abs().sum() > 0


def test_length_does_not_matter(generator):
    q, t = torch.randn(2, 5, 4, generator=generator)
    torch.testing.assert_close(bootstrap(100 * q, 0.01 * t), bootstrap(q, t))
