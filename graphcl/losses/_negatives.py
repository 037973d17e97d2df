"""Which pairs are not negatives, and what a row costs once its negatives are summed up."""

from collections.abc import Sequence

import torch
from torch import Tensor

from graphcl.losses._across import Batch
from graphcl.losses._checks import check_exclude, check_ids
from graphcl.losses._numerics import softplus
from graphcl.similarity import ranks
from graphcl.similarity.engine import log_sums
from graphcl.similarity.using import Impl

__all__ = [
    "barred_groups",
    "group_pair",
    "log_count",
    "log_sum",
    "log_sum_both",
    "mean_cost",
    "queue_groups",
    "shares_group",
    "stack_groups",
]

_NOWHERE = torch.iinfo(torch.int64).min


def group_pair(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Group vectors as the engine takes them, where -1 (in no group) matches nothing, not even another -1."""
    query, key = query.long(), key.long()
    return query, key.masked_fill(key == -1, _NOWHERE)


def barred_groups(
    z: Tensor, exclude: Sequence[Tensor], copies: int = 1, batch: Batch | None = None
) -> list[tuple[Tensor, Tensor]]:
    """The groups that bar an item from itself and, by each vector of ``exclude``, from the items of its group.

    ``copies`` is 2 where the rows of the query and the key are those of both views, one after the other.
    Items are counted through a ``batch`` of all ranks.
    """
    check_exclude(exclude)
    for number, group in enumerate(exclude):
        check_ids(f"exclude[{number}]", group, z.size(0), z.device)
    start = 0 if batch is None else batch.start
    item = torch.arange(start, start + z.size(0), device=z.device)
    vectors = [item, *exclude] if copies == 1 else [group.repeat(copies) for group in (item, *exclude)]
    return [(vectors[0], vectors[0]), *(group_pair(group, group) for group in vectors[1:])]


def queue_groups(query: Tensor, queue: Tensor, exclude: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """The groups that bar keys of a queue from being negatives of the queries, each a pair of vectors."""
    check_exclude(exclude, "(query_groups, queue_groups)")
    for number, pair in enumerate(exclude):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"expected exclude[{number}] to be a pair of group vectors, of the queries and of the queue, "
                f"got {type(pair).__name__}"
            )
        own, queued = pair
        check_ids(f"exclude[{number}][0]", own, query.size(0), query.device)
        check_ids(f"exclude[{number}][1]", queued, queue.size(0), query.device)
    return [group_pair(own, queued) for own, queued in exclude]


def log_sum(
    query: Tensor,
    key: Tensor,
    *,
    scale: float | Sequence[float | Tensor] | Tensor,
    exclude: Sequence[tuple[Tensor, Tensor]] = (),
    batch: Batch | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """``[M]`` log of the sum over keys of exp(scale <q, k>); ``[S, M]`` for S scales.

    Plain products: rows come here at length one, or as they are where that is meant. With a ``batch``, over the keys of
    all ranks.
    """
    if batch is not None:
        return ranks.logsumexp(
            query,
            key,
            # Numbers as they are: by default torch would round them to float32, also for rows in float64.
            scale=scale if isinstance(scale, Tensor) else torch.tensor(scale, dtype=torch.float64),
            exclude=exclude,
            similarity="dot",
            way=batch.way,
            counts=(batch.rows, batch.rows),
        )
    return log_sums(query, None if key is query else key, scale, exclude, impl=impl)[0]


def log_sum_both(
    z1: Tensor,
    z2: Tensor,
    *,
    scale: float | Tensor,
    exclude: Sequence[tuple[Tensor, Tensor]] = (),
    batch: Batch | None = None,
    impl: Impl = "auto",
) -> tuple[Tensor, Tensor]:
    """``[N]`` and ``[N]``, the sums of :func:`log_sum` from each view to the other, in one pass."""
    if batch is not None:
        return ranks.logsumexp_both(
            z1,
            z2,
            scale=scale,
            exclude=exclude,
            similarity="dot",
            way=batch.way,
            counts=(batch.rows, batch.rows),
        )
    rows, columns = log_sums(z1, z2, scale, exclude, impl=impl, columns=True)
    return rows, columns


def log_count(query: Tensor, key: Tensor, exclude: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Log of the number of keys that count for each query: the sum over pairs of exp(0)."""
    return log_sum(torch.zeros_like(query[:, :1]), torch.zeros_like(key[:, :1]), scale=1.0, exclude=exclude)


def mean_cost(
    positive: Tensor, negatives: Tensor, *, positive_in_denominator: bool = True, batch: Batch | None = None
) -> Tensor:
    """Mean over the rows of log(denominator) - positive, where ``negatives`` is the log of their sum.

    A row without a negative costs 0, also where the denominator is the negatives' alone. With a ``batch``, this rank's
    part: the mean over the ranks of what they return is the mean over the rows of all.
    """
    if positive_in_denominator:
        # log(1 + e^(negatives - positive)): taking the positive from a sum that it dominates would lose all digits of
        # the gradient of a nearly solved pair, which is the share of the negatives.
        # A sum of nothing is made a number: the second derivative at -inf is NaN.
        least = torch.finfo(negatives.dtype).min / 2
        costs = softplus(negatives.clamp(min=least) - positive)
    else:
        costs = (negatives - positive).masked_fill(negatives == -torch.inf, 0)
    return costs.mean() if batch is None else costs.sum() * batch.share


def stack_groups(groups: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """``[M, V]`` and ``[N, V]``: the V group vectors of the query and of the key, to be cut into blocks of rows."""
    if len(groups) == 1:
        return groups[0][0][:, None], groups[0][1][:, None]
    query, key = zip(*groups, strict=True)
    return torch.stack(query, 1), torch.stack(key, 1)


def shares_group(query: Tensor, key: Tensor) -> Tensor:
    """``[M, N]`` true where a row of ``query`` and one of ``key`` agree in any column; for blocks of rows."""
    shared = query[:, None, 0] == key[:, 0]
    for vector in range(1, query.size(1)):
        shared |= query[:, None, vector] == key[:, vector]
    return shared
