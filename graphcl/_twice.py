"""What computes its first derivatives by hand: when it may, and its second ones."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["gradients_again", "is_first", "is_looked_into"]


def is_looked_into() -> bool:
    """Whether a compiler, a transform of ``torch.func`` or forward-mode differentiation reads what runs.

    They take formulas, and no backward pass that is written by hand.
    """
    if torch.compiler.is_compiling():
        return True
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_first(once: list[bool] | None) -> bool:
    """Whether nobody has asked before, in any thread: what may be overwritten once is marked by a list of one entry.

    Example:
        >>> once = [True]
        >>> is_first(once), is_first(once), is_first(None)
        (True, False, True)
    """
    try:
        return once is None or once.pop()
    except IndexError:
        return False


def gradients_again(
    function: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    grad: Tensor | Sequence[Tensor],
) -> list[Tensor | None]:
    """The gradients of ``function(*inputs)`` as functions that have gradients themselves.

    For a backward pass with ``create_graph=True``: what a kernel has written has none, and torch would take that for
    zero without a word.

    Args:
        function: The formula, in operations that torch can differentiate twice.
        inputs: What it was called with; those that require gradients get one.
        grad: The gradient of the result, or of each of several.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> gradients_again(torch.sin, [x], torch.ones(2))[0].requires_grad
        True
    """
    views = [z if z is None else z.view_as(z) for z in inputs]  # one tensor in two places is two here
    needed = [z for z in views if z is not None and z.requires_grad]
    given = iter(torch.autograd.grad(function(*views), needed, grad, create_graph=True))
    return [next(given) if z is not None and z.requires_grad else None for z in views]
