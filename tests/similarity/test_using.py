"""What calls take that leave implementation and precision open: the losses follow it, forward and backward."""

import subprocess
import sys
from contextlib import ExitStack

import pytest
import torch

from graphcl import losses
from graphcl.similarity import _operators, explain, logsumexp, logsumexp_both, ranks, using
from graphcl.similarity.using import settled


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precision of every pass through the tiles."""
    found: list[str] = []
    products = _operators.products
    monkeypatch.setattr(_operators, "products", lambda precision: (found.append(precision), products(precision))[1])
    return found


def rows(n: int = 600) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)


def test_blocks_nest_and_end() -> None:
    assert settled("auto", None) == ("auto", "float32")
    with using(impl="tiled"):
        with using(precision="bf16"):
            assert settled("auto", None) == ("tiled", "bf16")
            assert settled("dense", "float32") == ("dense", "float32")  # what a call names holds
        assert settled("auto", None) == ("tiled", "float32")
    with pytest.raises(KeyError), using(impl="dense"):
        raise KeyError
    assert settled("auto", None) == ("auto", "float32")


def test_blocks_of_two_threads_end_in_any_order() -> None:
    first, second = using(impl="dense"), using(precision="bf16")
    with ExitStack() as outer, ExitStack() as inner:
        outer.enter_context(first)
        inner.enter_context(second)
        outer.close()
        assert settled("auto", None) == ("auto", "bf16")
    assert settled("auto", None) == ("auto", "float32")


@pytest.mark.parametrize("loss", [losses.GRACE(), losses.InfoNCE(symmetric=True), losses.NTXent(), losses.DCL()])
def test_losses_follow_it_forward_and_backward(loss: torch.nn.Module, seen: list[str]) -> None:
    z1, z2 = rows(1500), rows(1500).flip(0).detach()  # more pairs than make one matrix
    plain = loss(z1, z2)
    (grad,) = torch.autograd.grad(plain, z1)
    assert set(seen) == {"float32"}
    seen.clear()
    with using(precision="bf16"):
        assert explain(z1).impl == "tiled"
        rounded = loss(z1, z2)
    (other,) = torch.autograd.grad(rounded, z1)  # outside: the backward pass is that of the forward pass
    assert set(seen) == {"bf16"} and len(seen) >= 2
    torch.testing.assert_close(rounded, plain, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(other, grad, rtol=0, atol=float(0.02 * grad.abs().max()))


def test_dense_gives_second_derivatives_of_a_loss_at_any_size() -> None:
    z = rows().double().detach().requires_grad_()

    def second() -> torch.Tensor:
        (grad,) = torch.autograd.grad(losses.GRACE()(z, z.roll(1, 0)), z, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), z)[0]

    with pytest.raises(RuntimeError, match="similarity.using"):
        second()
    with using(impl="dense"):
        assert bool(second().isfinite().all())


def test_both_and_ranks_follow_it(seen: list[str]) -> None:
    z = rows()
    with using(precision="bf16"):
        logsumexp_both(z, z + 1, scale=1.0)
        ranks.logsumexp(z, scale=1.0).sum().backward()
        ranks.logsumexp_both(z, z + 1, scale=1.0)
        assert set(seen) == {"bf16"}
        seen.clear()
        ranks.logsumexp(z, scale=1.0, precision="float32")
        logsumexp(z, scale=1.0, precision="float32", impl="tiled")
    assert set(seen) == {"float32"}


def test_a_compiled_step_notices_it() -> None:
    # In a process of its own: the shape checks that the tests switch on cannot be traced.
    program = """
import torch
from graphcl.similarity import logsumexp, using
z = torch.randn(600, 8)
graphs = []
def backend(graph, inputs):
    graphs.append(str(graph.code))
    return graph
step = torch.compile(lambda z: logsumexp(z, scale=2.0).sum(), fullgraph=True, backend=backend)
plain = step(z)
with using(impl="dense"):
    torch.testing.assert_close(step(z), plain)
with using(precision="bf16"):
    torch.testing.assert_close(step(z), plain, rtol=1e-3, atol=1e-3)
found = [("logsumexp_default" in code, "bf16" in code) for code in graphs]
assert found == [(True, False), (False, False), (True, True)], graphs
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)


def test_explain_knows_single_pairs() -> None:
    z, skip = rows(), torch.zeros(2, 1, dtype=torch.long)
    assert explain(z, skip=skip).impl == "tiled"
    with pytest.raises((ValueError, ImportError), match="impl='triton'"):
        explain(z, skip=skip, impl="triton")


def test_refusals() -> None:
    with pytest.raises(ValueError, match="expected impl to be 'auto', 'dense', 'tiled' or 'triton', got 'fast'"):
        with using(impl="fast"):  # type: ignore[arg-type]
            pass
    with pytest.raises(ValueError, match="expected precision to be"), using(precision="half"):  # type: ignore[arg-type]
        pass
    with using(impl="triton"), pytest.raises((ValueError, ImportError), match="impl='triton'"):
        losses.GRACE()(rows(4).double(), rows(4).double())
    with using(precision="fp16"), pytest.raises(ValueError, match="'float32' or 'bf16'"):
        ranks.logsumexp(rows(4), scale=1.0)
