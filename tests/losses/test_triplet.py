"""Triplets against loops that mine as the paper says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses import _blocks
from graphcl.losses.functional import triplet


def literal(z1, z2, margin, mining, groups=None):
    def unit(row):
        length = math.sqrt(math.fsum(x * x for x in row))
        return [x / length for x in row]

    z1, z2 = [unit(row) for row in z1.tolist()], [unit(row) for row in z2.tolist()]
    costs = []
    for i, anchor in enumerate(z1):
        positive = math.dist(anchor, z2[i]) ** 2
        others = [j for j in range(len(z2)) if j != i and not (groups and groups[i] == groups[j])]
        distances = sorted(math.dist(anchor, z2[j]) ** 2 for j in others)
        if not distances:
            continue
        if mining == "hard":
            distances = distances[:1]
        elif mining == "semi-hard":
            distances = [next((d for d in distances if d > positive), distances[-1])]
        costs += [max(0.0, positive - d + margin) for d in distances]
    return math.fsum(costs) / len(costs) if costs else 0.0


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
@given(n=st.integers(2, 7), d=st.integers(2, 5), margin=st.sampled_from([0.2, 1.0]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(mining, n, d, margin, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = triplet(z1, z2, margin=margin, mining=mining)
    assert value.item() == pytest.approx(literal(z1, z2, margin, mining), rel=1e-9, abs=1e-9)
    groups = [0, *(i // 2 for i in range(1, n))]
    value = triplet(z1, z2, margin=margin, mining=mining, exclude=[torch.tensor(groups)])
    assert value.item() == pytest.approx(literal(z1, z2, margin, mining, groups), rel=1e-9, abs=1e-9)


def test_a_duplicate_of_the_positive_is_not_farther_than_it(generator):
    # Duplicate graphs have one embedding, which rounding must not turn into a semi-hard negative at distance zero.
    anchor = torch.randn(150, 65, generator=generator)
    z1, z2 = anchor.repeat(2, 1), (anchor + 0.5 * torch.randn(150, 65, generator=generator)).repeat(2, 1)
    assert triplet(z1, z2, mining="semi-hard").item() == 0
    hashes = torch.arange(150).repeat(2)
    torch.testing.assert_close(triplet(z1, z2, margin=1.0), triplet(z1, z2, margin=1.0, exclude=[hashes]))


def at(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_hand_computed():
    # Anchor at 0 degrees, positive at 60 (d^2 = 1), negatives at 0 (0), 90 (2) and 180 (4); the other anchors cost 0.
    first = at(0, 0, 90, 180)
    second = at(60, 0, 90, 180)
    for mining, expected in (("hard", 1 - 0 + 1.5), ("semi-hard", 1 - 2 + 1.5), ("all", 2.5 + 0.5 + 0)):
        rows = 4 if mining != "all" else 12
        others = literal(first, second, 1.5, mining) * rows - expected
        value = triplet(first, second, margin=1.5, mining=mining)
        assert value.item() == pytest.approx((expected + others) / rows)
    alone = triplet(first[:1].repeat(2, 1), at(60, 90), margin=1.5, mining="hard")  # rows: 1 - 2 + 1.5, 2 - 1 + 1.5
    assert alone.item() == pytest.approx((0.5 + 2.5) / 2)


def test_solved_triplets_cost_nothing():
    z = torch.eye(5)
    for mining in ("all", "hard", "semi-hard"):
        assert triplet(z, z, margin=1.9, mining=mining).item() == 0


def test_hard_costs_most(generator):
    z1, z2 = torch.randn(2, 9, 4, generator=generator)
    values = {mining: triplet(z1, z2, mining=mining) for mining in ("all", "hard", "semi-hard")}
    assert values["hard"] >= values["all"]
    assert values["hard"] >= values["semi-hard"]


def test_an_item_without_negatives_forms_no_triplet(generator):
    z1, z2 = torch.randn(2, 4, 3, generator=generator).requires_grad_()
    for mining in ("all", "hard", "semi-hard"):
        value = triplet(z1, z2, mining=mining, exclude=[torch.zeros(4, dtype=torch.int64)])
        assert value.item() == 0
        assert all((grad == 0).all() for grad in torch.autograd.grad(value, (z1, z2)))


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_blocks_change_nothing_and_keep_nothing(mining, generator, monkeypatch):
    z1, z2 = torch.randn(2, 60, 4, generator=generator, dtype=torch.float64).requires_grad_()

    def run():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            value = triplet(z1, z2, mining=mining)
        return value, torch.autograd.grad(value, (z1, z2)), max(kept)

    value, grads, _ = run()
    monkeypatch.setattr(_blocks, "PAIRS", 500)
    blocked, blocked_grads, most = run()
    torch.testing.assert_close(blocked, value)
    torch.testing.assert_close(blocked_grads, grads)
    assert most <= 60 * 4
