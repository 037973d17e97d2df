"""What the losses on the dimensions of embeddings do with their columns: length one, and products with each other."""

from typing import Any

import torch
from torch import Tensor

from graphcl._twice import is_looked_into
from graphcl.similarity._fold import at_length_one
from graphcl.similarity._precision import full_precision, product

__all__ = ["gram", "unit_columns"]


def unit_columns(z: Tensor) -> Tensor:
    """The centred columns at length one, in float32 or better; a constant column becomes zero, without gradient.

    A column that is too long for its squares to be summed becomes NaN: a diverged network must be seen in the loss.
    """
    z = z.to(torch.promote_types(torch.float32, z.dtype))
    mean = z.mean(0, keepdim=True)
    # What is left of a constant column is rounding error, which must not be blown up to length one.
    numbers = torch.finfo(z.dtype)
    noise, beside = (4 * numbers.eps) ** 2, z.size(0) * mean.detach().square()

    def lengths(centred: Tensor) -> Tensor:
        # torch's norm down the columns adds one number after another: slow, and the worse the longer they are.
        squares = centred.square().sum(0, keepdim=True)
        squares = squares.add(squares, alpha=0)  # infinity becomes NaN
        constant = squares <= (noise * (squares + beside)).clamp(min=256 * numbers.tiny)
        return squares.masked_fill(constant, torch.inf).sqrt()

    return at_length_one(z - mean, lengths, 0)


def gram(z: Tensor) -> Tensor:
    """``z.T @ z``, ``[D, D]``, in full precision; of both factors being one, the gradient is one product, not two."""
    if is_looked_into():
        return product(z.T, z)
    result: Tensor = _Gram.apply(z)  # type: ignore[no-untyped-call]
    return result


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        with full_precision(z):
            return z.T @ z

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        with full_precision(z):
            return z @ (grad + grad.T)
