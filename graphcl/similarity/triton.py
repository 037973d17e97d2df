"""Log-sum-exp over all pairs by the kernels of Triton, for CUDA: every tile of pairs lives and dies on the chip.

Rows are scaled once, so that a product of two is an exponent of two, and rounded to what the tensor cores multiply. The
backward pass goes over strips of rows and owns what it writes: nothing is added atomically, so the same call gives the
same bits. Nothing waits for the device, and a call can be captured in a CUDA graph.
"""

from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._backward import Gradients, Wants
from graphcl.similarity._pairs import Pairs
from graphcl.similarity._rounded import LOG2_E, Barred, Prepared, barred_of, prepare
from graphcl.similarity._tiles import Operands
from graphcl.similarity._tilings import FORMATS, RESULT, Tiling, tilings_for

__all__ = ["backward_triton", "forward_triton", "is_available", "launching_on", "rounding"]

# Weights of pairs are multiplied by this before they are rounded: one of N shares is then a normal number in float16.
LIFT = 2.0**14

OLDEST = (3, 5)  # earlier ones stop with an error of their own at these kernels


def _is_installed() -> bool:
    """Whether there is a Triton that can compile the kernels; a build whose version cannot be told is taken for one."""
    if find_spec("triton") is None:
        return False
    try:
        numbers = version("triton").split(".")[:2]
        return tuple(map(int, numbers)) >= OLDEST
    except (PackageNotFoundError, ValueError):
        return True


AVAILABLE = _is_installed()  # once, because torch.compile cannot look


def is_available() -> bool:
    """Whether there is a Triton of version 3.5 or newer."""
    return AVAILABLE


def rounding(precision: str, dtype: torch.dtype, device: torch.device) -> str:
    """The format that a precision asks for, by the type of the rows: half-precision rows and autocast allow 16 bits.

    These are always float16: as fast as bfloat16 and eight times as exact, since rows are scaled to its range before.
    """
    if precision != "float32" or dtype in (torch.float16, torch.bfloat16) or torch.is_autocast_enabled(device.type):
        return "fp16"
    return "float32"


