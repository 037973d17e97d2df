"""Log-sum-exp over all pairs, tile by tile: memory linear in the rows, on any device.

The tiles are made again in the backward pass, from the rows and one number per row; the matrix of pairs is never held.
"""

from typing import Any

import torch
from torch import Tensor

from graphcl.similarity import _operators
from graphcl.similarity._pairs import Pairs

__all__ = ["expected_keys_tiled", "is_transformed", "logsumexp_tiled"]


def logsumexp_tiled(
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    pairs: Pairs,
    *,
    columns: bool,
    precision: str,
) -> tuple[Tensor, Tensor]:
    """Log-sums of rows ``[S, M]`` and, with ``columns``, of columns ``[S, N]`` (else ``[S, 0]``).

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``; None for the query itself, whose bias then stands on both sides.
        scale: ``[S]``.
        query_bias: ``[S, M]`` or None, added to the exponents of a row.
        key_bias: ``[S, N]`` or None.
        pairs: What does not count.
        columns: Whether to sum the columns too.
        precision: ``"float32"`` or ``"bf16"``.
    """
    arguments = (query, key, scale, query_bias, key_bias, *pairs, columns, precision)
    return _call(_Logsumexp, arguments) if is_transformed() else _operators.logsumexp(*arguments)


def expected_keys_tiled(
    query: Tensor, key: Tensor, scale: Tensor, key_bias: Tensor | None, pairs: Pairs, *, precision: str
) -> tuple[Tensor, Tensor]:
    """Log-sums ``[1, M]`` and the mean key of each row under its softmax ``[M, D]``: all that the backward pass needs.

    For keys without gradient. One pass over the pairs, and none backward.
    """
    arguments = (query, key, scale, key_bias, *pairs, precision)
    return _call(_ExpectedKeys, arguments) if is_transformed() else _operators.expected_keys(*arguments)


def is_transformed() -> bool:
    """Whether a transform of ``torch.func`` is on: it asks for functions, and refuses operators with a gradient."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def _call(function: type[torch.autograd.Function], arguments: tuple[Any, ...]) -> Any:
    return function.apply(*arguments)


class _OneByOne(torch.autograd.Function):
    """Under ``torch.func.vmap``: one call for each item."""

    @classmethod
    def vmap(cls, info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        results = [
            _call(cls, tuple(x if d is None else x.select(d, i) for x, d in zip(inputs, in_dims, strict=True)))
            for i in range(info.batch_size)
        ]
        stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
        return stacked, (0,) * len(stacked)


class _Once(_OneByOne):
    """A gradient, which has none of its own."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> None:
        _operators.refuse_second(ctx, *grads)


class _Logsumexp(_OneByOne):
    """The operator for the transforms of ``torch.func``."""

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        return _operators.logsumexp(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _operators.save_logsumexp(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, row_grad: Tensor, column_grad: Tensor) -> tuple[Any, ...]:
        return _operators.logsumexp_gradient(ctx, row_grad, column_grad, _LogsumexpBackward.apply)


class _LogsumexpBackward(_Once):
    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        return _operators.logsumexp_backward(*inputs)


class _ExpectedKeys(_OneByOne):
    """The operator for the transforms of ``torch.func``."""

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        return _operators.expected_keys(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _operators.save_expected_keys(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, row_grad: Tensor, mean_grad: Tensor) -> tuple[Any, ...]:
        return _operators.expected_keys_gradient(ctx, row_grad, mean_grad, _ExpectedKeysBackward.apply)


class _ExpectedKeysBackward(_Once):
    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        return _operators.expected_keys_backward(*inputs)
