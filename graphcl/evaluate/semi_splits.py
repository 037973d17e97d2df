"""Folds with few labels: which graphs are learned from, which choose the epoch, which are tested."""

from typing import Any, NamedTuple

import numpy as np

from graphcl.evaluate._checks import IntArray, as_labels
from graphcl.evaluate.semi_protocols import SemiProtocol
from graphcl.evaluate.splits import stratified_folds

__all__ = ["LabelSplit", "label_splits"]


class LabelSplit(NamedTuple):
    """The graphs of each part of a fold, in ascending order; the labels of all others are not looked at."""

    train: IntArray
    validation: IntArray
    test: IntArray


def label_splits(labels: Any, protocol: SemiProtocol, *, seed: int) -> list[LabelSplit]:
    """The splits of all folds.

    The test folds are those of ``tu-rbf-svm`` under the same seed. The fold before it validates, the last one before
    the first. Of the graphs of a class that are left, the same share is labelled: parts are rounded so that they add up
    to ``round(share * left)`` (largest remainders first), and at least one of each class. They are the first ones of
    one order per seed and fold: the labels of 1 % are among those of 10 %.

    Args:
        labels: One class per graph [graphs].
        protocol: The number of folds and the share of labels.
        seed: Seed of the folds and of the draw, by convention the seed of the model.

    Returns:
        One ``LabelSplit`` for each fold.

    Raises:
        ValueError: Labels that are not classes, fewer than two classes, a class with fewer members than folds.

    Example:
        >>> from graphcl.evaluate import semi_protocol
        >>> y = np.arange(200) % 2
        >>> [len(part) for part in label_splits(y, semi_protocol("semi-supervised-10"), seed=0)[0]]
        [16, 20, 20]

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, section 5.
    """
    y = _classes(labels, protocol.folds)
    tests = [test for _, test in stratified_folds(y, protocol.folds, seed=seed)]
    splits = []
    for fold, test in enumerate(tests):
        validation = tests[fold - 1]
        left = np.setdiff1d(np.arange(len(y)), np.concatenate([test, validation]))
        generator = np.random.Generator(np.random.PCG64([seed, fold]))
        order = generator.permutation(left)
        chosen = [
            order[y[order] == label][:count]
            for label, count in enumerate(_shares(np.bincount(y[left]), protocol.share))
        ]
        splits.append(LabelSplit(np.sort(np.concatenate(chosen)).astype(np.int64), validation, test))
    return splits


def _shares(counts: IntArray, share: float) -> IntArray:
    """How many of each class: the largest remainders are rounded up, no class is left out."""
    exact = share * counts
    found = np.floor(exact).astype(np.int64)
    missing = round(share * int(counts.sum())) - int(found.sum())
    found[np.argsort(-(exact - found), kind="stable")[:missing]] += 1
    return np.clip(found, 1, counts)


def _classes(labels: Any, folds: int) -> IntArray:
    y = as_labels(labels)
    if y.ndim != 1 or (y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.round(y))).all()):
        raise ValueError(f"expected one class per graph [graphs], got shape {list(y.shape)} and dtype {y.dtype}")
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < folds:
        got = f"{counts.min()} of class {classes[counts.argmin()]}" if len(classes) > 1 else f"only {classes.tolist()}"
        raise ValueError(
            f"expected at least 2 classes, each with a graph in every one of {folds} folds, got {got}; use fewer "
            "folds: with_semi_tuning(protocol, folds=3)"
        )
    return codes.astype(np.int64)
