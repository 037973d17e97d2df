"""Graphs that no message passing tells apart: a score must not be won by having seen the same graph in training."""

from collections.abc import Sequence

import numpy as np
from torch_geometric.data import Batch, Data, Dataset

from graphcl.evaluate._checks import IntArray
from graphcl.evaluate.splits import Fold
from graphcl.evaluate.wl import wl_features

__all__ = ["grouped_folds", "wl_classes"]


def wl_classes(graphs: Batch | Dataset | Sequence[Data], *, iterations: int = 3) -> IntArray:
    """The Weisfeiler-Lehman class of each graph: equal for graphs that all rounds of colours leave equal.

    A message-passing network of no more layers than ``iterations``, which sees ``x`` and the edges alone, gives all
    graphs of a class the same embedding.

    Args:
        graphs: A ``Batch``, a data set or a list of graphs.
        iterations: Number of rounds after the first colouring; the more, the finer the classes.

    Returns:
        Codes [graphs], 0, 1, ... in the order in which the classes appear.

    Raises:
        ValueError: As for ``wl_features``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> turned = Data(edge_index=torch.tensor([[1, 2, 2, 0], [2, 1, 0, 2]]), num_nodes=3)
        >>> edge = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
        >>> wl_classes([path, edge, turned]).tolist()
        [0, 1, 0]

    Source: Shervashidze, Schweitzer, van Leeuwen, Mehlhorn and Borgwardt, Weisfeiler-Lehman Graph Kernels, JMLR 2011;
    Morris et al., Weisfeiler and Leman Go Neural, AAAI 2019, theorem 1 (no network tells more apart).
    """
    counts = wl_features(graphs, iterations=iterations)
    counts.sum_duplicates()  # rows in one order, so that equal rows are equal bytes
    seen: dict[tuple[bytes, bytes], int] = {}
    classes = np.empty(counts.shape[0], dtype=np.int64)
    for row, (start, end) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:], strict=True)):
        key = counts.indices[start:end].tobytes(), counts.data[start:end].tobytes()
        classes[row] = seen.setdefault(key, len(seen))
    return classes


def grouped_folds(y: IntArray, groups: IntArray, folds: int, *, seed: int | None = None) -> list[Fold]:
    """Folds that no group lies in two of, the classes as evenly spread as the groups allow.

    Args:
        y: Labels [graphs].
        groups: Group of each graph [graphs], such as ``wl_classes``.
        folds: Number of folds.
        seed: Seed of the shuffle; in the order of the data without one.

    Returns:
        A list of (training indices, test indices), both ascending.

    Raises:
        ValueError: Too few groups: an empty fold, or a training part without one of the classes.

    Example:
        >>> import numpy as np
        >>> y, groups = np.array([0, 1] * 10), np.arange(20) // 4
        >>> train, test = grouped_folds(y, groups, 5, seed=0)[0]
        >>> sorted(set(groups[train]) & set(groups[test])), len(test)
        ([], 4)
    """
    from sklearn.model_selection import StratifiedGroupKFold

    y, groups = np.asarray(y), np.asarray(groups)
    if groups.shape != y.shape:
        raise ValueError(f"expected one group for each of {len(y)} graphs, got shape {list(groups.shape)}")
    few = f"{len(np.unique(groups))} groups of equal graphs; use fewer folds, or a protocol that is not grouped"
    if len(np.unique(groups)) < folds:
        raise ValueError(f"expected at least {folds} groups, one for each fold, got {few}")
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=seed is not None, random_state=seed)
    found = [
        (train.astype(np.int64), test.astype(np.int64)) for train, test in splitter.split(np.zeros(len(y)), y, groups)
    ]
    classes = len(np.unique(y))
    if any(len(test) == 0 or len(np.unique(y[train])) < classes for train, test in found):
        raise ValueError(f"expected every class in every training part and no empty fold, which fails with {few}")
    return found
