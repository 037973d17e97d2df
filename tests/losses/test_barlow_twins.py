"""Barlow Twins against equations 1 and 2 of the paper written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import barlow_twins


def literal(z1, z2, redundancy):
    def centred(z):
        columns = z.T.tolist()
        return [[x - math.fsum(c) / len(c) for x in c] for c in columns]

    a, b = centred(z1), centred(z2)
    total = 0.0
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            c = math.fsum(p * q for p, q in zip(x, y, strict=True))
            c /= math.sqrt(math.fsum(p * p for p in x)) * math.sqrt(math.fsum(q * q for q in y))
            total += (1 - c) ** 2 if i == j else redundancy * c**2
    return total


@given(n=st.integers(3, 8), d=st.integers(1, 5), weight=st.sampled_from([0.0, 0.005, 0.5]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, weight, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert barlow_twins(z1, z2, redundancy=weight).item() == pytest.approx(literal(z1, z2, weight), rel=1e-9)


def test_hand_computed():
    # Columns (1, -1, 0) and (1, -1, 0) against (1, -1, 0) and (1, 1, -2): C = [[1, 0], [1, 0]].
    z1 = torch.tensor([[1.0, 1], [-1, -1], [0, 0]])
    z2 = torch.tensor([[1.0, 1], [-1, 1], [0, -2]])
    assert barlow_twins(z1, z2, redundancy=0.1).item() == pytest.approx(0 + 1 + 0.1 * (0 + 1))


def test_scale_and_shift_of_dimensions_do_not_matter(generator):
    z1, z2 = torch.randn(2, 10, 4, generator=generator, dtype=torch.float64)
    scale = torch.tensor([0.1, 1, 7, 100])
    torch.testing.assert_close(barlow_twins(z1 * scale + 3, z2 / scale - 5), barlow_twins(z1, z2))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_a_constant_dimension_correlates_with_nothing(value, generator):
    z = torch.randn(10, 1, generator=generator)
    z1 = torch.cat([z, torch.full((10, 1), value)], 1).requires_grad_()
    value = barlow_twins(z1, z1.detach())
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-5)
    assert (z1.grad[:, 1] == 0).all() and z1.grad.abs().max() < 1


def test_minimising_decorrelates(generator):
    z = torch.randn(50, 3, generator=generator)
    z = (z @ torch.tensor([[1.0, 0.9, 0], [0, 0.5, 0], [0, 0, 1]])).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    before = torch.corrcoef(z.detach().T)[0, 1].abs()
    for _ in range(100):
        optimizer.zero_grad()
        barlow_twins(z, z, redundancy=1.0).backward()
        optimizer.step()
    assert torch.corrcoef(z.detach().T)[0, 1].abs() < 0.1 < before
