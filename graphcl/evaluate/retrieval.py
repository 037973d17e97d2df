"""Retrieval by embeddings: of the nearest items, how many are of the same class."""

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch

from graphcl.evaluate._checks import as_labels, check_embeddings
from graphcl.similarity import topk

__all__ = ["retrieval_precision"]


def retrieval_precision(
    embeddings: object, labels: object, *, k: SupportsIndex | Sequence[int] = (1, 5, 10)
) -> dict[int, float]:
    r"""Precision@k: every item asks, all others answer, the k most similar ones by cosine count.

    .. math:: \frac1N \sum_i \frac1k \big| \{ j \in \mathrm{top}_k(i) : y_j = y_i \} \big|

    Nothing is trained and nothing selected, so no split is needed. Similarities that are equal to the last bit are
    ordered by index; those of equal rows may differ in it. Chance is the share of pairs of one class,
    :func:`graphcl.evaluate.false_negative_rate`. No pair matrix is held.

    Args:
        embeddings: One row per graph or node [n, dimensions], array or tensor.
        labels: One class per row [n].
        k: How many neighbours, one value or more, none above n - 1.

    Returns:
        For each k a number in [0, 1].

    Raises:
        ValueError: Embeddings that are not finite, labels that are NaN or not one a row, a k out of range.

    Example:
        >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> retrieval_precision(z, torch.tensor([0, 0, 1, 1]), k=(1, 3))
        {1: 1.0, 3: 0.3333333333333333}

    Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval", Cambridge 2008, section 8.4.
    """
    x = torch.from_numpy(check_embeddings(embeddings))
    given = as_labels(labels)
    asked: Any = k
    counts = sorted({operator.index(count) for count in np.atleast_1d(asked).tolist()})
    if given.shape != (len(x),):
        raise ValueError(f"expected {len(x)} labels, one for each row of the embeddings, got shape {list(given.shape)}")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        lacking = int((~np.isfinite(given)).sum())
        raise ValueError(f"expected a label for every row, got NaN or infinity for {lacking}; leave these rows out")
    y = torch.from_numpy(np.unique(given, return_inverse=True)[1])
    if not counts or counts[0] < 1 or counts[-1] >= len(x):
        raise ValueError(f"expected numbers of neighbours from 1 to {len(x) - 1}, got {counts}")
    own = torch.arange(len(x))
    _, nearest = topk(x, k=counts[-1], exclude=[(own, own)])
    right = (y[nearest] == y[:, None]).double().cumsum(1)
    return {count: float(right[:, count - 1].mean() / count) for count in counts}
