"""Which implementation a call will use, and why."""

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.similarity._checks import check_query_key
from graphcl.similarity._trial import fault
from graphcl.similarity.triton import is_available, rounding
from graphcl.similarity.using import IMPLEMENTATIONS, PRECISIONS, settled

__all__ = ["Choice", "choose", "decide_for", "explain"]

# Up to here (512 x 512) a matrix is as large as one tile, and one is as fast (benchmarks, one thread).
DENSE_PAIRS = 1 << 18
FEW = f"{{pairs}} are at most {DENSE_PAIRS:,}, where one matrix is as fast"
MANY = f"{{pairs}} are more than {DENSE_PAIRS:,}, where one matrix leaves the cache"


@dataclass(frozen=True)
class Choice:
    """The implementation of a call, the reason, and about how many bytes of scratch memory both passes take."""

    impl: str
    reason: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.impl}: {self.reason}; about {self.bytes / 1e6:,.1f} MB of scratch memory"


class Decision(NamedTuple):
    """The implementation and the reason, without a size in it: a compiler would compile anew for each."""

    impl: str
    why: str  # "{pairs}" stands for M x N


def decide(
    few: bool,
    impl: str = "auto",
    precision: str = "float32",
    *,
    device: str = "cpu",
    double: bool = False,
    listed: bool = False,
    fault: str = "",
) -> Decision:
    """The implementation for a number of pairs.

    Args:
        few: Whether there are no more than ``DENSE_PAIRS``.
        impl: What is asked for.
        precision: Of the products.
        device: The kind of device that holds the rows.
        double: Whether they are float64.
        listed: Whether single pairs are left out (``skip``).
        fault: What was found to be wrong with the kernels of Triton on this device.
    """
    check_choice("impl", impl, IMPLEMENTATIONS)
    check_choice("precision", precision, PRECISIONS)
    if impl == "dense" and precision != "float32":
        raise ValueError(
            f"expected precision='float32' with impl='dense', the ground truth, got {precision!r}; use 'tiled'"
        )
    if impl == "triton":
        _check_triton(device, double, listed)
    if impl == "tiled":
        return _tiled("asked for", precision)
    if impl != "auto":
        return Decision(impl, "asked for")
    if precision == "float32" and few:
        return Decision("dense", FEW)
    if device == "cuda":
        for reason, true in (
            ("Triton 3.5 or newer is not installed", not is_available()),
            ("the kernels of Triton know no float64", double),
            ("the kernels of Triton know no list of single pairs (skip)", listed),
            (fault, bool(fault)),
        ):
            if true:
                return _tiled(f"{reason}; {MANY}", precision)
        return Decision("triton", f"the kernels of Triton agree with dense sums on this device; {MANY}")
    if precision == "float32":
        return Decision("tiled", MANY)
    return _tiled("products rounded to bfloat16 are made in tiles only", precision)


def choose(m: int, n: int, width: int, impl: str = "auto", precision: str = "float32", **facts: Any) -> Choice:
    """:func:`decide` for M x N pairs of rows of some width, in float32, in words and bytes."""
    return _in_words(decide(m * n <= DENSE_PAIRS, impl, precision, **facts), m, n, width, precision)


def _in_words(decision: Decision, m: int, n: int, width: int, precision: str) -> Choice:
    size = {
        "dense": 17 * m * n,
        "tiled": 4 * (m + n) * (width + 4) + 3 * 4 * 256 * 1024,
        # Rounded rows and, where queries are keys, up to 264 lines of partial sums; the gradients.
        "triton": (2 if precision != "float32" else 4) * (m + n) * width + 4 * 264 * max(m, n) + 4 * (m + n) * width,
    }
    return Choice(decision.impl, decision.why.replace("{pairs}", f"{m} x {n} pairs"), size[decision.impl])


def _tiled(why: str, precision: str) -> Decision:
    if precision == "fp16":
        raise ValueError(
            "expected precision='float32' or 'bf16' with impl='tiled', got 'fp16', which needs the kernels of Triton: "
            "a CUDA device, rows of at most 32 bits, no skip= and `pip install triton`"
        )
    return Decision("tiled", why)


def _check_triton(device: str, double: bool, listed: bool) -> None:
    if not is_available():
        raise ImportError("impl='triton' needs Triton 3.5 or newer: pip install 'triton>=3.5', or use impl='tiled'")
    if device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(f"expected rows on a CUDA device for impl='triton', got {device}; use impl='tiled'")
    if double:
        raise ValueError("expected rows of at most 32 bits for impl='triton', got torch.float64; use impl='tiled'")
    if listed:
        raise ValueError("expected no skip= with impl='triton', which knows groups only; use impl='tiled'")


def explain(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    *,
    skip: Int[Tensor, "2 p"] | None = None,
    impl: str = "auto",
    precision: str | None = None,
) -> Choice:
    """Which implementation :func:`graphcl.similarity.logsumexp` will use for these arguments, and why.

    A loss that is one number per pair of views (InfoNCE, NT-Xent, GRACE and those made of them) holds one matrix for a
    little longer: on a CPU up to 2,097,152 pairs, where that is as fast.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``, by default the query itself.
        skip: As in the call.
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
    keys = query if key is None else key
    check_query_key(query, keys)
    asked, products = settled(impl, precision)
    decision = decide_for(query, keys, asked, products, skip)
    return _in_words(decision, len(query), len(keys), query.size(1), products)


def decide_for(query: Tensor, key: Tensor, impl: str, precision: str, skip: Tensor | None) -> Decision:
    """:func:`decide` by the arguments of a call."""
    facts = {"double": torch.float64 in (query.dtype, key.dtype), "listed": skip is not None}
    # "fp16" is made by the kernels alone: it asks for them.
    could = impl == "auto" and precision != "fp16" and query.device.type == "cuda" and is_available()
    few = query.size(0) * key.size(0) <= DENSE_PAIRS
    could = could and not any(facts.values()) and not few
    return decide(
        few,
        impl,
        precision,
        device=query.device.type,
        fault=fault(query.device, rounding(precision, query.dtype, query.device)) if could else "",
        **facts,
    )
