"""VICReg against equations 1 to 6 of the paper written out as loops, and against the authors' code."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import vicreg


def literal(z1, z2, invariance, variance, covariance, target=1.0, eps=1e-4):
    n, d = z1.shape

    def covariances(z):
        columns = z.T.tolist()
        means = [math.fsum(c) / n for c in columns]
        return [
            [
                math.fsum((columns[i][b] - means[i]) * (columns[j][b] - means[j]) for b in range(n)) / (n - 1)
                for j in range(d)
            ]
            for i in range(d)
        ]

    def v(cov):
        return math.fsum(max(0.0, target - math.sqrt(cov[j][j] + eps)) for j in range(d)) / d

    def c(cov):
        return math.fsum(cov[i][j] ** 2 for i in range(d) for j in range(d) if i != j) / d

    s = math.fsum(
        (a - b) ** 2 for x, y in zip(z1.tolist(), z2.tolist(), strict=True) for a, b in zip(x, y, strict=True)
    )
    first, second = covariances(z1), covariances(z2)
    return invariance * s / n + variance * (v(first) + v(second)) + covariance * (c(first) + c(second))


@given(
    n=st.integers(2, 7),
    d=st.integers(1, 5),
    weights=st.sampled_from([(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]),
    size=st.sampled_from([0.1, 1.0, 3.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, weights, size, seed):
    z1, z2 = size * torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    invariance, variance, covariance = weights
    value = vicreg(z1, z2, invariance=invariance, variance=variance, covariance=covariance)
    assert value.item() == pytest.approx(literal(z1, z2, *weights), rel=1e-9, abs=1e-12)


def test_hand_computed():
    # Columns (1, -1) and (2, -2), identical views: variances 2 and 8, covariance 4. With gamma = 2 and eps ~ 0:
    # v = (2 - sqrt 2) / 2, c = (16 + 16) / 2.
    z = torch.tensor([[1.0, 2], [-1, -2]], dtype=torch.float64)
    value = vicreg(z, z, invariance=3.0, variance=1.0, covariance=0.5, target=2.0, eps=1e-12)
    assert value.item() == pytest.approx(2 * (2 - math.sqrt(2)) / 2 + 0.5 * 2 * 16)


def test_equals_the_authors_code_at_its_weights(generator):
    x, y = torch.randn(2, 12, 5, generator=generator, dtype=torch.float64)
    repr_loss = torch.nn.functional.mse_loss(x, y)
    x0, y0 = x - x.mean(dim=0), y - y.mean(dim=0)
    std_x, std_y = torch.sqrt(x0.var(dim=0) + 0.0001), torch.sqrt(y0.var(dim=0) + 0.0001)
    std_loss = torch.relu(1 - std_x).mean() / 2 + torch.relu(1 - std_y).mean() / 2
    off = ~torch.eye(5, dtype=torch.bool)
    cov_loss = sum(((z.T @ z) / 11)[off].pow(2).sum() / 5 for z in (x0, y0))
    theirs = 25 * repr_loss + 25 * std_loss + cov_loss
    torch.testing.assert_close(vicreg(x, y, invariance=25 / 5, variance=12.5), theirs)


def test_moving_both_views_changes_nothing(generator):
    z1, z2 = torch.randn(2, 8, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(vicreg(z1 + 9, z2 + 9), vicreg(z1, z2))


def test_collapse_costs(generator):
    z = torch.randn(64, 4, generator=generator)
    point = torch.ones(64, 4)
    assert vicreg(point, point).item() == pytest.approx(2 * 25 * (1 - 0.01), rel=1e-5)
    assert vicreg(3 * z, 3 * z, covariance=0.0) < 1e-3
