"""Alignment and uniformity against the paper's formulas written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import alignment, alignment_uniformity, uniformity


def unit(z):
    return [[x / math.hypot(*row) for x in row] for row in z.tolist()]


def literal_alignment(z1, z2, alpha):
    return math.fsum(math.dist(a, b) ** alpha for a, b in zip(unit(z1), unit(z2), strict=True)) / len(z1)


def literal_uniformity(z, t):
    z = unit(z)
    pairs = [(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]
    return math.log(math.fsum(math.exp(-t * math.dist(a, b) ** 2) for a, b in pairs) / len(pairs))


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    alpha=st.sampled_from([1.0, 2.0, 3.0]),
    t=st.sampled_from([0.5, 2.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, alpha, t, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    aligned, uniform = literal_alignment(z1, z2, alpha), [literal_uniformity(z, t) for z in (z1, z2)]
    assert alignment(z1, z2, alpha=alpha).item() == pytest.approx(aligned, rel=1e-6, abs=1e-9)
    assert uniformity(z1, t=t).item() == pytest.approx(uniform[0], rel=1e-9, abs=1e-9)
    both = alignment_uniformity(z1, z2, alpha=alpha, t=t, weight=0.7)
    assert both.item() == pytest.approx(aligned + 0.7 * sum(uniform) / 2, rel=1e-6, abs=1e-9)


def test_hand_computed():
    # The corners of a square: neighbours at 2, the opposite one at 4: log((2 e^-4 + e^-8) / 3).
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    assert uniformity(square).item() == pytest.approx(math.log((2 * math.exp(-4) + math.exp(-8)) / 3), rel=1e-6)
    # Each corner against the next one.
    assert alignment(square, square.roll(1, 0)).item() == pytest.approx(2)
    assert alignment(square, square.roll(1, 0), alpha=1.0).item() == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_shows(alpha, value):
    z = torch.eye(3)
    z[1, 0] = value
    assert alignment(z, torch.eye(3), alpha=alpha).isnan()


def test_extremes(generator):
    point = torch.ones(5, 3)
    assert uniformity(point).item() == pytest.approx(0, abs=1e-6)
    assert alignment(point, 2 * point).item() == pytest.approx(0, abs=1e-12)
    spread = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator))
    # On the sphere in three dimensions |x - y|^2 is uniform on [0, 4]: log((1 - e^(-4t)) / 4t).
    assert uniformity(spread).item() == pytest.approx(math.log((1 - math.exp(-8)) / 8), abs=0.05)


def test_turning_and_stretching_change_nothing(generator):
    z1, z2 = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(alignment(3 * z1 @ turn, z2 @ turn), alignment(z1, z2))
    torch.testing.assert_close(uniformity(3 * z1 @ turn), uniformity(z1))


def test_metrics_work_without_gradient(generator):
    z = torch.randn(6, 4, generator=generator, requires_grad=True)
    with torch.no_grad():
        assert not uniformity(z).requires_grad and not alignment(z, z).requires_grad


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_gradient_where_views_agree(alpha):
    z = torch.eye(3, requires_grad=True)
    alignment(z, z.detach().clone(), alpha=alpha).backward()
    assert (z.grad == 0).all()


def test_refusals():
    with pytest.raises(ValueError, match="expected z with at least 2 rows, got 1"):
        uniformity(torch.ones(1, 3))
    with pytest.raises(TypeError, match="expected floating-point z, got torch.int64"):
        uniformity(torch.ones(3, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected a positive alpha, got -1"):
        alignment(torch.ones(3, 3), torch.ones(3, 3), alpha=-1.0)
