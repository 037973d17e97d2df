"""The N-pair loss against the paper's formula written out as a loop."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import info_nce, n_pair


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def literal(z1, z2, l2):
    anchors, positives = z1.tolist(), z2.tolist()
    n = len(anchors)
    total = 0.0
    for i, f in enumerate(anchors):
        total += math.log1p(
            math.fsum(math.exp(dot(f, positives[j]) - dot(f, positives[i])) for j in range(n) if j != i)
        )
        total += l2 / 2 * (dot(f, f) + dot(positives[i], positives[i]))
    return total / n


@given(n=st.integers(2, 6), d=st.integers(1, 5), l2=st.sampled_from([0.0, 0.002, 1.0]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, l2, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert n_pair(z1, z2, l2=l2).item() == pytest.approx(literal(z1, z2, l2), rel=1e-9)


def test_hand_computed():
    # Products [[2, 0], [0, 6]]: log(1 + e^-2) and log(1 + e^-6); squared lengths 1, 4, 4, 9.
    z1, z2 = torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[2.0, 0], [0, 3]])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-6))) / 2 + 0.1 * 18 / 4
    assert n_pair(z1, z2, l2=0.1).item() == pytest.approx(expected)


def test_is_info_nce_of_unit_rows_at_temperature_one(generator):
    z1, z2 = torch.nn.functional.normalize(torch.randn(2, 6, 4, generator=generator), dim=2)
    torch.testing.assert_close(n_pair(z1, z2, l2=0.0), info_nce(z1, z2, temperature=1.0))


def test_length_matters(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator)
    assert not torch.isclose(n_pair(2 * z1, z2), n_pair(z1, z2))
    assert n_pair(1e-3 * z1, z2, l2=0.0).item() == pytest.approx(math.log(6), abs=1e-2)


def test_long_embeddings_do_not_overflow(generator):
    z1, z2 = 100 * torch.randn(2, 6, 8, generator=generator)
    z1.requires_grad_()
    value = n_pair(z1, z2)
    value.backward()
    assert value.isfinite() and z1.grad.isfinite().all()
