"""The choice of an implementation, and that calls follow it."""

import sys

import pytest
import torch

from graphcl.similarity import engine, explain, logsumexp
from graphcl.similarity.explain import choose


def test_small_problems_are_dense_and_large_ones_tiled():
    assert choose(512, 512, 64).impl == "dense"
    assert choose(513, 512, 64).impl == "tiled"
    assert choose(16, 100_000, 64).impl == "tiled"
    assert choose(0, 0, 64).impl == "dense"


def test_what_is_asked_for_is_taken(monkeypatch):
    assert choose(10_000, 10_000, 64, "dense").reason == "asked for"
    assert choose(2, 2, 64, "tiled").impl == "tiled"
    assert choose(2, 2, 64, precision="bf16").impl == "tiled"
    monkeypatch.setattr(sys.modules[choose.__module__], "is_available", lambda: True)
    assert choose(2, 2, 64, device="cuda", precision="bf16").impl == "triton"  # which takes float16 for it


def test_memory_grows_linearly_in_tiles():
    assert choose(100_000, 100_000, 128, "tiled").bytes < 2e8 < choose(100_000, 100_000, 128, "dense").bytes


def test_says_why():
    text = str(explain(torch.ones(4096, 32), torch.ones(100, 32)))
    assert text.startswith("tiled: 4096 x 100 pairs are more than 262,144")
    assert explain(torch.ones(5, 2)) == choose(5, 5, 2)


@pytest.mark.parametrize("rows", [10, 600])
def test_calls_follow_it(rows, monkeypatch):
    called = []
    for name in ("_dense", "_tiled"):
        function = getattr(engine, name)
        monkeypatch.setattr(engine, name, lambda *a, n=name, f=function: (called.append(n), f(*a))[1])
    z = torch.ones(rows, 2)
    logsumexp(z, scale=1.0)
    assert called == [f"_{explain(z).impl}"]


def test_refusals():
    with pytest.raises(ValueError, match="expected impl to be 'auto', 'dense', 'tiled' or 'triton', got 'fast'"):
        explain(torch.eye(3), impl="fast")
    with pytest.raises(ValueError, match="expected precision to be 'float32', 'bf16' or 'fp16', got 'half'"):
        explain(torch.eye(3), precision="half")
    with pytest.raises(ValueError, match="expected precision='float32' with impl='dense'"):
        explain(torch.eye(3), impl="dense", precision="bf16")
