"""The whole matrix of similarities: which pairs are barred, and what a row without any gives."""

import math

import pytest
import torch

from graphcl.similarity.dense import barred_pairs, logsumexp_dense, logsumexps_dense


def rows(count, width, generator, dtype=torch.float64):
    return torch.randn(count, width, generator=generator, dtype=dtype)


class TestBarredPairs:
    def test_nothing_barred_by_default(self):
        barred = barred_pairs(torch.zeros(2, 1), torch.zeros(3, 1), [], None, None)
        assert barred.shape == (2, 3)
        assert not barred.any()

    def test_exclude_is_a_union(self):
        query, key = torch.zeros(3, 1), torch.zeros(3, 1)
        own = (torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]))
        label = (torch.tensor([7, 7, 8]), torch.tensor([8, 7, 9]))
        barred = barred_pairs(query, key, [own, label], None, None)
        assert barred.tolist() == [[True, True, False], [False, True, False], [True, False, True]]

    def test_only_and_skip(self):
        query, key = torch.zeros(2, 1), torch.zeros(3, 1)
        only = (torch.tensor([0, 1]), torch.tensor([0, 0, 1]))
        barred = barred_pairs(query, key, [], only, torch.tensor([[0], [1]]))
        assert barred.tolist() == [[False, True, True], [True, True, False]]


class TestLogsumexpDense:
    def test_hand_computed(self):
        query, key = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        barred = barred_pairs(query, key, [], None, torch.tensor([[0], [2]]))
        (value,) = logsumexp_dense(query, key, 2.0, barred)
        assert value.item() == pytest.approx(math.log(math.exp(2.0) + 1.0), rel=1e-6)

    def test_empty_row_is_minus_infinity_without_gradient(self, generator):
        query = rows(3, 4, generator).requires_grad_()
        key = rows(5, 4, generator).requires_grad_()
        only = (torch.tensor([0, 1, 2]), torch.tensor([0, 0, 2, 2, 2]))  # query 1 has no key
        (value,) = logsumexp_dense(query, key, 3.0, barred_pairs(query, key, [], only, None))
        assert value[1] == -math.inf
        assert value[[0, 2]].isfinite().all()
        value[[1, 2]].sum().backward()
        assert (query.grad[1] == 0).all()
        assert (key.grad[:2] == 0).all()
        assert key.grad[2:].isfinite().all()
        assert (key.grad[2:] != 0).all()

    def test_second_derivatives_with_an_empty_row(self, generator):
        query, key = rows(3, 4, generator).requires_grad_(), rows(5, 4, generator).requires_grad_()
        only = (torch.tensor([0, 1, 2]), torch.tensor([0, 0, 2, 2, 2]))
        barred = barred_pairs(query, key, [], only, None)

        def function(query, key):
            return logsumexp_dense(query, key, 3.0, barred)[0].clamp(min=-100)

        assert torch.autograd.gradcheck(function, (query, key))
        assert torch.autograd.gradgradcheck(function, (query, key))

    @pytest.mark.parametrize("count", [0, 3])
    def test_no_keys_at_all(self, count):
        (value,) = logsumexp_dense(torch.ones(count, 2), torch.ones(0, 2), 1.0, torch.zeros(count, 0, dtype=torch.bool))
        assert value.tolist() == [-math.inf] * count


@pytest.mark.parametrize("dims", [(1,), (1, 0)])
@pytest.mark.parametrize("scales", [[2.0], [3.0, 0.5]])
def test_the_backward_pass_by_hand_is_that_of_the_formula(dims, scales, generator):
    query, key = rows(4, 3, generator).requires_grad_(), rows(6, 3, generator).requires_grad_()
    scale = torch.tensor(scales, dtype=torch.float64, requires_grad=True)
    biases = [rows(len(scales), n, generator).requires_grad_() for n in (4, 6)]
    only = (torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 2, 2, 3, 3]))  # query 1 and keys 4, 5 meet nothing
    barred, inputs = barred_pairs(query, key, [], only, None), (query, key, scale, *biases)
    found = logsumexps_dense(*inputs, barred, dims)
    each = [logsumexp_dense(query, key, *of, barred, b, c, dims) for *of, b, c in zip(scale, *biases, strict=True)]
    wanted = [torch.stack(side) for side in zip(*each, strict=True)]
    weights = [torch.randn(side.shape, generator=generator, dtype=side.dtype) for side in wanted]
    torch.testing.assert_close(list(found), wanted)
    grads = [torch.autograd.grad(sides, inputs, weights, retain_graph=True) for sides in (found, wanted)]
    torch.testing.assert_close(*grads)
    several = [torch.stack([w, 2 * w]) for w in weights]
    batched = torch.autograd.grad(found, inputs, several, is_grads_batched=True)
    torch.testing.assert_close([grad[1] for grad in batched], [2 * grad for grad in grads[1]])


def test_a_backward_pass_inside_autocast_is_in_full_precision(generator):
    query, key = rows(4, 3, generator, torch.float32).requires_grad_(), rows(6, 3, generator, torch.float32)
    (sums,) = logsumexps_dense(query, key, torch.ones(1), None, None, barred_pairs(query, key, [], None, None), (1,))
    outside = torch.autograd.grad(sums.sum(), query, retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        inside = torch.autograd.grad(sums.sum(), query)
    assert torch.equal(*outside, *inside)


def test_second_derivatives_inside_autocast_are_in_full_precision(generator):
    query, key = rows(4, 3, generator, torch.float32).requires_grad_(), rows(6, 3, generator, torch.float32)
    barred = barred_pairs(query, key, [], None, None)

    def second():
        (sums,) = logsumexps_dense(query, key, torch.ones(1), None, None, barred, (1,))
        (first,) = torch.autograd.grad(sums.sum(), query, create_graph=True)
        return first.square().sum()

    with torch.autocast("cpu", torch.bfloat16):
        inside = second()
    torch.testing.assert_close(torch.autograd.grad(inside, query), torch.autograd.grad(second(), query))
