"""A GIN in training as one step of autograd: what is kept of a large graph, and that it gives what modules give."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from graphcl.nn import GIN, SAGE, _fused

NODES, EDGES, WIDTH = 37, 150, 5


@pytest.fixture
def graph(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(NODES, WIDTH, generator=generator, dtype=torch.float64)
    return x, torch.randint(NODES, (2, EDGES), generator=generator)


@pytest.fixture(params=["large", "small"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph is one of which little is kept, in blocks that do not divide it; or none is."""
    monkeypatch.setattr(_fused, "LARGE", 0 if request.param == "large" else 2**40)
    monkeypatch.setattr(_fused, "BLOCK", 4 * WIDTH)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fused, "LARGE", 0)


def gradients(gin: GIN, x: Tensor, edge_index: Tensor, above: Tensor, **options: Any) -> list[Tensor]:
    out = gin(x, edge_index, splits=[20, NODES - 20])
    return [out, *torch.autograd.grad(out, [p for p in (x, *gin.parameters()) if p.requires_grad], above, **options)]


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("hidden", [WIDTH, 8])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("wanted", [False, True])
def test_it_gives_what_the_modules_give(
    norm: Any, hidden: int, layers: int, wanted: bool, graph: Any, generator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gin, (x, edge_index) = GIN(WIDTH, hidden, layers, norm=norm).double(), graph
    x.requires_grad_(wanted)
    above = torch.randn(NODES, hidden * layers, generator=generator, dtype=torch.float64)
    fused = gradients(gin, x, edge_index, above)
    assert "_Layers" in type(gin(x, edge_index).grad_fn).__name__
    monkeypatch.setattr("graphcl.nn.gin.is_fusible", lambda *_: False)
    torch.testing.assert_close(fused, gradients(gin, x, edge_index, above))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_gradients_can_be_asked_for_again(norm: Any, graph: Any, generator: torch.Generator) -> None:
    """The first time has overwritten what was kept."""
    gin, (x, edge_index) = GIN(WIDTH, 8, 2, norm=norm).double(), graph
    x.requires_grad_()
    out = gin(x, edge_index)
    before, above = out.detach().clone(), torch.randn(NODES, 16, generator=generator, dtype=torch.float64)
    first, second, third = (
        torch.autograd.grad(out, [x, *gin.parameters()], above, retain_graph=True) for _ in range(3)
    )
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first, third)
    assert not any(g.requires_grad for g in (*first, *second))
    twice = torch.autograd.grad(out, [x, *gin.parameters()], above, create_graph=True)
    torch.testing.assert_close(first, twice)
    assert twice[0].requires_grad and torch.equal(out, before)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("network", [lambda: GIN(64, 64, 2), lambda: SAGE(64, 64, 2)], ids=["GIN", "SAGE"])
def test_two_threads_may_go_back_at_once(network: Any, generator: torch.Generator, monkeypatch: Any) -> None:
    monkeypatch.setattr("graphcl.nn.sage.LARGE", 0)
    net, x = network().double(), torch.randn(3000, 64, generator=generator, dtype=torch.float64).requires_grad_()
    loss = net(x, torch.randint(3000, (2, 9000), generator=generator)).square().sum()

    def back(_: int) -> Any:
        return torch.autograd.grad(loss, [x, *net.parameters()], retain_graph=True)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(back, range(8)))
    for grads in found:
        torch.testing.assert_close(grads, back(0))


@pytest.mark.usefixtures("large")
def test_blocks_are_of_what_lies_between(generator: torch.Generator, monkeypatch: Any) -> None:
    """A graph of one feature has many rows and wide layers."""
    sizes, linear = [], torch.nn.functional.linear
    monkeypatch.setattr(_fused, "BLOCK", 160)
    monkeypatch.setattr(_fused.F, "linear", lambda x, *w: (sizes.append(len(x)), linear(x, *w))[1])
    gin = GIN(1, 16, 1, norm="none")
    gin(torch.randn(95, 1, generator=generator), torch.randint(95, (2, 200), generator=generator)).sum().backward()
    assert sizes == [10] * 9 + [5] + [10] * 9 + [5]


@pytest.mark.usefixtures("large")
def test_second_derivatives(graph: Any) -> None:
    gin, (x, edge_index) = GIN(WIDTH, 3, 1, norm="none").double(), graph
    assert torch.autograd.gradgradcheck(lambda x: gin(x, edge_index), (x.requires_grad_(),))


def kept(gin: GIN, x: Tensor, edge_index: Tensor) -> int:
    numbers = []
    with saved_tensors_hooks(lambda t: (numbers.append(t.numel()), t)[1], lambda t: t):
        gin(x, edge_index)
    return sum(numbers)


def test_less_is_kept_of_a_large_graph(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gin, (x, edge_index) = GIN(WIDTH, 8, 2, norm="none").double(), graph
    usual = kept(gin, x, edge_index)
    monkeypatch.setattr(_fused, "LARGE", 0)
    assert usual - kept(gin, x, edge_index) == 2 * NODES * 8  # what lies between the maps of two layers


@pytest.mark.usefixtures("large")
def test_under_checkpoints(graph: Any) -> None:
    gin, (x, edge_index) = GIN(WIDTH, 8, 2, norm="none").double(), graph
    x.requires_grad_()
    wanted = torch.autograd.grad(gin(x, edge_index).square().sum(), [x, *gin.parameters()])
    out = checkpoint(gin, x, edge_index, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(out.square().sum(), [x, *gin.parameters()]), wanted)


@pytest.mark.usefixtures("large")
def test_a_graph_without_nodes() -> None:
    gin = GIN(WIDTH, 8, 2, norm="none")
    out = gin(torch.ones(0, WIDTH), torch.empty(2, 0, dtype=torch.int64))
    out.sum().backward()
    assert out.shape == (0, 16) and all((p.grad == 0).all() for p in gin.parameters())
