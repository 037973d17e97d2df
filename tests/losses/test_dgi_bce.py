"""The loss of Deep Graph Infomax against equation 1 of the paper and torch's own cross entropy."""

import math

import pytest
import torch

from graphcl.losses.functional import dgi_bce


def literal(positive, negative):
    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    total = math.fsum(math.log(sigmoid(a)) for a in positive) + math.fsum(math.log(1 - sigmoid(b)) for b in negative)
    return -total / (len(positive) + len(negative))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (3, 8)])
def test_equals_the_literal_loop(n, m, generator):
    positive, negative = (3 * torch.randn(k, generator=generator, dtype=torch.float64) for k in (n, m))
    assert dgi_bce(positive, negative).item() == pytest.approx(literal(positive.tolist(), negative.tolist()))


def test_hand_computed():
    # Odds of 3 to 1 for both true pairs, even odds for the corrupted one: (2 log(4/3) + log 2) / 3.
    value = dgi_bce(torch.full((2,), math.log(3.0)), torch.zeros(1))
    assert value.item() == pytest.approx((2 * math.log(4 / 3) + math.log(2)) / 3)


def test_equals_torch(generator):
    positive, negative = torch.randn(2, 6, generator=generator)
    labels = torch.cat([torch.ones(6), torch.zeros(6)])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.cat([positive, negative]), labels)
    torch.testing.assert_close(dgi_bce(positive, negative), expected)


def test_certain_scores_are_finite():
    value = dgi_bce(torch.tensor([1e4, -1e4]), torch.tensor([-1e4]))
    assert value.item() == pytest.approx(1e4 / 3)


def test_turning_all_scores_round_swaps_the_classes(generator):
    positive, negative = torch.randn(2, 6, generator=generator)
    torch.testing.assert_close(dgi_bce(-negative, -positive), dgi_bce(positive, negative))


def test_refusals():
    with pytest.raises(ValueError, match=r"expected negative scores of shape \[N\] with N > 0, got \[0\]"):
        dgi_bce(torch.ones(3), torch.ones(0))
    with pytest.raises(ValueError, match=r"expected positive scores of shape \[N\] with N > 0, got \[3, 1\]"):
        dgi_bce(torch.ones(3, 1), torch.ones(3))
