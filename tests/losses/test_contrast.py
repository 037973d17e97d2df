"""The mean cost on one matrix against the same by log-sums, in value and in all gradients."""

import pytest
import torch

from graphcl.losses import _contrast
from graphcl.losses._contrast import mean_contrast
from graphcl.similarity import using


def rows(count, generator):
    return torch.randn(count, 3, generator=generator, dtype=torch.float64).requires_grad_()


def cases(generator):
    """Names, and what is handed over: query, key, groups and more."""
    six, item = torch.arange(6), torch.arange(4)
    label, others = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 5, 1, 2])
    query, key, both = rows(4, generator), rows(4, generator), rows(8, generator)
    views = (item.repeat(2), label.repeat(2))
    yield "views", query, key, [(item, item)], {}
    yield "groups", query, key, [(item, item), (label, others), (label, label)], {}
    yield "symmetric", query, key, [(item, item), (label, others)], {"symmetric": True}
    yield "nothing left", query, key, [(item, item), (0 * item, 0 * item)], {"symmetric": True}
    yield "copies", both, both, [(v, v) for v in views], {"copies": 2}
    yield "assigned", rows(9, generator), key, [(torch.tensor([3, 0, 1, 2, 0, 0, 3, 1, 1]), item)], {}
    positive = torch.randn(4, generator=generator, dtype=torch.float64).requires_grad_()
    yield "apart", query, rows(6, generator), [], {"positive": positive}
    yield "apart, groups", query, rows(6, generator), [(item, six), (label, six)], {"positive": positive}


@pytest.mark.parametrize("inside", [True, False])
def test_one_matrix_gives_what_sums_give(inside, generator):
    for name, query, key, groups, more in cases(generator):
        scale = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
        inputs = [query, *([] if key is query else [key]), scale, *([more["positive"]] if "positive" in more else [])]
        found = mean_contrast(query, key, groups, scale=scale, positive_in_denominator=inside, **more)
        assert type(found.grad_fn).__name__ == "_ContrastBackward"
        with using(impl="tiled"):
            wanted = mean_contrast(query, key, groups, scale=scale, positive_in_denominator=inside, **more)
        torch.testing.assert_close(found, wanted, msg=name)
        grads = torch.autograd.grad(found, inputs, retain_graph=True)
        torch.testing.assert_close(grads, torch.autograd.grad(wanted, inputs), msg=name)
        two = torch.tensor([1.0, 2.0], dtype=torch.float64)
        batched = torch.autograd.grad(found, inputs, two, is_grads_batched=True)
        torch.testing.assert_close([grad[1] for grad in batched], [2 * grad for grad in grads], msg=name)


@pytest.mark.parametrize("inside", [True, False])
def test_second_derivatives(inside, generator):
    for _, query, key, groups, more in cases(generator):
        positive = more.pop("positive", None)
        scale = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)

        def function(query, key, scale, positive, groups=groups, more=more):
            settings = {"positive_in_denominator": inside, **more}
            return mean_contrast(query, key, groups, scale=scale, positive=positive, **settings)

        assert torch.autograd.gradgradcheck(function, (query, key, scale, positive))


def test_many_pairs_are_left_to_tiles(generator, monkeypatch):
    query, item = rows(4, generator), torch.arange(4)
    monkeypatch.setattr(_contrast, "PAIRS", 15)
    value = mean_contrast(query, query.flip(0), [(item, item)], scale=2.0)
    assert type(value.grad_fn).__name__ != "_ContrastBackward"
