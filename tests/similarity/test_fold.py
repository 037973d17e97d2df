"""Rows at length one, with a gradient by hand."""

import pytest
import torch

from graphcl.similarity._fold import unit_rows


def test_rows_of_no_length_and_of_too_much(generator):
    rows = torch.randn(3, 4, generator=generator)
    rows[1], rows[2] = 0, 1e25
    rows.requires_grad_()
    unit = unit_rows(rows)
    assert (unit[1] == 0).all()
    assert unit[2].isnan().all()
    (grad,) = torch.autograd.grad(unit[:2].sum(), rows)
    assert (grad[1] == 0).all()


def test_derivatives_of_both_orders(generator):
    rows = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(unit_rows(rows), torch.nn.functional.normalize(rows))
    assert torch.autograd.gradcheck(unit_rows, rows)
    assert torch.autograd.gradgradcheck(unit_rows, rows)
    weights = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    (batched,) = torch.autograd.grad(unit_rows(rows), rows, weights, is_grads_batched=True)
    wanted = [torch.autograd.grad(unit_rows(rows), rows, weight)[0] for weight in weights]
    torch.testing.assert_close(batched, torch.stack(wanted))


def test_forward_mode(generator):
    rows, along = (torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    with torch.autograd.forward_ad.dual_level():
        found = torch.autograd.forward_ad.unpack_dual(unit_rows(torch.autograd.forward_ad.make_dual(rows, along)))
    torch.testing.assert_close(found.tangent, torch.func.jvp(unit_rows, (rows,), (along,))[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rows_too_short_for_their_squares_are_rows_of_zeros(dtype):
    least = 16 * torch.finfo(dtype).tiny ** 0.5
    z = torch.tensor([[3.0, 4.0]] * 3, dtype=dtype) * torch.tensor([[least / 5.1], [least / 4.9], [0.0]], dtype=dtype)
    z.requires_grad_()
    unit = unit_rows(z)
    torch.testing.assert_close(unit, torch.tensor([[0.0, 0.0], [0.6, 0.8], [0.0, 0.0]], dtype=dtype))
    unit[:, 0].sum().backward()
    assert z.grad[0].eq(0).all() and z.grad[2].eq(0).all()
