"""PReLU against torch's."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graphcl.nn import PReLU


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.5])
@pytest.mark.parametrize("shape", [(50, 6), (0, 3), (7,)])
def test_equals_torchs(slope, shape, generator):
    ours, theirs = PReLU(slope).double(), nn.PReLU(init=slope).double()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    x.view(-1)[:2] = 0.0  # at the kink both take the lower side
    x.requires_grad_()
    weight = torch.randn(shape, generator=generator, dtype=torch.float64)
    values = [module(x) for module in (ours, theirs)]
    torch.testing.assert_close(*values)
    found, wanted = (
        torch.autograd.grad(value, [x, *module.parameters()], weight, retain_graph=True)
        for value, module in zip(values, (ours, theirs), strict=True)
    )
    torch.testing.assert_close(found, wanted)
    # Once more with a graph of the gradients, which takes another way.
    found = torch.autograd.grad(values[0], [x, *ours.parameters()], weight, create_graph=True)
    torch.testing.assert_close([g.detach() for g in found], list(wanted))


def test_strided_input_and_gradient(generator):
    ours, x = PReLU(), torch.randn(6, 8, generator=generator).requires_grad_()
    weight = torch.randn(4, 6, generator=generator).T
    found = torch.autograd.grad(ours(x[:, ::2]), [x, ours.weight], weight)
    wanted = torch.autograd.grad(F.prelu(x[:, ::2], ours.weight), [x, ours.weight], weight)
    torch.testing.assert_close(found, wanted)


def test_gradients_in_double_precision(generator):
    x = torch.randn(9, 2, generator=generator, dtype=torch.float64).requires_grad_()
    slope = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)

    def function(x, slope):
        return torch.func.functional_call(PReLU().double(), {"weight": slope}, (x,))

    assert torch.autograd.gradcheck(function, (x, slope))
    assert torch.autograd.gradgradcheck(function, (x, slope))


def test_frozen_slope_and_fixed_input(generator):
    ours, x = PReLU(), torch.randn(5, 2, generator=generator)
    ours(x).sum().backward()
    torch.testing.assert_close(ours.weight.grad, x.clamp(max=0).sum().view(1))
    frozen = copy.deepcopy(ours).requires_grad_(False)
    leaf = x.clone().requires_grad_()
    frozen(leaf).sum().backward()
    torch.testing.assert_close(leaf.grad, torch.where(x > 0, 1.0, 0.25))


def test_evaluation_and_low_precision(generator):
    ours, x = PReLU(), torch.randn(5, 2, generator=generator)
    with torch.no_grad():
        assert torch.equal(ours(x), F.prelu(x, ours.weight))
    with torch.autocast("cpu", torch.bfloat16):
        low = ours(x.bfloat16())
    torch.testing.assert_close(low.float(), ours(x), rtol=0.02, atol=0.02)


def test_states_are_torchs():
    ours, theirs = PReLU(0.1), nn.PReLU(init=0.7)
    ours.load_state_dict(theirs.state_dict())
    assert ours.weight.item() == theirs.weight.item()
    ours.reset_parameters()
    assert ours.weight.item() == pytest.approx(0.1)
