"""Group discrimination against the paper's cross entropy written out as a loop."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import group_discrimination


def literal(real, corrupted):
    """Binary cross entropy with label 1 for true nodes and 0 for corrupted ones, over all of them."""
    rows = [(row, 1) for row in real.tolist()] + [(row, 0) for row in corrupted.tolist()]
    total = 0.0
    for row, label in rows:
        y = 1 / (1 + math.exp(-math.fsum(row)))
        total -= label * math.log(y) + (1 - label) * math.log(1 - y)
    return total / len(rows)


@given(n=st.integers(1, 6), m=st.integers(1, 6), d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, m, d, seed):
    generator = torch.Generator().manual_seed(seed)
    real, corrupted = (torch.randn(k, d, generator=generator, dtype=torch.float64) for k in (n, m))
    assert group_discrimination(real, corrupted).item() == pytest.approx(literal(real, corrupted), rel=1e-9)


def test_hand_computed():
    # Sums log 3 and 0: log(4/3) and log 2.
    real, corrupted = torch.tensor([[math.log(3.0) - 1, 1]]), torch.tensor([[2.0, -2]])
    assert group_discrimination(real, corrupted).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_order_of_dimensions_and_nodes_does_not_matter(generator):
    real, corrupted = torch.randn(2, 7, 4, generator=generator, dtype=torch.float64)
    value = group_discrimination(real.flip(0, 1), corrupted.flip(0))
    torch.testing.assert_close(value, group_discrimination(real, corrupted))


def test_groups_turned_round(generator):
    real, corrupted = torch.randn(2, 7, 4, generator=generator)
    torch.testing.assert_close(group_discrimination(-corrupted, -real), group_discrimination(real, corrupted))


def test_half_precision_sums_do_not_overflow():
    real = torch.full((2, 100), 1000.0, dtype=torch.float16)
    assert group_discrimination(real, real).item() == pytest.approx(5e4)
