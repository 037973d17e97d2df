import pytest
import torch

from graphcl.losses._columns import gram, unit_columns


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_lengths_are_exact_however_long_the_columns_are(offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(200_000, 3, generator=generator, dtype=torch.float64) + offset
    wide = unit_columns(z)
    assert torch.allclose(wide.square().sum(0), torch.ones(3, dtype=torch.float64))
    narrow = unit_columns(z.float())
    # The mean of so many rounds, which moves all of a column alike; its length it does not change.
    assert (narrow.double().square().sum(0) - 1).abs().max() < 2e-6
    assert (narrow - wide).abs().max() < 2e-4 * wide.abs().max()


def test_constant_columns_become_zero_without_gradient() -> None:
    z = torch.stack([torch.full((7,), 0.1), torch.zeros(7), torch.arange(7.0)], 1).requires_grad_()
    unit = unit_columns(z)
    assert unit[:, :2].eq(0).all()
    assert unit[:, 2].square().sum().item() == pytest.approx(1)
    (unit * torch.randn(7, 3)).sum().backward()
    assert z.grad is not None
    assert z.grad[:, :2].eq(0).all()
    assert z.grad.isfinite().all()


def test_columns_too_long_for_their_squares_are_nan() -> None:
    assert unit_columns(torch.tensor([[1e30, 1.0], [-1e30, 2.0]])).isnan().all(0).tolist() == [True, False]


@pytest.mark.parametrize("function", [unit_columns, gram])
def test_derivatives_of_both_orders(function: object) -> None:
    z = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(function, z)
    assert torch.autograd.gradgradcheck(function, z)


def test_the_product_with_itself_is_that_of_torch_under_transforms_too() -> None:
    z = torch.randn(4, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(torch.func.vmap(gram)(z), z.mT @ z)
    found = torch.func.vmap(torch.func.grad(lambda a: gram(a).sin().sum()))(z)
    inputs = z.clone().requires_grad_()
    (inputs.mT @ inputs).sin().sum().backward()
    assert torch.allclose(found, inputs.grad)


def test_autocast_rounds_neither_the_product_nor_its_gradient() -> None:
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    plain = torch.autograd.grad(gram(z).square().sum(), z)[0]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gram(z)
        again = torch.autograd.grad(rounded.square().sum(), z)[0]
    assert rounded.dtype == torch.float32
    assert torch.equal(plain, again)
