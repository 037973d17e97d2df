"""SwAV against the paper's pseudocode written out as loops; the balance of its codes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import swav
from graphcl.losses.swav import sinkhorn


def literal_sinkhorn(scores, epsilon, iterations):
    """Q = exp(scores / eps), normalised; then rows of clusters to 1/K, columns of items to 1/B; at last times B."""
    n, k = len(scores), len(scores[0])
    q = [[math.exp(scores[i][c] / epsilon) for i in range(n)] for c in range(k)]
    for _ in range(iterations):
        q = [[x / math.fsum(row) / k for x in row] for row in q]
        sums = [math.fsum(row[i] for row in q) for i in range(n)]
        q = [[x / sums[i] / n for i, x in enumerate(row)] for row in q]
    return [[q[c][i] * n for c in range(k)] for i in range(n)]


def literal(z1, z2, prototypes, tau, epsilon, iterations):
    def cosine(a, b):
        return math.fsum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    scores = [[[cosine(z, c) for c in prototypes.tolist()] for z in view.tolist()] for view in (z1, z2)]
    codes = [literal_sinkhorn(view, epsilon, iterations) for view in scores]
    total = 0.0
    for own, other in ((0, 1), (1, 0)):
        for q, s in zip(codes[other], scores[own], strict=True):
            log_sum = math.log(math.fsum(math.exp(x / tau) for x in s))
            total -= math.fsum(weight * (x / tau - log_sum) for weight, x in zip(q, s, strict=True))
    return total / (2 * len(z1))


@given(
    n=st.integers(2, 6),
    k=st.integers(1, 4),
    tau=st.sampled_from([0.1, 1.0]),
    epsilon=st.sampled_from([0.05, 0.5]),
    iterations=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, k, tau, epsilon, iterations, seed):
    generator = torch.Generator().manual_seed(seed)
    z1, z2 = torch.randn(2, n, 3, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(k, 3, generator=generator, dtype=torch.float64)
    value = swav(z1, z2, prototypes, temperature=tau, epsilon=epsilon, iterations=iterations)
    assert value.item() == pytest.approx(literal(z1, z2, prototypes, tau, epsilon, iterations), rel=1e-8, abs=1e-9)


def test_hand_computed():
    # One prototype: everything belongs to it. Two alike: codes of 1/2, predictions of 1/2: log 2.
    z1, z2 = torch.eye(3), torch.eye(3).flip(0)
    assert swav(z1, z2, torch.ones(1, 3)).item() == 0
    assert swav(z1, z2, torch.ones(2, 3)).item() == pytest.approx(math.log(2))


def test_gradient_holds_the_codes_constant(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    leaves = [z.clone().requires_grad_() for z in (z1, z2, prototypes)]
    found = torch.autograd.grad(swav(*leaves), leaves)
    units = [torch.nn.functional.normalize(z) for z in leaves]
    scores = [units[0] @ units[2].T, units[1] @ units[2].T]
    codes = [torch.tensor(literal_sinkhorn(s.tolist(), 0.05, 3), dtype=torch.float64) for s in scores]
    # Cross entropy with soft labels.
    cross = torch.nn.functional.cross_entropy
    expected = (cross(scores[0] / 0.1, codes[1]) + cross(scores[1] / 0.1, codes[0])) / 2
    torch.testing.assert_close(found, torch.autograd.grad(expected, leaves))


class TestSinkhorn:
    def test_rows_and_columns_sum_up(self, generator):
        scores = torch.randn(30, 5, generator=generator, dtype=torch.float64)
        codes = sinkhorn(scores, epsilon=0.5, iterations=200)
        torch.testing.assert_close(codes.sum(1), torch.ones(30, dtype=torch.float64))
        torch.testing.assert_close(codes.sum(0), torch.full((5,), 6.0, dtype=torch.float64))

    def test_no_cluster_takes_all(self):
        # All items prefer cluster 0; those that prefer it least are moved to cluster 1.
        scores = torch.tensor([[1.0, 0.0], [0.9, 0.0], [0.2, 0.0], [0.1, 0.0]])
        assert sinkhorn(scores, iterations=50).argmax(1).tolist() == [0, 0, 1, 1]

    @pytest.mark.parametrize("epsilon", [1e-3, 0.01])
    def test_sharp_codes_do_not_overflow(self, epsilon, generator):
        codes = sinkhorn(torch.randn(10, 4, generator=generator), epsilon=epsilon)
        assert codes.isfinite().all()
        torch.testing.assert_close(codes.sum(1), torch.ones(10))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_that_of_the_result_alone(self, dtype, generator):
        scores = (30 * torch.randn(6, 3, generator=generator)).to(dtype)
        codes = sinkhorn(scores, epsilon=1e-3)  # scores / epsilon are beyond float16
        assert codes.dtype == dtype
        torch.testing.assert_close(codes, sinkhorn(scores.double(), epsilon=1e-3).to(dtype))

    def test_has_no_gradient(self, generator):
        assert not sinkhorn(torch.randn(4, 3, generator=generator, requires_grad=True)).requires_grad

    def test_refusals(self):
        for shape in ((0, 3), (3, 0), (3,)):
            with pytest.raises(ValueError, match="expected scores .* of at least one item and cluster"):
                sinkhorn(torch.zeros(shape))
        with pytest.raises(ValueError, match="expected a positive epsilon, got 0"):
            sinkhorn(torch.ones(2, 2), epsilon=0.0)
        with pytest.raises(ValueError, match="expected iterations of at least 1, got 0"):
            sinkhorn(torch.ones(2, 2), iterations=0)
