"""Nested cross-validation of frozen embeddings: outer folds score, inner folds choose ``C`` or the neighbours' number.

The test fold is read once. The scores equal those of scikit-learn's ``GridSearchCV`` around ``SVC``, ``LinearSVC`` or a
``Pipeline`` with a scaler, fold by fold, but where graphs lie equally far apart and rounding decides. They come faster
because kernels are shared by the whole grid and distances by all folds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphcl.evaluate._checks import (
    IntArray,
    check_embeddings,
    check_groups,
    check_kernel,
    check_labels,
)
from graphcl.evaluate._classifiers import (
    RBF,
    Classifier,
    Linear,
    Neighbours,
    Precomputed,
    ScaledRBF,
    squared_distances,
)
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._threads import in_threads
from graphcl.evaluate.duplicates import grouped_folds
from graphcl.evaluate.protocols import Protocol
from graphcl.evaluate.splits import Fold, stratified_folds

__all__ = ["FoldScore", "fold_scores", "kernel_fold_scores"]


class FoldScore(NamedTuple):
    """The score of one outer fold.

    Args:
        fold: Number of the fold.
        accuracy: Share of the test part that was right, in [0, 1].
        penalty: The chosen C, or number of neighbours.
        predictions: Predicted classes of the test part, as positions among the sorted classes.
        unconverged: Number of ``LinearSVC`` fits that reached the iteration limit.
        validation: Mean accuracy over the inner folds with the chosen C, in [0, 1]: what methods may be chosen by.
    """

    fold: int
    accuracy: float
    penalty: float
    predictions: IntArray
    unconverged: int
    validation: float = float("nan")


def fold_scores(
    embeddings: Any,
    labels: Any,
    protocol: Protocol,
    *,
    seed: int,
    groups: Any = None,
    only: Sequence[int] | None = None,
    n_jobs: int = 1,
) -> list[FoldScore]:
    """The score of each outer fold of a protocol.

    Args:
        embeddings: One row per graph [graphs, dimensions], array or tensor, from the encoder in eval mode.
        labels: One class per graph [graphs].
        protocol: What to do; see ``protocol(name)``.
        seed: Seed of the outer folds, by convention the seed of the model.
        groups: Group of each graph [graphs], for a protocol that is ``grouped``.
        only: Numbers of the outer folds to compute; all when left out.
        n_jobs: Threads to share the folds; the solvers leave the interpreter lock.

    Returns:
        One ``FoldScore`` for each outer fold, in order.

    Raises:
        ValueError: Embeddings that are not finite, labels of the wrong shape, a class with fewer members than folds, a
            protocol without folds.

    Example:
        >>> import numpy as np
        >>> from graphcl.evaluate import fold_scores, protocol
        >>> y = np.arange(60) % 2
        >>> x = np.random.default_rng(0).normal(size=(60, 4)) + 5 * y[:, None]
        >>> [score.accuracy for score in fold_scores(x, y, protocol("tu-rbf-svm"), seed=0, only=[0, 1])]
        [1.0, 1.0]
    """
    _check_folds(protocol)
    if protocol.kernel == "precomputed":
        return kernel_fold_scores(embeddings, labels, protocol, seed=seed, groups=groups, only=only, n_jobs=n_jobs)
    x = check_embeddings(embeddings)
    y = check_labels(labels, len(x), protocol)
    classifier: Classifier
    if protocol.probe == "knn":
        classifier = Neighbours.by_cosine(x)
    elif protocol.kernel == "linear":
        classifier = Linear(x, protocol.scaler, protocol.max_iter)
    elif protocol.scaler:
        classifier = ScaledRBF(x)
    else:
        classifier = RBF(x, squared_distances(x, x))
    return _all_folds(classifier, y, protocol, seed=seed, groups=groups, only=only, n_jobs=n_jobs)


def kernel_fold_scores(
    kernel: Any,
    labels: Any,
    protocol: Protocol,
    *,
    seed: int,
    groups: Any = None,
    only: Sequence[int] | None = None,
    n_jobs: int = 1,
) -> list[FoldScore]:
    """Fold scores on a kernel matrix, with the folds, the grid and the selection of a protocol.

    The classifier is ``SVC``, or under ``graph-knn`` the vote of neighbours by cosine in the space of the kernel.

    Args:
        kernel: Symmetric kernel matrix [graphs, graphs].
        labels: One class per graph [graphs].
        protocol: Gives folds, inner folds and grid; its own kernel and scaler are not used.
        seed: Seed of the outer folds.
        groups: Group of each graph [graphs], for a protocol that is ``grouped``.
        only: Numbers of the outer folds to compute; all when left out.
        n_jobs: Threads to share the folds; the solvers leave the interpreter lock.

    Returns:
        One ``FoldScore`` for each outer fold, in order.

    Raises:
        ValueError: A matrix that is not symmetric or not finite, labels that do not fit.

    Example:
        >>> import numpy as np
        >>> from graphcl.evaluate import kernel_fold_scores, protocol
        >>> y = np.arange(60) % 2
        >>> x = np.stack([y, 1 - y], axis=1)
        >>> kernel_fold_scores(x @ x.T, y, protocol("tu-rbf-svm"), seed=0, only=[3])[0].accuracy
        1.0
    """
    _check_folds(protocol)
    gram = check_kernel(kernel)
    y = check_labels(labels, len(gram), protocol)
    classifier = Neighbours.by_kernel(gram) if protocol.probe == "knn" else Precomputed(gram)
    return _all_folds(classifier, y, protocol, seed=seed, groups=groups, only=only, n_jobs=n_jobs)


def _check_folds(protocol: Protocol) -> None:
    check_protocol(protocol, Protocol)
    if not protocol.nested:
        raise ValueError(f"expected a protocol with folds, got {protocol.name}; use evaluate_embeddings")


def choose_penalty(
    classifier: Classifier, y: IntArray, train: IntArray, protocol: Protocol, groups: IntArray | None = None
) -> tuple[float, float, int]:
    """The first C with the best mean accuracy over the inner folds, that accuracy, and the count of bad fits."""
    accuracies = np.empty((len(protocol.grid), protocol.inner_folds))
    unconverged = 0
    inner = folds_of(y[train], None if groups is None else groups[train], protocol.inner_folds)
    for number, (fit, validate) in enumerate(inner):
        predictions, bad = classifier(y, train[fit], train[validate], protocol.grid)
        accuracies[:, number] = (predictions == y[train[validate]]).mean(axis=1)
        unconverged += bad
    # np.average over rows, as GridSearchCV does: ties must be ties there and here, to the last bit.
    means = np.average(accuracies, axis=1)
    return protocol.grid[int(np.argmax(means))], float(means.max()), unconverged


def folds_of(y: IntArray, groups: IntArray | None, folds: int, *, seed: int | None = None) -> list[Fold]:
    """Stratified folds, that keep the groups together where there are any."""
    return stratified_folds(y, folds, seed=seed) if groups is None else grouped_folds(y, groups, folds, seed=seed)


def score_fold(
    classifier: Classifier, y: IntArray, number: int, fold: Fold, protocol: Protocol, groups: IntArray | None = None
) -> FoldScore:
    """Choose C on the training part, fit it once more on all of that part, read the test part once."""
    train, test = fold
    penalty, validation, unconverged = choose_penalty(classifier, y, train, protocol, groups)
    predictions, bad = classifier(y, train, test, [penalty])
    accuracy = float((predictions[0] == y[test]).mean())
    return FoldScore(number, accuracy, penalty, predictions[0], unconverged + bad, validation)


def _all_folds(
    classifier: Classifier,
    y: IntArray,
    protocol: Protocol,
    *,
    seed: int,
    groups: Any,
    only: Sequence[int] | None,
    n_jobs: int,
) -> list[FoldScore]:
    if n_jobs < 1:
        raise ValueError(f"expected n_jobs of at least 1, got {n_jobs}")
    groups = check_groups(groups, len(y), protocol)
    folds = folds_of(y, groups, protocol.folds, seed=seed)
    numbers = list(range(len(folds))) if only is None else sorted(set(only))
    if numbers and not 0 <= numbers[0] <= numbers[-1] < len(folds):
        raise ValueError(f"expected fold numbers from 0 to {len(folds) - 1}, got {numbers}")
    score = in_threads(lambda number: score_fold(classifier, y, number, folds[number], protocol, groups), n_jobs)
    return score(numbers)
