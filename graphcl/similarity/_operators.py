"""The tile loops as operators of torch, opaque to ``torch.compile``, with the shapes of their results and gradients."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from graphcl.similarity import _forward
from graphcl.similarity._backward import Wants, backward
from graphcl.similarity._pairs import Pairs
from graphcl.similarity._plan import Plan, make_plan
from graphcl.similarity._precision import products
from graphcl.similarity._tiles import Operands, is_bounded
from graphcl.similarity.triton import backward_triton, forward_triton, launching_on

__all__ = ["KERNELS", "expected_keys", "logsumexp", "refuse_second", "tile_shape"]

# Measured on a CPU with 2 MiB of second-level cache per core, where a tile of 1 MiB and its weights stay. Shapes from
# 128 x 512 to 1024 x 1024 are within a tenth of each other in float32; with AMX a height of 128 takes a third longer.
# Devices that pay for every launch rather than for cache misses get larger ones.
TILES = {"cpu": (256, 1024)}
LARGE_TILES = (2048, 4096)

# A precision that begins so names the format of the kernels of Triton instead.
KERNELS = "triton-"


def tile_shape(device: torch.device) -> tuple[int, int]:
    """Rows and columns of a tile; the columns are a multiple of the rows."""
    rows, columns = TILES.get(device.type, LARGE_TILES)
    if device.type == "cpu":
        # Many threads on one tile would wait for each other: from four on, the share of each stays what it is for two.
        rows *= min(1 << (torch.get_num_threads().bit_length() - 1), 16) // 2 or 1
    return rows, max(columns, rows)


def _operands(
    query: Tensor, key: Tensor | None, scale: Tensor, query_bias: Tensor | None, key_bias: Tensor | None
) -> Operands:
    if key is None:
        return Operands(query, query, scale, query_bias, query_bias)
    return Operands(query, key, scale, query_bias, key_bias)


def _by_kernels(operands: Operands, precision: str) -> bool:
    return precision.startswith(KERNELS) and operands.query.numel() > 0 and operands.key.numel() > 0


def _plan(operands: Operands, pairs: Pairs) -> Plan:
    rows, columns = tile_shape(operands.query.device)
    if len(pairs.only_query):
        columns = rows  # sorted groups leave little but the diagonal; narrow tiles follow it closely
    own = operands.query is operands.key
    return make_plan(len(operands.query), len(operands.key), pairs, triangle=own, rows=rows, columns=columns)


@torch.library.custom_op("graphcl::logsumexp", mutates_args=())
def logsumexp(
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    columns: bool,
    precision: str,
) -> tuple[Tensor, Tensor]:
    operands = _operands(query, key, scale, query_bias, key_bias)
    pairs = Pairs(exclude_query, exclude_key, only_query, only_key, skip)
    with torch.autocast(query.device.type, enabled=False), products(precision):
        if _by_kernels(operands, precision):
            with launching_on(query.device):
                rows, others = forward_triton(operands, pairs, columns=columns, format=precision.removeprefix(KERNELS))
        else:
            plan = _plan(operands, pairs)
            rows, others = _forward.forward(operands, plan, columns=columns, bounded=is_bounded(operands))
    return rows, query.new_empty(len(scale), 0) if others is None else others


@logsumexp.register_fake
def _(
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    columns: bool,
    precision: str,
) -> tuple[Tensor, Tensor]:
    count = query.size(0) if key is None else key.size(0)
    return query.new_empty(scale.size(0), query.size(0)), query.new_empty(scale.size(0), count if columns else 0)


@torch.library.custom_op("graphcl::logsumexp_backward", mutates_args=())
def logsumexp_backward(
    row_grad: Tensor,
    column_grad: Tensor,
    row_sums: Tensor,
    column_sums: Tensor,
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    columns: bool,
    precision: str,
    want_query: bool,
    want_key: bool,
    want_scale: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    operands = _operands(query, key, scale, query_bias, key_bias)
    pairs = Pairs(exclude_query, exclude_key, only_query, only_key, skip)
    sums = (row_grad, row_sums, column_grad if columns else None, column_sums if columns else None)
    wants = Wants(want_query, want_key, want_scale)
    with torch.autocast(query.device.type, enabled=False), products(precision):
        if _by_kernels(operands, precision):
            format = precision.removeprefix(KERNELS)
            with launching_on(query.device):
                grads = backward_triton(operands, pairs, *sums, format=format, wants=wants)
        else:
            plan = _plan(operands, pairs)
            grads = backward(operands, plan, *sums, bounded=is_bounded(operands), wants=wants)
    none = query.new_empty(0)
    bias = grads.key_bias if key is not None else None
    return (
        none if grads.query is None else grads.query,
        none.clone() if grads.key is None else grads.key,
        grads.scale,
        none.clone() if grads.query_bias is None else grads.query_bias,
        none.clone() if bias is None else bias,
    )


@logsumexp_backward.register_fake
def _(
    row_grad: Tensor,
    column_grad: Tensor,
    row_sums: Tensor,
    column_sums: Tensor,
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_bias: Tensor | None,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    columns: bool,
    precision: str,
    want_query: bool,
    want_key: bool,
    want_scale: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        torch.empty_like(query) if want_query else query.new_empty(0),
        torch.empty_like(key) if want_key and key is not None else query.new_empty(0),
        torch.empty_like(scale),
        query.new_empty(0) if query_bias is None else torch.empty_like(query_bias),
        query.new_empty(0) if key_bias is None or key is None else torch.empty_like(key_bias),
    )


@torch.library.custom_op("graphcl::expected_keys", mutates_args=())
def expected_keys(
    query: Tensor,
    key: Tensor,
    scale: Tensor,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    precision: str,
) -> tuple[Tensor, Tensor]:
    operands = Operands(query, key, scale, None, key_bias)
    plan = _plan(operands, Pairs(exclude_query, exclude_key, only_query, only_key, skip))
    with torch.autocast(query.device.type, enabled=False), products(precision):
        return _forward.expected_keys(operands, plan, bounded=is_bounded(operands))


@expected_keys.register_fake
def _(
    query: Tensor,
    key: Tensor,
    scale: Tensor,
    key_bias: Tensor | None,
    exclude_query: Tensor,
    exclude_key: Tensor,
    only_query: Tensor,
    only_key: Tensor,
    skip: Tensor,
    precision: str,
) -> tuple[Tensor, Tensor]:
    return query.new_empty(1, query.size(0)), torch.empty_like(query)


def save_logsumexp(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.columns, ctx.precision = inputs
    ctx.save_for_backward(*tensors, *output)


def logsumexp_gradient(
    ctx: Any, row_grad: Tensor, column_grad: Tensor, operator: Any = logsumexp_backward
) -> tuple[Any, ...]:
    """What every argument of :func:`logsumexp` gets."""
    *tensors, row_sums, column_sums = ctx.saved_tensors
    query, key, scale, query_bias, key_bias = tensors[:5]
    needs = ctx.needs_input_grad[:5]
    if not any(needs):
        return (None,) * 12
    grads = operator(
        row_grad,
        column_grad,
        row_sums,
        column_sums,
        *tensors,
        ctx.columns,
        ctx.precision,
        needs[0],
        needs[1],
        needs[2],
    )
    return *(grad if need else None for grad, need in zip(grads, needs, strict=True)), *(None,) * 7


def save_expected_keys(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, _, scale = inputs[:3]
    rows, mean = output
    ctx.mark_non_differentiable(mean)
    ctx.save_for_backward(query, scale, rows, mean)


@torch.library.custom_op("graphcl::expected_keys_backward", mutates_args=())
def expected_keys_backward(
    row_grad: Tensor, query: Tensor, scale: Tensor, rows: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor]:
    grad = row_grad[0].masked_fill(rows[0].isneginf(), 0)[:, None]
    along = (mean * query).sum(1, keepdim=True)
    return mean * (grad * scale), (grad * along).sum().reshape(1)


@expected_keys_backward.register_fake
def _(row_grad: Tensor, query: Tensor, scale: Tensor, rows: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(mean), torch.empty_like(scale)


def expected_keys_gradient(
    ctx: Any, row_grad: Tensor, _: Tensor, operator: Any = expected_keys_backward
) -> tuple[Any, ...]:
    """What every argument of :func:`expected_keys` gets."""
    query, scale, rows, mean = ctx.saved_tensors
    if ctx.needs_input_grad[1] or ctx.needs_input_grad[3]:
        raise RuntimeError("expected keys without a gradient here; use logsumexp_tiled for keys that need one")
    grads = operator(row_grad, query, scale, rows, mean)
    return grads[0], None, grads[1], *(None,) * 7


def save_nothing(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    pass


def refuse_second(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError(
        "expected one derivative of a similarity with impl='tiled' or 'triton', got a request for a second one, which "
        f"they do not have; use impl='dense' where gradients of gradients are needed{_FOR_A_LOSS}"
    )


def refuse_forward(*tensors: Tensor | None) -> None:
    """Refuse rows that carry a derivative along, as ``torch.func.jvp`` makes them."""
    if torch.compiler.is_compiling() or forward_ad._current_level < 0:
        return
    if any(z is not None and forward_ad.unpack_dual(z).tangent is not None for z in tensors):
        raise RuntimeError(
            "expected reverse-mode derivatives of a similarity with impl='tiled' or 'triton', got a request for a "
            f"forward-mode one, which they do not have; use impl='dense' there{_FOR_A_LOSS}"
        )


_FOR_A_LOSS = ", for a loss by `with graphcl.similarity.using(impl='dense'):` around it"


logsumexp.register_autograd(logsumexp_gradient, setup_context=save_logsumexp)
logsumexp_backward.register_autograd(refuse_second, setup_context=save_nothing)
expected_keys.register_autograd(expected_keys_gradient, setup_context=save_expected_keys)
expected_keys_backward.register_autograd(refuse_second, setup_context=save_nothing)
