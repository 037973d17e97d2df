"""Contrast with a queue against equation 1 of the paper written out as a loop."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import moco


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(query, key, queue, tau, barred=lambda i, m: False):
    total = 0.0
    for i, (q, k) in enumerate(zip(query.tolist(), key.tolist(), strict=True)):
        positive = math.exp(cosine(q, k) / tau)
        rest = (math.exp(cosine(q, old) / tau) for m, old in enumerate(queue.tolist()) if not barred(i, m))
        total -= math.log(positive / (positive + math.fsum(rest)))
    return total / len(query)


@given(n=st.integers(1, 4), k=st.integers(1, 6), tau=st.sampled_from([0.07, 0.2, 1.0]), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(n, k, tau, seed):
    generator = torch.Generator().manual_seed(seed)
    query, key = torch.randn(2, n, 4, generator=generator, dtype=torch.float64)
    queue = torch.randn(k, 4, generator=generator, dtype=torch.float64)
    value = moco(query, key, queue, temperature=tau)
    assert value.item() == pytest.approx(literal(query, key, queue, tau), rel=1e-9, abs=1e-9)


def test_hand_computed():
    # cos to the key 0, to the queue 1 and -1, T = 1: log(1 + e + 1/e).
    query, key = torch.tensor([[2.0, 0]]), torch.tensor([[0, 3.0]])
    queue = torch.tensor([[1.0, 0], [-5, 0]])
    assert moco(query, key, queue, temperature=1.0).item() == pytest.approx(math.log(1 + math.e + 1 / math.e))


def test_excluded_keys_are_no_negatives(generator):
    query, key = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    queue = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    own, queued = torch.tensor([0, 1, -1]), torch.tensor([1, 0, -1, 0])
    value = moco(query, key, queue, temperature=0.2, exclude=[(own, queued)])
    wanted = literal(query, key, queue, 0.2, lambda i, m: own[i] == queued[m] and own[i] != -1)
    assert value.item() == pytest.approx(wanted)


def test_order_and_length_of_the_queue_do_not_matter(generator):
    query, key = torch.randn(2, 3, 4, generator=generator)
    queue = torch.randn(5, 4, generator=generator)
    torch.testing.assert_close(moco(query, key, 3 * queue.flip(0)), moco(query, key, queue))


def test_the_other_keys_of_the_batch_are_no_negatives(generator):
    query, key = torch.randn(2, 3, 4, generator=generator)
    queue = torch.randn(5, 4, generator=generator)
    alone = torch.stack([moco(query[i : i + 1], key[i : i + 1], queue) for i in range(3)])
    torch.testing.assert_close(moco(query, key, queue), alone.mean())


def test_refusals(generator):
    query, key = torch.randn(2, 3, 4, generator=generator)
    with pytest.raises(ValueError, match="expected queue with at least 1 row, got 0"):
        moco(query, key, torch.zeros(0, 4))
    with pytest.raises(ValueError, match="expected query and key and queue of one width D"):
        moco(query, key, torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"expected exclude\[0\]\[1\] of shape \[2\]"):
        moco(query, key, torch.zeros(2, 4), exclude=[(torch.arange(3), torch.arange(3))])


def test_groups_come_in_pairs():
    z = torch.eye(3)
    with pytest.raises(TypeError, match=r"expected exclude\[0\] to be a pair of group vectors, .* got Tensor"):
        moco(z, z, z, exclude=[torch.arange(3)])
