"""NT-Xent against the algorithm of the SimCLR paper, written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import info_nce, nt_xent


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z1, z2, tau, positive_in_denominator=True):
    """Algorithm 1: z_(2k-1) and z_(2k) are the views of item k; the mean of l(2k-1, 2k) and l(2k, 2k-1) over k."""
    z = [row for pair in zip(z1.tolist(), z2.tolist(), strict=True) for row in pair]
    count = len(z)

    def ell(i, j):
        numerator = math.exp(cosine(z[i], z[j]) / tau)
        barred = {i} if positive_in_denominator else {i, j}
        return -math.log(
            numerator / math.fsum(math.exp(cosine(z[i], z[k]) / tau) for k in range(count) if k not in barred)
        )

    return math.fsum(ell(2 * k, 2 * k + 1) + ell(2 * k + 1, 2 * k) for k in range(count // 2)) / count


@given(
    n=st.integers(2, 5),
    d=st.integers(1, 5),
    tau=st.sampled_from([0.05, 0.2, 1.0]),
    inside=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, tau, inside, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = nt_xent(z1, z2, temperature=tau, positive_in_denominator=inside)
    assert value.item() == pytest.approx(literal(z1, z2, tau, inside), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("z1", "z2", "arguments", "expected"),
    [
        # Orthogonal items, identical views, T = 1: every row sees e, 1, 1.
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], {}, math.log(math.e + 2) - 1),
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], {"positive_in_denominator": False}, math.log(2) - 1),
        # One line: items at +1 and -1, identical views: e, 1/e, 1/e.
        ([[1.0], [-1.0]], [[5.0], [-2.0]], {}, math.log(math.e + 2 / math.e) - 1),
    ],
)
def test_hand_computed(z1, z2, arguments, expected):
    value = nt_xent(torch.tensor(z1).double(), torch.tensor(z2).double(), temperature=1.0, **arguments)
    assert value.item() == pytest.approx(expected, abs=1e-12)


def test_is_cross_entropy_over_both_views(generator):
    # The form of most implementations: 2N x 2N scores, the diagonal at -inf, the other view as the class.
    z1, z2 = torch.randn(2, 9, 6, generator=generator, dtype=torch.float64)
    z = torch.nn.functional.normalize(torch.cat([z1, z2]))
    scores = (z @ z.T / 0.1).fill_diagonal_(-math.inf)
    partner = torch.arange(18).roll(9)
    torch.testing.assert_close(nt_xent(z1, z2, temperature=0.1), torch.nn.functional.cross_entropy(scores, partner))


def test_has_more_negatives_than_info_nce(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator)
    assert nt_xent(z1, z2) > info_nce(z1, z2, symmetric=True)
