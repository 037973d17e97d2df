"""Gradients with a graph: of those that want one, also where one tensor is given twice; who reads what runs."""

import torch

from graphcl._twice import gradients_again, is_looked_into


def test_every_input_gets_its_own():
    x, frozen = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0])
    first, second, none, nothing = gradients_again(
        lambda a, b, c, d: a**2 * b * c, [x, x, frozen, None], torch.tensor([1.0])
    )
    assert (first.item(), second.item(), none, nothing) == (2 * 2 * 2 * 3, 4 * 3, None, None)
    assert torch.autograd.grad(first, x)[0].item() == (2 * x + 2 * x).item() * 3


def test_of_several_results():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    (found,) = gradients_again(lambda x: (x**2, x**3), [x], (torch.ones(2), torch.tensor([0.0, 1.0])))
    assert found.tolist() == [2 * 2, 2 * 3 + 3 * 3**2]
    assert torch.autograd.grad(found.sum(), x)[0].tolist() == [2, 2 + 6 * 3]


def test_transforms_and_forward_mode_look_into_what_runs():
    seen = []

    def function(x):
        seen.append(is_looked_into())
        return x.sum()

    x = torch.ones(2)
    function(x)
    torch.func.vmap(function)(x[None])
    torch.func.grad(function)(x)
    torch.func.jvp(function, (x,), (x,))
    with torch.autograd.forward_ad.dual_level():
        function(x)
    function(x)
    assert seen == [False, True, True, True, True, False]
