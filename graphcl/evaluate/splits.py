"""Stratified folds that are fixed by a seed, and the hash that tells whether two tables used the same ones."""

import hashlib
from collections.abc import Sequence

import numpy as np

from graphcl.evaluate._checks import IntArray

__all__ = ["Fold", "split_hash", "stratified_folds"]

Fold = tuple[IntArray, IntArray]  # indices of the training part and of the test part


def stratified_folds(y: IntArray, folds: int, *, seed: int | None = None) -> list[Fold]:
    """Stratified folds; shuffled by ``seed``, or in the order of the data without one.

    Args:
        y: Labels [graphs].
        folds: Number of folds.
        seed: Seed of the shuffle.

    Returns:
        A list of (training indices, test indices), both ascending.

    Example:
        >>> import numpy as np
        >>> len(stratified_folds(np.array([0, 1] * 10), 5, seed=0))
        5
    """
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(n_splits=folds, shuffle=seed is not None, random_state=seed)
    return [(train.astype(np.int64), test.astype(np.int64)) for train, test in splitter.split(np.zeros(len(y)), y)]


def split_hash(splits: Sequence[Sequence[Fold]]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all test indices: seeds in order, folds in order.

    Args:
        splits: For every seed its folds.

    Example:
        >>> import numpy as np
        >>> y = np.array([0, 1] * 10)
        >>> split_hash([stratified_folds(y, 5, seed=0)]) == split_hash([stratified_folds(y, 5, seed=1)])
        False
    """
    digest = hashlib.sha256()
    for number, folds in enumerate(splits):
        for fold, (_, test) in enumerate(folds):
            digest.update(f"{number}:{fold}:{len(test)};".encode())
            digest.update(np.ascontiguousarray(test, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]
