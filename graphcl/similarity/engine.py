"""The one primitive behind every contrast over all pairs: log-sum-exp of similarities, with pairs left out."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.similarity._checks import check_pairs, check_query_key, check_scale, is_readable
from graphcl.similarity._fold import SIMILARITIES, Folded, Similarity, fold, scales_of, several
from graphcl.similarity._operators import KERNELS, refuse_forward
from graphcl.similarity._pairs import Pairs, as_pairs
from graphcl.similarity._precision import full_precision
from graphcl.similarity.dense import barred_pairs, logsumexps_dense
from graphcl.similarity.explain import decide_for
from graphcl.similarity.tiled import expected_keys_tiled, logsumexp_tiled
from graphcl.similarity.triton import rounding
from graphcl.similarity.using import Impl, Precision, settled

__all__ = ["logsumexp", "logsumexp_both"]

Groups = tuple[Int[Tensor, " m"], Int[Tensor, " n"]]


def logsumexp(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    *,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups] = (),
    only: Groups | None = None,
    skip: Int[Tensor, "2 p"] | None = None,
    weight: Float[Tensor, " n"] | None = None,
    similarity: Similarity = "cosine",
    impl: Impl = "auto",
    precision: Precision | None = None,
) -> Float[Tensor, "*s m"]:
    r"""Log of the sum of exponentiated similarities of each query to the keys that count for it.

    .. math:: \ell_i = \log \sum_{j \in K(i)} w_j \exp(s \cdot \mathrm{sim}(q_i, k_j))

    Pairs are left out before the sum, never subtracted from it, so nothing cancels. Sums are kept in float32 at least.
    Gradients are exact for the query, the key, the scale and the weight, however large M and N are. Keys without a
    gradient (a queue, a bank, a target network) cost nothing in the backward pass.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``. None, or the query itself, compares the rows among themselves, each unordered pair once; the
            pair of a row with itself counts unless it is excluded.
        scale: The factor s, one over the temperature; a tensor gets a gradient. Several (a sequence, a 1-d tensor)
            share one pass and give one row of the result each.
        exclude: Pairs of group vectors ``([M], [N])``: a pair that shares a group in any of them is left out.
        only: One pair of group vectors: only pairs that share a group count.
        skip: ``[2, P]`` single pairs (query, key) to leave out.
        weight: ``[N]`` positive factors w of the keys' terms.
        similarity: ``"cosine"`` (a row of zeros has cosine 0 to all and gets no gradient), ``"dot"``, the plain dot
            product, or ``"euclidean"``, minus the squared distance. Rows that are at length one already may say
            ``"dot"`` and save the normalisation.
        impl: ``"dense"`` holds the M x N matrix; ``"tiled"`` makes it in tiles, again in the backward pass, and holds
            O((M + N) D); ``"triton"`` is that in fused kernels for CUDA (no float64, no ``skip``), which give the same
            bits in every run and can be captured in a CUDA graph; ``"auto"`` is what
            :func:`graphcl.similarity.using` says, else it chooses (:func:`graphcl.similarity.explain` tells which and
            why): on a GPU the kernels, once a small problem has come out right there, which the first large call tries.
        precision: None is what :func:`graphcl.similarity.using` says, else ``"float32"``. ``"bf16"`` lets a CPU with
            such instructions (AMX) round the factors of every product inside the tiles to bfloat16, summed in float32:
            about twice as fast. Measured on cosines: an exponent is off by about ``0.0003 * scale`` (up to ``0.001 *
            scale``), the mean of many log-sums by 1e-6 at a scale of 1 and 1e-4 at 20, the gradient by 0.1 % of its
            length at a scale of 1 to 5, 0.3 % at 20 and 1 % at 100. Leave the positive pair out of the sum and add it
            in float32, as the losses do: a nearly solved pair's gradient is lost otherwise. Not for dot products of
            long rows. The kernels of ``"triton"`` take three tf32 products for one of float32, one after
            ``torch.set_float32_matmul_precision("high")``, and float16 with ``"fp16"``, ``"bf16"``, ``"medium"``, under
            autocast and for half-precision rows, whatever their length: an exponent is then off by up to
            ``0.0005 * scale``, the gradient by 0.1 % of its length at scales up to 20.

    Returns:
        ``[M]``, or ``[S, M]`` for S scales; float32 (float64 for float64 inputs). A query with no key left gives -inf
        and no gradient.

    Raises:
        ValueError: Shapes, devices or group lengths do not fit, or a name is unknown.
        TypeError: The inputs are not floating point, or groups are not whole numbers.
        RuntimeError: A second derivative of ``"tiled"`` or ``"triton"`` is asked for; ``"dense"`` has them.
        ImportError: ``impl="triton"`` without Triton.

    Example:
        >>> z = torch.eye(2)
        >>> own = torch.arange(2)
        >>> logsumexp(z, scale=2.0, exclude=[(own, own)])
        tensor([0., 0.])
        >>> logsumexp(z, scale=[1.0, 2.0], exclude=[(own, own)], weight=torch.tensor([1.0, 3.0])).exp().round()
        tensor([[3., 1.],
                [3., 1.]])
    """
    key = None if key is query else key
    keys = query if key is None else key
    check_query_key(query, keys)
    check_scale(scale)
    check_pairs(query, keys, exclude, only, skip)
    check_choice("similarity", similarity, SIMILARITIES)
    return log_sums(query, key, scale, exclude, only, skip, weight, similarity, impl, precision)[0]


def logsumexp_both(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"],
    *,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups] = (),
    only: Groups | None = None,
    skip: Int[Tensor, "2 p"] | None = None,
    similarity: Similarity = "cosine",
    impl: Impl = "auto",
    precision: Precision | None = None,
) -> tuple[Float[Tensor, "*s m"], Float[Tensor, "*s n"]]:
    """The log-sums of :func:`logsumexp` over the keys of each query and over the queries of each key, in one pass.

    One product serves both directions of a symmetric loss, in the forward pass and again in the backward pass.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``.
        scale: As in :func:`logsumexp`.
        exclude: As in :func:`logsumexp`.
        only: As in :func:`logsumexp`.
        skip: As in :func:`logsumexp`.
        similarity: As in :func:`logsumexp`.
        impl: As in :func:`logsumexp`.
        precision: As in :func:`logsumexp`.

    Returns:
        ``[M]`` and ``[N]``, or ``[S, M]`` and ``[S, N]`` for S scales.

    Raises:
        ValueError: As in :func:`logsumexp`.
        TypeError: As in :func:`logsumexp`.
        RuntimeError: As in :func:`logsumexp`.
        ImportError: As in :func:`logsumexp`.

    Example:
        >>> rows, columns = logsumexp_both(torch.ones(2, 3), torch.ones(5, 3), scale=0.0)
        >>> rows.exp().round(), columns.exp().round()
        (tensor([5., 5.]), tensor([2., 2., 2., 2., 2.]))
    """
    key = key.clone() if key is query else key  # an operator takes no tensor twice
    check_query_key(query, key)
    check_scale(scale)
    check_pairs(query, key, exclude, only, skip)
    check_choice("similarity", similarity, SIMILARITIES)
    rows, columns = log_sums(query, key, scale, exclude, only, skip, None, similarity, impl, precision, columns=True)
    return rows, columns


def log_sums(
    query: Tensor,
    key: Tensor | None,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups] = (),
    only: Groups | None = None,
    skip: Tensor | None = None,
    weight: Tensor | None = None,
    similarity: Similarity = "dot",
    impl: Impl = "auto",
    precision: Precision | None = None,
    *,
    columns: bool = False,
) -> Sequence[Tensor]:
    """The log-sums of :func:`logsumexp` or, with ``columns``, both of :func:`logsumexp_both`; of checked arguments."""
    keys = query if key is None else key
    asked, products = settled(impl, precision)
    by = decide_for(query, keys, asked, products, skip).impl
    if by == "triton":  # before autocast, which decides their format too, is off
        products = KERNELS + rounding(products, query.dtype, query.device)
    with full_precision(query):
        folded = _fold(query, key, scale, similarity)
        log_weight = _log_weight(weight, keys, folded.query.dtype)
        if by == "dense":
            sums = _dense(folded, log_weight, barred_pairs(query, keys, exclude, only, skip), columns)
        else:
            refuse_forward(folded.query, folded.key, folded.scale)
            pairs = as_pairs(query, keys, exclude, only, skip)
            each = [folded]
            if by == "triton":
                each = _each_scale(folded if _mirrored(exclude, only) else _apart(folded))
            parts = [_tiled(one, log_weight, pairs, products, columns) for one in each]
            sums = parts[0] if len(parts) == 1 else [torch.cat(side) for side in zip(*parts, strict=True)]
    return sums if several(scale) else [side.squeeze(0) for side in sums]


def _fold(
    query: Tensor, key: Tensor | None, scale: float | Sequence[float | Tensor] | Tensor, similarity: Similarity
) -> Folded:
    dtype = torch.promote_types(torch.float32, query.dtype)
    if key is not None:
        dtype = torch.promote_types(dtype, key.dtype)
        key = key.to(dtype)
    return fold(query.to(dtype), key, scales_of(scale, query, dtype), similarity)


def _log_weight(weight: Tensor | None, key: Tensor, dtype: torch.dtype) -> Tensor | None:
    if weight is None:
        return None
    if not isinstance(weight, Tensor):
        raise TypeError(f"expected weight to be a tensor, got {type(weight).__name__}; write torch.tensor(weight)")
    if weight.shape != key.shape[:1]:
        raise ValueError(f"expected one weight for each of {key.size(0)} keys, got shape {list(weight.shape)}")
    if weight.device != key.device:
        raise ValueError(f"expected weight on {key.device} like the key, got {weight.device}")
    if is_readable(weight) and not bool((weight > 0).all()):
        raise ValueError(f"expected positive weights, got {weight.min().item()}; leave keys out by exclude=")
    return weight.to(dtype).log()


def _dense(folded: Folded, log_weight: Tensor | None, barred: Tensor, columns: bool) -> Sequence[Tensor]:
    key = folded.query if folded.key is None else folded.key
    key_bias = _add(folded.query_bias if folded.key is None else folded.key_bias, log_weight, folded.scale)
    dims = (1, 0) if columns else (1,)
    return logsumexps_dense(folded.query, key, folded.scale, folded.query_bias, key_bias, barred, dims)


def _tiled(
    folded: Folded, log_weight: Tensor | None, pairs: Pairs, precision: str, columns: bool
) -> tuple[Tensor, ...]:
    query, key, scale, query_bias, key_bias = folded.query, folded.key, folded.scale, folded.query_bias, folded.key_bias
    if columns:
        return logsumexp_tiled(query, key, scale, query_bias, key_bias, pairs, columns=True, precision=precision)
    if key is None:
        # Weighted keys are made symmetric by weighting the queries alike, which only adds to their sums.
        bias = _add(query_bias, log_weight, scale)
        sums, _ = logsumexp_tiled(query, None, scale, bias, None, pairs, columns=False, precision=precision)
        return (sums if log_weight is None else sums - _where_any(sums, log_weight),)
    bias = _add(key_bias, log_weight, scale)
    fixed = not (key.requires_grad or (bias is not None and bias.requires_grad))
    fixed = fixed and not precision.startswith(KERNELS)  # their backward pass leaves out what nobody asks for
    if fixed and query.requires_grad and torch.is_grad_enabled() and len(scale) == 1:
        sums, _ = expected_keys_tiled(query, key, scale, bias, pairs, precision=precision)
    else:
        sums, _ = logsumexp_tiled(query, key, scale, None, bias, pairs, columns=False, precision=precision)
    # What only the query decides is the same for all keys.
    return (sums if query_bias is None else sums + _where_any(sums, query_bias),)


def _where_any(sums: Tensor, bias: Tensor) -> Tensor:
    """What is added to sums; nothing, and no gradient, where there is no key."""
    return torch.where(sums.isneginf(), 0, bias)


def _each_scale(folded: Folded) -> list[Folded]:
    """One after the other, for the kernels: each knows one scale."""
    if len(folded.scale) == 1:
        return [folded]
    biases = [[None] * len(folded.scale) if b is None else b.split(1) for b in (folded.query_bias, folded.key_bias)]
    every = zip(folded.scale.split(1), *biases, strict=True)
    return [replace(folded, scale=scale, query_bias=own, key_bias=other) for scale, own, other in every]


def _mirrored(exclude: Sequence[Groups], only: Groups | None) -> bool:
    """Whether what is barred is certainly symmetric; comparing the numbers would make a GPU wait."""
    return all(own is other for own, other in [*exclude, *([] if only is None else [only])])


def _apart(folded: Folded) -> Folded:
    """Rows among themselves, as two sets of rows."""
    if folded.key is not None:
        return folded
    return replace(folded, key=folded.query.view_as(folded.query), key_bias=folded.query_bias)


def _add(bias: Tensor | None, log_weight: Tensor | None, scale: Tensor) -> Tensor | None:
    if log_weight is None:
        return bias
    return log_weight.expand(len(scale), -1).contiguous() if bias is None else bias + log_weight
