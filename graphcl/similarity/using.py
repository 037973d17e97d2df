"""Which implementation and precision calls take that leave both open, such as those of the losses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from graphcl._arguments import check_choice

__all__ = ["IMPLEMENTATIONS", "PRECISIONS", "Impl", "Precision", "settled", "using"]

Impl = Literal["auto", "dense", "tiled", "triton"]
Precision = Literal["float32", "bf16", "fp16"]
IMPLEMENTATIONS, PRECISIONS = get_args(Impl), get_args(Precision)


@dataclass(frozen=True, eq=False)
class _Wish:
    """What one open block names; each block's is its own."""

    impl: str | None
    precision: str | None


# Of the process, like torch's own settings of this kind: torch.compile guards on it, which it cannot on thread-locals.
# All open blocks, so that those of two threads may end in any order and leave nothing behind.
_open: list[_Wish] = []


@contextmanager
def using(*, impl: Impl | None = None, precision: Precision | None = None) -> Iterator[None]:
    """Inside, log-sums that leave them open take this implementation and precision: those of all losses.

    A loss has no such arguments. ``with using(impl="triton"):`` gives it the fused kernels of Triton on a GPU,
    ``precision="bf16"`` products of bfloat16 on a CPU, ``impl="dense"`` second derivatives at any size. What a call
    names itself holds before this; the innermost block holds before the ones around it. The backward pass is that of
    the forward pass, wherever it runs. A block holds for the whole process, so for what other threads do meanwhile too.

    Args:
        impl: As in :func:`graphcl.similarity.logsumexp`; None leaves it as it is.
        precision: As in :func:`graphcl.similarity.logsumexp`, with the errors stated there; None leaves it as it is.

    Raises:
        ValueError: A name is unknown. Calls inside raise what they would if they had been given these arguments.

    Example:
        >>> import torch
        >>> from graphcl.losses.functional import info_nce
        >>> from graphcl.similarity import explain
        >>> z = torch.nn.functional.normalize(torch.randn(1000, 16, generator=torch.Generator().manual_seed(0)), dim=1)
        >>> with using(precision="bf16"):
        ...     rounded, choice = info_nce(z, z), explain(z).impl
        >>> choice, bool((rounded - info_nce(z, z)).abs() < 1e-4)
        ('tiled', True)
    """
    if impl is not None:
        check_choice("impl", impl, IMPLEMENTATIONS)
    if precision is not None:
        check_choice("precision", precision, PRECISIONS)
    wish = _Wish(impl, precision)
    _open.append(wish)
    try:
        yield
    finally:
        _open.remove(wish)


def settled(impl: str, precision: str | None) -> tuple[str, str]:
    """What a call takes: what it names, else what :func:`using` says."""
    of_blocks, rounded = "auto", "float32"
    for wish in _open:
        of_blocks, rounded = wish.impl or of_blocks, wish.precision or rounded
    return of_blocks if impl == "auto" else impl, precision or rounded