def launching_on(device: torch.device) -> AbstractContextManager[Any]:
    """The block in which kernels run where their rows are: Triton launches on the current GPU, whatever it is given."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 2  # Triton's interpreter: few, but more than one
    return torch.cuda.get_device_properties(device).multi_processor_count


def _splits(strips: int, tiles: int, device: torch.device) -> int:
    """Parts of a strip, so that few rows still keep all processors busy."""
    wanted = 2 * _processors(device) // max(strips, 1)
    return max(1, min(wanted, tiles, 32))


def _arguments(rows: Prepared, barred: Barred, tiling: Tiling) -> tuple[list[Any], dict[str, Any]]:
    """What all kernels take first, and their constants."""
    groups = [barred.query, barred.key, *barred.extremes(tiling.rows, tiling.columns)]
    bias = rows.query_bias is not None
    # A kernel without biases or groups does not read them; it gets any address.
    first = [rows.query, rows.key, rows.query_bias if bias else rows.times, rows.key_bias if bias else rows.times]
    constants = {
        "BM": tiling.rows,
        "BN": tiling.columns,
        "BD": rows.shape.width,
        "NC": rows.shape.chunks,
        "E": barred.exclude,
        "ONLY": barred.only,
        "BIAS": bias,
        "P": FORMATS[rows.format][1],
        "STAGES": tiling.stages,
        "num_warps": tiling.warps,
    }
    return [*first, *groups, rows.times, rows.bounded], constants


def forward_triton(operands: Operands, pairs: Pairs, *, columns: bool, format: str) -> tuple[Tensor, Tensor | None]:
    """Log-sums of the rows ``[1, M]`` and, if asked for, of the columns ``[1, N]``; a single scale."""
    rows, barred = prepare(operands, format), barred_of(pairs)
    if operands.query is not operands.key and not columns:
        return _sums(rows, barred, (0, 1))[None], None
    plain_rows, plain_columns = _sums_both(rows, barred, triangle=operands.query is operands.key)
    choose = rows.bounded.bool()
    row_sums = torch.where(choose, plain_rows, _sums(rows, barred, (1,)))[None]
    if plain_columns is None:
        return row_sums, None
    return row_sums, torch.where(choose, plain_columns, _sums(rows.turned(), barred.turned(), (1,)))[None]


def _sums(rows: Prepared, barred: Barred, shifts: tuple[int, ...]) -> Tensor:
    """``[M]`` log-sums of the rows, by those forms of the kernel that are named; the device runs one of them."""
    from graphcl.similarity import _triton

    m, n = len(rows.query), len(rows.key)
    tiling = tilings_for(rows.query, rows.shape)[0]
    strips = -(-m // tiling.rows)
    splits = _splits(strips, -(-n // tiling.columns), rows.query.device)
    first, constants = _arguments(rows, barred, tiling)
    top, total = rows.times.new_empty(2, splits, m)
    for shift in shifts:
        _triton.sum_rows[(strips * splits,)](*first, top, total, m, n, SPLITS=splits, SHIFT=shift, **constants)
    greatest = top.amax(0)
    reference = greatest.masked_fill(greatest.isneginf(), 0)
    return ((total * (top - reference).exp2()).sum(0).log2() + reference) / LOG2_E


def _sums_both(rows: Prepared, barred: Barred, *, triangle: bool) -> tuple[Tensor, Tensor | None]:
    """Log-sums of rows and columns in one pass, without a shift; of a triangle, both are one."""
    from graphcl.similarity import _triton

    m, n = len(rows.query), len(rows.key)
    tiling = tilings_for(rows.query, rows.shape)[0]
    strips, tiles = -(-m // tiling.rows), -(-n // tiling.columns)
    ratio = tiling.rows // tiling.columns
    count = strips * (strips + 1) // 2 * ratio if triangle else strips * tiles
    programs = min(count, _processors(rows.query.device) * (2 if tiling.warps == 4 else 1))
    first, constants = _arguments(rows, barred, tiling)
    row_sums = rows.times.new_zeros(programs, m)
    column_sums = row_sums if triangle else rows.times.new_zeros(programs, n)
    _triton.sum_both[(programs,)](*first, row_sums, column_sums, m, n, TRIANGLE=triangle, **constants)
    return row_sums.sum(0).log(), None if triangle else column_sums.sum(0).log()


def backward_triton(
    operands: Operands,
    pairs: Pairs,
    row_grad: Tensor,
    row_sums: Tensor,
    column_grad: Tensor | None,
    column_sums: Tensor | None,
    *,
    format: str,
    wants: Wants,
) -> Gradients:
    """Gradients of ``sum(row_grad * row_sums) + sum(column_grad * column_sums)``; arguments as in the tiled form."""
    query, key, scale, query_bias, key_bias = operands
    own = query is key
    rows, barred = prepare(operands, format), barred_of(pairs)
    sides = [(row_grad[0], row_sums[0])]
    if column_grad is not None and column_sums is not None:
        sides.append((column_grad[0], column_sums[0]))
    # A row without a key has no gradient, whatever is asked of it.
    sides = [(grad.masked_fill(sums.isneginf(), 0), sums.masked_fill(sums.isneginf(), 0)) for grad, sums in sides]
    unit = torch.stack([grad.abs().max() for grad, _ in sides]).amax(0, keepdim=True)
    unit = unit.masked_fill(unit == 0, 1)
    weights = [_weights(grad / unit * LIFT, sums, rows.bounded) for grad, sums in sides]
    of_rows, of_columns = weights[0], weights[-1] if own or len(weights) == 2 else None
    unit = unit / LIFT
    # The gradient of the scale is read off that of the query: the products are its part along the row.
    factor = unit if wants.scale else unit * scale
    grad_query = grad_key = pulled_query = pulled_key = None
    if wants.query or wants.scale or query_bias is not None:
        grad_query, pulled_query = _pull(rows, barred, of_rows, of_columns, factor / rows.key_factor, query.size(1))
    if not own and (wants.key or key_bias is not None):
        turned = rows.turned()
        factor_key = unit * scale / turned.key_factor
        grad_key, pulled_key = _pull(turned, barred.turned(), of_columns, of_rows, factor_key, key.size(1))
    grad_scale = torch.zeros_like(scale)
    if wants.scale and grad_query is not None:
        along = torch.linalg.vecdot(query, grad_query).sum(0, keepdim=True)
        grad_scale = along / 2 if own else along
        grad_query.mul_(scale)
    biases = [None if b is None or p is None else (p * unit)[None] for b, p in _zip(operands, pulled_query, pulled_key)]
    return Gradients(
        grad_query if wants.query else None,
        grad_key if wants.key else None,
        grad_scale,
        biases[0],
        biases[1] if not own else None,
    )


def _zip(operands: Operands, query: Tensor | None, key: Tensor | None) -> list[tuple[Tensor | None, Tensor | None]]:
    return [(operands.query_bias, query), (operands.key_bias, key)]


class _Weights(NamedTuple):
    """How much a row pulls at its pairs: ``factor * 2^(exponent - offset)``, the offset left out without a shift."""

    factor: Tensor  # [M]
    offset: Tensor  # [M]


def _weights(grad: Tensor, sums: Tensor, bounded: Tensor) -> _Weights:
    return _Weights(torch.where(bounded.bool(), grad * sums.neg().exp(), grad), sums * LOG2_E)


def _pull(
    rows: Prepared, barred: Barred, own: _Weights | None, other: _Weights | None, factor: Tensor, width: int
) -> tuple[Tensor, Tensor | None]:
    """``[M, D]`` the gradient of the rows of the query, and ``[M]`` that of their biases if there are any."""
    from graphcl.similarity import _triton

    m, n = len(rows.query), len(rows.key)
    tiling = tilings_for(rows.query, rows.shape)[1]
    strips = -(-m // tiling.rows)
    splits = _splits(strips, -(-n // tiling.columns), rows.query.device)
    first, constants = _arguments(rows, barred, tiling)
    nothing = _Weights(factor, factor)
    weights = [own or nothing, other or nothing]
    result = rows.shape.width if rows.shape.chunks == 1 else RESULT[rows.query.element_size()]
    gradient = factor.new_empty(splits, m, width)
    pulled = factor.new_empty(splits, m if constants["BIAS"] else 0)
    for shift in (0, 1):
        _triton.pull_rows[(strips * splits, -(-width // result))](
            *first,
            *(w.factor for w in weights),
            *(w.offset for w in weights),
            factor,
            gradient,
            pulled,
            m,
            n,
            width,
            SPLITS=splits,
            SHIFT=shift,
            OWN=own is not None,
            OTHER=other is not None,
            BO=result,
            **constants,
        )
    gradient, pulled = (x[0] if splits == 1 else x.sum(0) for x in (gradient, pulled))
    return gradient, pulled if constants["BIAS"] else None
