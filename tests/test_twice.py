"""Gradients with a graph: of those that want one, also where one tensor is given twice."""

import torch

from graphcl._twice import gradients_again


def test_every_input_gets_its_own():
    x, frozen = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0])
    first, second, none, nothing = gradients_again(
        lambda a, b, c, d: a**2 * b * c, [x, x, frozen, None], torch.tensor([1.0])
    )
    assert (first.item(), second.item(), none, nothing) == (2 * 2 * 2 * 3, 4 * 3, None, None)
    assert torch.autograd.grad(first, x)[0].item() == (2 * x + 2 * x).item() * 3
