"""Nearest neighbours by cosine similarity: what the neighbourhood of an embedding says, with nothing trained."""

from collections.abc import Sequence

import numpy as np

from graphcl.evaluate._checks import FloatArray, IntArray

__all__ = ["knn_votes"]

CHUNK_BYTES = 64 * 2**20  # of similarities at a time


def knn_votes(
    train: FloatArray, labels: IntArray, query: FloatArray, neighbours: Sequence[int], *, classes: int
) -> FloatArray:
    """The share of each class among the k nearest training rows, for every k at once.

    A zero row has similarity 0 to everything. Where similarities are equal, the earlier training row is nearer.

    Args:
        train: [n, d].
        labels: Classes of the training rows, 0 to ``classes`` - 1.
        query: [m, d].
        neighbours: The values of k, ascending, none above n.
        classes: Number of classes.

    Returns:
        Votes [len(neighbours), m, classes]; each row sums to 1.

    Raises:
        ValueError: Values of k that are not ascending or exceed the number of training rows.

    Example:
        >>> train, query = np.eye(2), np.array([[3.0, 1.0]])
        >>> knn_votes(train, np.array([0, 1]), query, [1, 2], classes=2).tolist()
        [[[1.0, 0.0]], [[0.5, 0.5]]]
    """
    counts = list(neighbours)
    if not counts or counts != sorted(set(counts)) or counts[0] < 1 or counts[-1] > len(train):
        raise ValueError(f"expected ascending numbers of neighbours from 1 to {len(train)}, got {counts}")
    keys = unit(train).T
    votes = np.empty((len(counts), len(query), classes))
    step = max(1, CHUNK_BYTES // (8 * len(train)))
    for start in range(0, len(query), step):
        similarity = unit(query[start : start + step]) @ keys
        votes[:, start : start + step] = votes_by(similarity, labels, counts, classes=classes)
    return votes


def votes_by(similarity: FloatArray, labels: IntArray, neighbours: Sequence[int], *, classes: int) -> FloatArray:
    """Votes [len(neighbours), m, classes] as above, from the similarities [m, n] to the training rows."""
    nearest = labels[_nearest(similarity, max(neighbours))]
    sums = np.eye(classes)[nearest].cumsum(axis=1)
    return np.stack([sums[:, k - 1] / k for k in neighbours])


def _nearest(similarity: FloatArray, k: int) -> IntArray:
    """Positions [m, k] of the largest entries of each row, largest first, earlier ones first among equals."""
    found = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    bound = np.take_along_axis(similarity, found, axis=1).min(axis=1, keepdims=True)
    tied = (similarity >= bound).sum(axis=1) > k  # a partition keeps any of the equal ones
    found[tied] = np.argsort(-similarity[tied], axis=1, kind="stable")[:, :k]
    found.sort(axis=1)
    order = np.argsort(-np.take_along_axis(similarity, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1).astype(np.int64)


def unit(x: FloatArray) -> FloatArray:
    """Rows of length 1; a zero row stays as it is."""
    x = np.asarray(x, dtype=np.result_type(x, np.float32))
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)


def unit_kernel(gram: FloatArray) -> FloatArray:
    """The kernel of the rows at length 1: the cosine in the space of its features; a zero row stays as it is."""
    length = np.sqrt(gram.diagonal().clip(min=0))
    length[length == 0] = 1.0
    return gram / (length[:, None] * length[None, :])
