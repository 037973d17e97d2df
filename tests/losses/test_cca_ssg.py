"""CCA-SSG against the objective of the paper written out as loops, and against the authors' code."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import cca_ssg


def literal(z1, z2, weight):
    def standardised(z):
        columns = []
        for c in z.T.tolist():
            mean = math.fsum(c) / len(c)
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in c) / len(c))
            columns.append([(x - mean) / deviation / math.sqrt(len(c)) for x in c])
        return columns

    def dot(x, y):
        return math.fsum(p * q for p, q in zip(x, y, strict=True))

    a, b = standardised(z1), standardised(z2)
    total = math.fsum((p - q) ** 2 for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True))
    for z in (a, b):
        total += weight * math.fsum((dot(x, y) - (i == j)) ** 2 for i, x in enumerate(z) for j, y in enumerate(z))
    return total


@given(n=st.integers(3, 8), d=st.integers(1, 5), weight=st.sampled_from([0.0, 1e-3, 0.5]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, weight, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert cca_ssg(z1, z2, decorrelation=weight).item() == pytest.approx(literal(z1, z2, weight), rel=1e-9, abs=1e-12)


def test_hand_computed():
    # Both columns of both views (1, -1) / sqrt 2: alike, and fully correlated: 2 off-diagonal ones in each view.
    z = torch.tensor([[1.0, 5], [-1, 3]])
    assert cca_ssg(z, z, decorrelation=0.25).item() == pytest.approx(0.25 * (2 + 2))


def test_the_authors_code_is_half_of_it_less_the_width(generator):
    h1, h2 = torch.randn(2, 20, 4, generator=generator, dtype=torch.float64)
    a, b = ((h - h.mean(0)) / h.std(0, unbiased=False) for h in (h1, h2))
    c, c1, c2 = a.T @ b / 20, a.T @ a / 20, b.T @ b / 20
    iden = torch.eye(4, dtype=torch.float64)
    decorrelation = 0.1 * ((iden - c1).pow(2).sum() + (iden - c2).pow(2).sum())
    theirs = -torch.diagonal(c).sum() + decorrelation
    expected = 2 * (theirs - decorrelation + 4) + decorrelation
    torch.testing.assert_close(cca_ssg(h1, h2, decorrelation=0.1), expected)


def test_scale_and_shift_of_dimensions_do_not_matter(generator):
    z1, z2 = torch.randn(2, 10, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(cca_ssg(z1 * 7 + 3, z2 / 9 - 5), cca_ssg(z1, z2))


def test_collapsed_dimensions_cost(generator):
    point = torch.full((10, 3), 0.3)
    assert cca_ssg(point, point, decorrelation=1.0).item() == pytest.approx(6)
