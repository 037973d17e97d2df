"""Margin contrast against equation 4 of the paper written out as a loop over pairs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses import _blocks
from graphcl.losses.functional import margin_contrastive


def literal(z1, z2, margin, groups=None):
    """(1 - Y) d^2 / 2 + Y max(0, m - d)^2 / 2, averaged over the pairs with Y = 0 and over those with Y = 1."""
    similar, dissimilar = [], []
    for i, a in enumerate(z1.tolist()):
        for j, b in enumerate(z2.tolist()):
            d = math.dist(a, b)
            if i == j:
                similar.append(d**2 / 2)
            elif not (groups and groups[i] == groups[j]):
                dissimilar.append(max(0.0, margin - d) ** 2 / 2)
    return math.fsum(similar) / len(similar) + (math.fsum(dissimilar) / len(dissimilar) if dissimilar else 0)


@given(n=st.integers(2, 6), d=st.integers(1, 5), margin=st.sampled_from([0.5, 1.0, 3.0]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, d, margin, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert margin_contrastive(z1, z2, margin=margin).item() == pytest.approx(literal(z1, z2, margin), rel=1e-9)
    groups = [i // 2 for i in range(n)]
    value = margin_contrastive(z1, z2, margin=margin, exclude=[torch.tensor(groups)])
    assert value.item() == pytest.approx(literal(z1, z2, margin, groups), rel=1e-9)


def test_hand_computed():
    # Similar: d = 1 and 0; dissimilar: d = 3 and 2 with margin 2.5: 0 and 0.5^2 / 2.
    z1, z2 = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.0]])
    assert margin_contrastive(z1, z2, margin=2.5).item() == pytest.approx(0.5 / 2 + 0.125 / 2)


def test_identical_views_far_apart_cost_nothing():
    z = 10 * torch.eye(4)
    assert margin_contrastive(z, z).item() == 0


def test_moving_everything_changes_nothing(generator):
    z1, z2 = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(margin_contrastive(z1 @ turn + 5, z2 @ turn + 5), margin_contrastive(z1, z2))


def test_small_distances_far_from_the_origin_keep_their_digits():
    z1 = torch.tensor([[1000.0, 0.0], [1000.0, 0.5]])
    z2 = z1 + torch.tensor([0.0, 0.25])
    assert margin_contrastive(z1, z2).item() == pytest.approx(literal(z1, z2, 1.0), rel=1e-6)


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_single_precision_has_the_gradient_of_double(offset, size, generator):
    # Of all the embeddings there are, the close ones have the gradients that matter. The last two are one.
    z1, z2 = offset + size * torch.randn(2, 40, 16, generator=generator)
    z1[-2:] = z2[-2:] = z1[-1]
    single, double = ([z.to(dtype).requires_grad_() for z in (z1, z2)] for dtype in (torch.float32, torch.float64))
    one, other = (margin_contrastive(*views, margin=6 * size) for views in (single, double))
    torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=0)
    for found, wanted in zip(torch.autograd.grad(one, single), torch.autograd.grad(other, double), strict=True):
        assert (found - wanted).norm() < 1e-5 * wanted.norm()


def test_second_derivatives_in_single_precision(generator):
    z1, z2 = torch.randn(2, 5, 3, generator=generator)
    torch.autograd.gradgradcheck(
        lambda a, b: margin_contrastive(a.float(), b.float(), margin=9.0).double(),
        [z.double().requires_grad_() for z in (z1, z2)],
        eps=1e-2,
        atol=1e-2,
    )


def test_blocks_change_nothing_and_keep_nothing(generator, monkeypatch):
    z1, z2 = torch.randn(2, 60, 4, generator=generator, dtype=torch.float64).requires_grad_()

    def run():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            value = margin_contrastive(z1, z2, margin=2.0)
        return value, torch.autograd.grad(value, (z1, z2)), max(kept)

    value, grads, most = run()
    assert most == 60 * 60
    monkeypatch.setattr(_blocks, "PAIRS", 500)
    blocked, blocked_grads, most = run()
    torch.testing.assert_close(blocked, value)
    torch.testing.assert_close(blocked_grads, grads)
    assert most <= 60 * 4
