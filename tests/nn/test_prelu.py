"""PReLU: torch's values and gradients."""

import pytest
import torch
from torch import nn

from graphcl.nn._prelu import PReLU


@pytest.mark.parametrize("slope", [0.25, 0.0, 1.5, -0.5])
@pytest.mark.parametrize("shape", [(7, 5), (0, 5), (3,)])
def test_is_torchs(slope, shape):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:1] = 0.0
    found = []
    for kind in (nn.PReLU, PReLU):
        module, own = kind(init=slope).double(), x.clone().requires_grad_()
        out = module(own)
        out.backward(torch.linspace(-1, 1, x.numel(), dtype=torch.float64).reshape(shape))
        found.append((out, own.grad, module.weight.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_several_slopes_and_other_types_are_torchs_own():
    many = PReLU(5)
    torch.testing.assert_close(many(-torch.ones(2, 5)), torch.full((2, 5), -0.25))
    with torch.no_grad():
        assert PReLU()(torch.tensor([-4.0])).item() == -1.0


def test_gradcheck():
    module = PReLU().double()
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(module, {"weight": w}, (x,)), (x, module.weight)
    )
