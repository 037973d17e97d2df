"""Pairwise logistic contrast against the formula of the paper written out as a double loop."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses import Logistic, _blocks
from graphcl.losses.functional import logistic


def literal(z1, z2, t, b, groups=None):
    """-1/N sum_i sum_j log( 1 / (1 + e^(z_ij (-t x_i y_j - b))) ) with z_ij = 1 on the diagonal, -1 elsewhere."""

    def cosine(x, y):
        dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
        return dot / math.sqrt(math.fsum(p * p for p in x) * math.fsum(q * q for q in y))

    total = 0.0
    for i, x in enumerate(z1.tolist()):
        for j, y in enumerate(z2.tolist()):
            if i != j and groups and groups[i] == groups[j]:
                continue
            sign = 1 if i == j else -1
            total -= math.log(1 / (1 + math.exp(sign * (-t * cosine(x, y) - b))))
    return total / len(z1)


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    t=st.sampled_from([1.0, 10.0, 50.0]),
    b=st.sampled_from([-10.0, 0.0, 2.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, t, b, seed):
    z1, z2 = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = logistic(z1, z2, scale=t, bias=b)
    assert value.item() == pytest.approx(literal(z1, z2, t, b), rel=1e-9, abs=1e-12)
    groups = [i // 2 for i in range(n)]
    value = logistic(z1, z2, scale=t, bias=b, exclude=[torch.tensor(groups)])
    assert value.item() == pytest.approx(literal(z1, z2, t, b, groups), rel=1e-9, abs=1e-12)


def test_hand_computed():
    # Orthogonal items, t = 2, b = -1: positive score 1, negative score -1: log(1 + 1/e) each.
    z = torch.eye(2, dtype=torch.float64)
    assert logistic(z, z, scale=2.0, bias=-1.0).item() == pytest.approx(2 * math.log1p(math.exp(-1)))


def test_scale_and_bias_get_gradients(generator):
    z1, z2 = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    scale, bias = torch.tensor(3.0, dtype=torch.float64), torch.tensor(-2.0, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda t, b: logistic(z1, z2, scale=t, bias=b), (scale.requires_grad_(), bias.requires_grad_())
    )


def test_module_learns_scale_and_bias(generator):
    z1, z2 = torch.randn(2, 8, 4, generator=generator)
    module = Logistic(scale=5.0, bias=-3.0)
    torch.testing.assert_close(module(z1, z2), logistic(z1, z2, scale=5.0, bias=-3.0))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    before = module(z1, z2)
    before.backward()
    optimizer.step()
    assert module(z1, z2) < before
    again = Logistic()
    again.load_state_dict(module.state_dict())
    torch.testing.assert_close(again(z1, z2), module(z1, z2))


def test_blocks_change_nothing_and_keep_nothing(generator, monkeypatch):
    z1, z2 = torch.randn(2, 60, 4, generator=generator, dtype=torch.float64).requires_grad_()
    scale = torch.tensor(7.0, dtype=torch.float64, requires_grad=True)

    def run():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            value = logistic(z1, z2, scale=scale)
        return value, torch.autograd.grad(value, (z1, z2, scale)), max(kept)

    value, grads, most = run()
    assert most == 60 * 60
    monkeypatch.setattr(_blocks, "PAIRS", 500)
    blocked, blocked_grads, most = run()
    torch.testing.assert_close(blocked, value)
    torch.testing.assert_close(blocked_grads, grads)
    assert most <= 60 * 4


@pytest.mark.parametrize("name", ["scale", "bias"])
def test_one_scale_and_one_bias(name):
    z = torch.eye(3)
    with pytest.raises(ValueError, match=rf"expected one {name} for all rows, got a tensor of shape \[3\]"):
        logistic(z, z, **{name: torch.ones(3)})


@pytest.mark.parametrize(("name", "learned"), [("scale", "log_scale"), ("bias", "bias_term")])
def test_a_tensor_is_refused_where_the_module_learns_its_own(name, learned):
    with pytest.raises(TypeError, match=rf"number, at which the parameter {learned} starts"):
        Logistic(**{name: torch.nn.Parameter(torch.tensor(2.0))})
