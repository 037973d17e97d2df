"""Mixed negatives: where they come from, what they cost, and that they are made again in backward."""

import math

import pytest
import torch

from graphcl.losses import _blocks
from graphcl.losses.functional import hard_mixing, moco


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def batch(generator, n=5, k=12, d=4):
    query, key = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return query, key, torch.randn(k, d, generator=generator, dtype=torch.float64)


def test_without_mixtures_it_is_moco(generator):
    query, key, queue = batch(generator)
    value = hard_mixing(query, key, queue, mixed=0, query_mixed=0)
    torch.testing.assert_close(value, moco(query, key, queue, temperature=0.2))


def test_equals_a_loop_where_all_mixtures_are_alike(generator):
    # From the one hardest key, every mixture of two keys is that key: a loop over queries with its count raised.
    query, key, queue = (torch.nn.functional.normalize(z) for z in batch(generator))
    total = 0.0
    for q, k in zip(query, key, strict=True):
        scores = [math.exp(float(q @ m) / 0.2) for m in queue]
        positive = math.exp(float(q @ k) / 0.2)
        total -= math.log(positive / (positive + sum(scores) + 7 * max(scores)))
    value = hard_mixing(query, key, queue, hardest=1, mixed=7, query_mixed=0)
    assert value.item() == pytest.approx(total / len(query))


def test_hand_computed():
    # One key at a right angle, T = 1; a mixture (b, 1 - b) with b < 1/2 has a cosine to the query between 0 and 0.7071.
    query = torch.tensor([[1.0, 0]])
    queue = torch.tensor([[0, 1.0]])
    for seed in range(20):
        value = hard_mixing(query, query, queue, temperature=1.0, mixed=0, query_mixed=1, generator=seeded(seed)).item()
        cosine = math.log(math.exp(value + 1) - math.e - 1)
        assert -1e-4 <= cosine < math.sqrt(0.5)


def test_shares_are_uniform(generator):
    # Query and key at a right angle: cosine = b / sqrt(b^2 + (1 - b)^2), so b can be read off every mixture.
    query, queue = torch.tensor([[1.0, 0]]).double(), torch.tensor([[0, 1.0]]).double()
    shares = []
    for seed in range(150):
        value = hard_mixing(query, query, queue, temperature=1.0, mixed=0, query_mixed=1, generator=seeded(seed))
        cosine = math.log(math.exp(value.item() + 1) - math.e - 1)
        ratio = cosine / math.sqrt(1 - cosine**2)  # b / (1 - b)
        shares.append(ratio / (1 + ratio))
    shares = torch.tensor(shares)
    assert 0 <= shares.min() and shares.max() < 0.5
    assert shares.mean().item() == pytest.approx(0.25, abs=0.03)
    assert shares.std().item() == pytest.approx(0.5 / math.sqrt(12), abs=0.02)


def test_mixes_only_the_hardest(generator):
    # Two keys near the query and many opposite to it: mixtures from the hardest two are near, so they cost.
    query = torch.tensor([[1.0, 0, 0]])
    near, far = torch.tensor([[1.0, 0.1, 0], [1.0, 0, 0.1]]), torch.tensor([[-1.0, 0.1, 0]]).repeat(50, 1)
    queue = torch.cat([far, near])
    hard = hard_mixing(query, query, queue, hardest=2, mixed=20, query_mixed=0)
    soft = hard_mixing(query, query, queue, hardest=52, mixed=20, query_mixed=0, generator=seeded(0))
    assert hard.item() == pytest.approx(math.log(1 + 22), abs=0.05)
    assert soft < hard


def test_gradient_treats_mixtures_as_constants(generator):
    query, key, queue = batch(generator)
    query.requires_grad_()
    (grad,) = torch.autograd.grad(hard_mixing(query, key, queue, mixed=3, query_mixed=3, generator=seeded(1)), query)
    # Tangent to the sphere, and against the negatives: a step down brings the key closer.
    torch.testing.assert_close((grad * query).sum(1), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)
    with torch.no_grad():
        assert torch.cosine_similarity(query - 0.05 * grad, key).mean() > torch.cosine_similarity(query, key).mean()


def test_blocks_change_nothing_and_keep_nothing(generator, monkeypatch):
    query, key, queue = batch(generator, n=40, k=60)
    query.requires_grad_()

    def run():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            value = hard_mixing(query, key, queue, hardest=10, mixed=30, query_mixed=20, generator=seeded(2))
        return value, torch.autograd.grad(value, query), max(kept)

    value, grad, most = run()
    assert most >= 40 * 50 * 4
    monkeypatch.setattr(_blocks, "PAIRS", 1000)
    blocked, blocked_grad, most = run()
    torch.testing.assert_close(blocked, value)
    torch.testing.assert_close(blocked_grad, grad)
    assert most <= 40 * 60  # the dense engine's; nothing of the size of all mixtures


def test_the_seed_decides(generator):
    query, key, queue = batch(generator)
    first, again, other = (
        hard_mixing(query, key, queue, mixed=4, query_mixed=4, generator=seeded(s)) for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


class TestExclude:
    def test_a_key_that_is_no_negative_might_as_well_not_be_there(self, generator):
        query, key, queue = batch(generator, n=1)
        barred = torch.tensor([3, 0, 3, 1, 2, 3, -1, 0, 3, 4, 5, 6])
        settings = {"hardest": 4, "mixed": 5, "query_mixed": 5}
        found = hard_mixing(query, key, queue, exclude=[(torch.tensor([3]), barred)], generator=seeded(1), **settings)
        torch.testing.assert_close(found, hard_mixing(query, key, queue[barred != 3], generator=seeded(1), **settings))

    def test_fewer_negatives_than_are_mixed_and_none_at_all(self, generator):
        query, key, queue = batch(generator, n=2, k=3)
        groups = [(torch.tensor([0, 1]), torch.tensor([0, 0, 0])), (torch.tensor([7, 8]), torch.tensor([9, 8, 8]))]
        query, key = query.requires_grad_(), key.requires_grad_()
        value = hard_mixing(query, key, queue, mixed=4, query_mixed=0, exclude=groups)
        score = [torch.cosine_similarity(query[1], other, dim=0) / 0.2 for other in (key[1], queue[0])]
        # The first has no negative and costs nothing; all mixtures of the second are its only one.
        wanted = torch.log(score[0].exp() + 5 * score[1].exp()) - score[0]
        torch.testing.assert_close(value, wanted / 2)
        value.backward()
        assert query.grad.isfinite().all() and query.grad[0].eq(0).all()

    def test_what_is_no_pair_is_refused(self, generator):
        with pytest.raises(ValueError, match=r"exclude\[0\]\[1\]"):
            hard_mixing(*batch(generator), exclude=[(torch.arange(5), torch.arange(5))])
