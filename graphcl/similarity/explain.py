"""Which implementation a call will use, and why."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from graphcl.similarity._checks import check_choice, check_rows

__all__ = ["Choice", "choose", "explain"]

IMPLEMENTATIONS = ("auto", "dense", "tiled")
# Up to here (512 x 512) a matrix is as large as one tile, and one is as fast (benchmarks, one thread).
DENSE_PAIRS = 1 << 18


@dataclass(frozen=True)
class Choice:
    """The implementation of a call, the reason, and about how many bytes of scratch memory both passes take."""

    impl: str
    reason: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.impl}: {self.reason}; about {self.bytes / 1e6:,.1f} MB of scratch memory"


def choose(m: int, n: int, width: int, impl: str = "auto", precision: str = "float32") -> Choice:
    """The implementation for M x N pairs of rows of some width, in float32."""
    check_choice("impl", impl, IMPLEMENTATIONS)
    check_choice("precision", precision, ("float32", "bf16"))
    if impl == "dense" and precision == "bf16":
        raise ValueError("expected precision='float32' with impl='dense', the ground truth, got 'bf16'; use 'tiled'")
    dense, tiled = 17 * m * n, 4 * (m + n) * (width + 4) + 3 * 4 * 256 * 1024
    if impl == "dense":
        return Choice("dense", "asked for", dense)
    if impl == "tiled":
        return Choice("tiled", "asked for", tiled)
    if precision == "bf16":
        return Choice("tiled", "products rounded to bfloat16 are made in tiles only", tiled)
    if m * n <= DENSE_PAIRS:
        return Choice("dense", f"{m} x {n} pairs are at most {DENSE_PAIRS:,}, where one matrix is as fast", dense)
    return Choice("tiled", f"{m} x {n} pairs are more than {DENSE_PAIRS:,}, where one matrix leaves the cache", tiled)


def explain(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    *,
    impl: str = "auto",
    precision: str = "float32",
) -> Choice:
    """Which implementation :func:`graphcl.similarity.logsumexp` will use for these arguments, and why.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``, by default the query itself.
        impl: As in the call.
        precision: As in the call.

    Returns:
        The choice; printing it gives a sentence.

    Raises:
        ValueError: Shapes do not fit, or a name is unknown.
        TypeError: The rows are not floating point.

    Example:
        >>> import torch
        >>> print(explain(torch.ones(512, 32)))
        dense: 512 x 512 pairs are at most 262,144, where one matrix is as fast; about 4.5 MB of scratch memory
        >>> explain(torch.ones(4096, 32)).impl
        'tiled'
    """
    check_rows(query, query if key is None else key)
    return choose(len(query), len(query if key is None else key), query.size(1), impl, precision)
