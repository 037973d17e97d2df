"""The one primitive behind every contrast over all pairs: log-sum-exp of similarities, with pairs left out."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl.similarity.dense import logsumexp_dense

__all__ = ["logsumexp"]

Groups = tuple[Int[Tensor, " m"], Int[Tensor, " n"]]


def logsumexp(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"],
    *,
    scale: float | Tensor,
    exclude: Sequence[Groups] = (),
    only: Groups | None = None,
    skip: Int[Tensor, "2 p"] | None = None,
    impl: Literal["auto", "dense"] = "auto",
) -> Float[Tensor, " m"]:
    r"""Log of the sum of exponentiated similarities of each query to the keys that count for it.

    .. math:: \ell_i = \log \sum_{j \in K(i)} \exp(s \langle q_i, k_j \rangle)

    Pairs are left out before the sum, never subtracted from it, so nothing cancels. Sums are kept in float32 at least.

    Args:
        query: ``[M, D]``, normalised by the caller if cosines are wanted.
        key: ``[N, D]``.
        scale: The factor s, one over the temperature; a tensor gets a gradient.
        exclude: Pairs of group vectors ``([M], [N])``: a pair that shares a group in any of them is left out.
        only: One pair of group vectors: only pairs that share a group count.
        skip: ``[2, P]`` single pairs (query, key) to leave out.
        impl: ``"dense"`` holds the M x N matrix; ``"auto"`` chooses (today there is one implementation).

    Returns:
        ``[M]``, float32 (float64 for float64 inputs). A query with no key left gives -inf and no gradient.

    Raises:
        ValueError: Shapes, devices or group lengths do not fit, or ``impl`` is unknown.
        TypeError: The inputs are not floating point.

    Example:
        >>> z = torch.eye(2)
        >>> own = torch.arange(2)
        >>> logsumexp(z, z, scale=2.0, exclude=[(own, own)])
        tensor([0., 0.])
    """
    _check(query, key, scale, exclude, only, skip)
    if impl not in ("auto", "dense"):
        raise ValueError(f"expected impl to be 'auto' or 'dense', got {impl!r}")
    dtype = torch.promote_types(torch.float32, torch.promote_types(query.dtype, key.dtype))
    with torch.autocast(query.device.type, enabled=False):
        return logsumexp_dense(query.to(dtype), key.to(dtype), scale, exclude, only, skip)


def _check(
    query: Tensor,
    key: Tensor,
    scale: float | Tensor,
    exclude: Sequence[Groups],
    only: Groups | None,
    skip: Tensor | None,
) -> None:
    if query.dim() != 2 or key.dim() != 2 or query.size(1) != key.size(1):
        raise ValueError(
            f"expected query [M, D] and key [N, D] with the same D, got {list(query.shape)} and {list(key.shape)}"
        )
    if not (query.is_floating_point() and key.is_floating_point()):
        raise TypeError(f"expected floating-point embeddings, got {query.dtype} and {key.dtype}")
    if query.device != key.device:
        raise ValueError(f"expected query and key on one device, got {query.device} and {key.device}")
    for groups in [*exclude, *([only] if only is not None else [])]:
        if groups[0].shape != query.shape[:1] or groups[1].shape != key.shape[:1]:
            raise ValueError(
                f"expected groups of shapes [{query.size(0)}] and [{key.size(0)}], "
                f"got {list(groups[0].shape)} and {list(groups[1].shape)}"
            )
    if skip is not None and (skip.dim() != 2 or skip.size(0) != 2):
        raise ValueError(f"expected skip of shape [2, P], got {list(skip.shape)}")
    if isinstance(scale, Tensor) and scale.numel() != 1:
        raise ValueError(f"expected one scale for all pairs, got a tensor of shape {list(scale.shape)}")
