"""Sums over pairs block by block: the same values and derivatives, and a process that does not grow."""

import subprocess
import sys

import pytest
import torch

from graphcl.losses import _blocks
from graphcl.losses._blocks import by_blocks


def squares(query, number, key, scale):
    return ((scale * query @ key.T).sin() * number[:, None]).sum(1)


@pytest.fixture
def inputs(generator):
    query, key = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    scale = torch.tensor(0.7, dtype=torch.float64)
    return [z.clone().requires_grad_() for z in (query, key, scale)]


def blocked(query, key, scale):
    return by_blocks(squares, [query, torch.arange(len(query))], [key, scale], columns=len(key))


@pytest.mark.parametrize("pairs", [7, 14, 21, 48])
def test_derivatives_of_both_orders(inputs, pairs, monkeypatch):
    whole = blocked(*inputs)
    monkeypatch.setattr(_blocks, "PAIRS", pairs)
    torch.testing.assert_close(blocked(*inputs), whole)
    assert torch.autograd.gradcheck(blocked, inputs)
    assert torch.autograd.gradgradcheck(blocked, inputs)


def test_several_gradients_at_once(inputs, monkeypatch):
    whole, several = blocked(*inputs), torch.eye(7, dtype=torch.float64)[:3]
    wanted = torch.autograd.grad(whole, inputs, several, is_grads_batched=True)
    monkeypatch.setattr(_blocks, "PAIRS", 14)
    found = torch.autograd.grad(blocked(*inputs), inputs, several, is_grads_batched=True)
    torch.testing.assert_close(found, wanted)


def test_rows_among_themselves(inputs, monkeypatch):
    monkeypatch.setattr(_blocks, "PAIRS", 14)
    query, _, scale = inputs
    assert torch.autograd.gradcheck(lambda z: blocked(z, z, scale), [query])


@pytest.mark.parametrize("constant", [0, 1, 2])
def test_what_needs_no_gradient_gets_none(inputs, constant, monkeypatch):
    monkeypatch.setattr(_blocks, "PAIRS", 14)
    inputs[constant] = inputs[constant].detach()
    assert torch.autograd.gradcheck(blocked, inputs)
    with torch.no_grad():
        assert not blocked(*inputs).requires_grad


MEMORY = """
import resource, torch
from graphcl.losses.functional import logistic, margin_contrastive, triplet

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

few = torch.randn(2, 1500, 8, requires_grad=True)
many = torch.randn(2, 9000, 8, requires_grad=True)
for z in (few, many):
    if z is many:
        before = most()
    for loss in (logistic, margin_contrastive, lambda a, b: triplet(a, b, mining="all")):
        loss(*z).backward()
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes as Linux does")
def test_the_process_grows_with_the_rows_and_not_with_their_pairs():
    # 9,000 rows have 309 MiB of pairs. What a block kept once made the memory of the next one unfit for it.
    result = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert float(result.stdout) < 120
