"""Log-sum-exp over the keys of all ranks: gathered, or passed round a ring that never holds them all.

Both ways are one algorithm. The rows of the other ranks come by, all at once or block by block, and every rank works
out the *complete* gradient of its own rows.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.distributed import row_counts
from graphcl.similarity._across import sums_across
from graphcl.similarity._checks import Groups, check_pairs, check_query_key, check_scale
from graphcl.similarity._fold import fold, scales_of, several
from graphcl.similarity._pairs import as_pairs
from graphcl.similarity._precision import full_precision
from graphcl.similarity.using import Precision, settled

__all__ = ["logsumexp", "logsumexp_both"]

Counts = Sequence[int]


def logsumexp(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    *,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups] = (),
    similarity: str = "cosine",
    way: str = "gather",
    counts: tuple[Counts, Counts] | None = None,
    precision: Precision | None = None,
) -> Float[Tensor, "*s m"]:
    r"""Log of the sum of exponentiated similarities of each of this rank's queries to the keys of all ranks.

    As :func:`graphcl.similarity.logsumexp`, which one process with the rows of all ranks would call. What a rank does
    with its own log-sums is a loss of its own; **the gradients are those of the sum of all ranks' losses**: complete
    for the rank's own rows, and for the scale a share, whose sum over the ranks is the gradient. All ranks must run the
    backward pass if one does.

    Args:
        query: ``[M, D]``, this rank's rows; M may differ from rank to rank and may be 0.
        key: ``[N, D]``, this rank's keys. None compares all ranks' queries among themselves; the pair of a row with
            itself counts unless it is excluded.
        scale: The factor of the similarities; a tensor, which gets a gradient, may hold several. The same on all ranks.
        exclude: Pairs of group vectors ``([M], [N])`` of this rank's rows; groups are compared across ranks, so the
            own index must be counted through from rank 0.
        similarity: ``"cosine"`` or ``"dot"``.
        way: ``"gather"`` brings the rows of all ranks here, O(sum of N x D) memory; ``"ring"`` holds those of two ranks
            at a time, and passes them round in both passes.
        counts: The rows of the query and of the key on each rank, where they are known
            (:func:`graphcl.distributed.row_counts`): spares a message.
        precision: ``"float32"`` or ``"bf16"``, as in :func:`graphcl.similarity.logsumexp`; the same on all ranks. All
            is computed in tiles here, whatever implementation :func:`graphcl.similarity.using` names.

    Returns:
        ``[M]``, or ``[S, M]`` for S scales; a query with no key left on any rank gives -inf.

    Raises:
        ValueError: Shapes, devices or group lengths do not fit, here or between ranks, or a name is unknown.
        TypeError: The inputs are not floating point, groups are not whole numbers, or the ranks' dtypes differ.
        RuntimeError: A second derivative is asked for.

    Example:
        >>> z = torch.eye(2)
        >>> own = torch.arange(2)
        >>> logsumexp(z, scale=2.0, exclude=[(own, own)])  # one process: its own keys
        tensor([0., 0.])
    """
    rows, _ = _run(query, None if key is query else key, scale, exclude, similarity, way, counts, precision, False)
    return rows


def logsumexp_both(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"],
    *,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups] = (),
    similarity: str = "cosine",
    way: str = "gather",
    counts: tuple[Counts, Counts] | None = None,
    precision: Precision | None = None,
) -> tuple[Float[Tensor, "*s m"], Float[Tensor, "*s n"]]:
    """The log-sums of :func:`logsumexp` over all ranks' keys of each query, and over all ranks' queries of each key.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``.
        scale: As in :func:`logsumexp`.
        exclude: As in :func:`logsumexp`.
        similarity: As in :func:`logsumexp`.
        way: As in :func:`logsumexp`.
        counts: As in :func:`logsumexp`.
        precision: As in :func:`logsumexp`.

    Returns:
        ``[M]`` and ``[N]``, or ``[S, M]`` and ``[S, N]`` for S scales, of this rank's rows.

    Raises:
        ValueError: As in :func:`logsumexp`.
        TypeError: As in :func:`logsumexp`.
        RuntimeError: As in :func:`logsumexp`.

    Example:
        >>> rows, columns = logsumexp_both(torch.ones(2, 3), torch.ones(5, 3), scale=0.0)
        >>> rows.exp().round(), columns.exp().round()
        (tensor([5., 5.]), tensor([2., 2., 2., 2., 2.]))
    """
    return _run(query, key, scale, exclude, similarity, way, counts, precision, True)


def _run(
    query: Tensor,
    key: Tensor | None,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[Groups],
    similarity: str,
    way: str,
    counts: tuple[Counts, Counts] | None,
    precision: Precision | None,
    columns: bool,
) -> tuple[Tensor, Tensor]:
    keys = query if key is None else key
    check_query_key(query, keys)
    check_scale(scale)
    check_pairs(query, keys, exclude, None, None)
    check_choice("similarity", similarity, ("cosine", "dot"))
    check_choice("way", way, ("gather", "ring"))
    _, products = settled("tiled", precision)
    check_choice("precision", products, ("float32", "bf16"))
    dtype = torch.promote_types(torch.float32, torch.promote_types(query.dtype, keys.dtype))
    scales = scales_of(scale, query, dtype)
    if counts is None:
        of_query = row_counts(query)
        counts = (of_query, of_query if key is None else row_counts(key))
    with full_precision(query):
        folded = fold(query.to(dtype), None if key is None else key.to(dtype), scales, similarity)
        pairs = as_pairs(query, keys, exclude, None, None)
        rows, others = sums_across(
            folded.query,
            folded.key,
            folded.scale,
            pairs.exclude_query,
            pairs.exclude_key,
            [list(each) for each in counts],
            columns=columns,
            way=way,
            precision=products,
        )
    return (rows, others) if several(scale) else (rows[0], others[0] if columns else others)
