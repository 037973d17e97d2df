import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graphcl.nn._autocast import bfloat16, rounded


def both(rows: int, bias: bool = True) -> list[list[torch.Tensor]]:
    """Output and gradients under our block and under torch's own autocast."""
    made = []
    for ours in (True, False):
        torch.manual_seed(rows)
        layer, x = nn.Linear(24, 40, bias=bias), torch.randn(rows, 24, requires_grad=True)
        with bfloat16("cpu") if ours else torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        (y.float() * torch.randn(rows, 40)).sum().backward()
        assert x.grad is not None
        made.append([y, x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)])
    return made


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 100, 257, 1025])
@pytest.mark.parametrize("bias", [True, False])
def test_as_torch_to_the_rounding_of_sums(rows: int, bias: bool) -> None:
    for got, expected in zip(*both(rows, bias), strict=True):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        torch.testing.assert_close(
            got.float(), expected.float(), rtol=2e-2, atol=2e-2 * float(expected.detach().abs().max())
        )


def test_few_shapes_for_many_sizes() -> None:
    sizes = range(17, 50_000)
    assert all(size <= rounded(size) <= size * 17 / 16 for size in sizes)
    assert len({rounded(size) for size in range(11_000, 13_500)}) <= 7
    assert len({rounded(size) for size in sizes}) <= 16 * 13


def test_memory_does_not_grow_with_the_number_of_sizes() -> None:
    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096 / 2**20

    layer = nn.Linear(64, 128)

    def step(rows: int) -> None:
        with bfloat16("cpu"):
            y = layer(torch.ones(rows, 64))
        y.float().sum().backward()

    for rows in range(3000, 3064):
        step(rows)
    before = resident()
    for rows in range(3064, 3464):
        step(rows)
    # 400 sizes by torch's own autocast cost 300 MB and more on a CPU with bfloat16 units.
    assert resident() - before < 60


def test_gradients_that_are_not_wanted_are_not_made() -> None:
    layer, x = nn.Linear(3, 2), torch.ones(4, 3)
    layer.weight.requires_grad_(False)
    with bfloat16("cpu"):
        layer(x).float().sum().backward()
    assert layer.weight.grad is None and torch.equal(layer.bias.grad, torch.full((2,), 4.0))


def test_other_products_are_left_alone() -> None:
    w = torch.ones(2, 3)
    with bfloat16("cpu"):
        assert F.linear(torch.ones(2, 5, 3), w).shape == (2, 5, 2)
        assert F.linear(torch.ones(3), w).shape == (2,)
        assert F.linear(torch.ones(0, 3), w).shape == (0, 2)
        assert F.linear(torch.ones(2, 3).double(), w.double()).dtype in (torch.float64, torch.bfloat16)
    with bfloat16("cpu", enabled=False):
        assert F.linear(torch.ones(2, 3), w).dtype == torch.float32


def test_matrix_products_count_as_linear_maps_and_may_be_changed_in_place() -> None:
    x, w = torch.randn(21, 6, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    with bfloat16("cpu"):
        for y in (x @ w, torch.matmul(x, w), F.linear(x, w.T)):
            x.grad = w.grad = None
            F.relu(y, inplace=True).float().sum().backward()
            positive = (x @ w > 0).float().detach()
            torch.testing.assert_close(w.grad, x.detach().T @ positive, rtol=0.1, atol=0.2, check_dtype=False)
            torch.testing.assert_close(x.grad, positive @ w.detach().T, rtol=0.1, atol=0.2, check_dtype=False)
        assert torch.matmul(torch.ones(3), torch.ones(3)).shape == ()
        assert (torch.ones(2, 3, 4) @ torch.ones(4, 2)).shape == (2, 3, 2)


def test_keyword_arguments() -> None:
    with bfloat16("cpu"):
        assert F.linear(input=torch.ones(2, 3), weight=torch.ones(2, 3), bias=None).dtype == torch.bfloat16


def test_second_derivatives_are_refused() -> None:
    x, w = torch.randn(5, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    with bfloat16("cpu"), pytest.raises(NotImplementedError, match="expected first derivatives alone"):
        torch.autograd.grad(F.linear(x, w).float().sum(), x, create_graph=True)
