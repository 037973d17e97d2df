"""One split of the nodes of a graph under a protocol: fit, choose on validation, read the test nodes once."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphcl._arguments import check_choice
from graphcl.evaluate._checks import FloatArray, IntArray
from graphcl.evaluate._classifiers import standardise
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._node_checks import Rows, check_classes, check_node_labels, check_parts, check_rows, take
from graphcl.evaluate._threads import quiet
from graphcl.evaluate.knn import knn_votes
from graphcl.evaluate.logistic import fit_logistic
from graphcl.evaluate.node_protocols import NodeProtocol
from graphcl.evaluate.node_splits import NodeSplit

__all__ = ["METRICS", "SplitScore", "node_score", "score_of"]

METRICS = ("accuracy", "auc")
TORCH_ROWS = 100_000  # training nodes above which torch's probe is the faster one


class SplitScore(NamedTuple):
    """The score of one split.

    Args:
        score: Of the test nodes, in [0, 1].
        choice: The chosen C or number of neighbours.
        unconverged: Number of fits that reached the iteration limit.
        validation: Score of the validation nodes, or of the inner folds, under that choice, in [0, 1].
    """

    score: float
    choice: float
    unconverged: int
    validation: float = float("nan")


def node_score(
    embeddings: Any,
    labels: Any,
    split: NodeSplit,
    protocol: NodeProtocol,
    *,
    metric: str = "accuracy",
    solver: str = "auto",
) -> SplitScore:
    """The score of frozen embeddings on one split.

    Args:
        embeddings: One row per node [nodes, dimensions], array or tensor, from the encoder in eval mode on the clean
            graph.
        labels: One class per node [nodes]; those of nodes outside the split are not looked at.
        split: The parts, as arrays or tensors of node numbers.
        protocol: What to do; see ``node_protocol(name)``.
        metric: ``accuracy``, or ``auc`` (area under the ROC curve) for two classes; it chooses the setting too.
        solver: Of ``logistic``: ``sklearn``, ``torch``, or ``auto``: torch for embeddings on a CUDA device and above
            100,000 training nodes.

    Returns:
        A ``SplitScore``.

    Raises:
        ValueError: Embeddings that are not finite, labels that are NaN or of the wrong shape, a training part without
            one of the classes, parts that overlap, a metric or solver that does not exist or does not fit.

    Example:
        >>> from graphcl.evaluate import node_protocol, random_splits
        >>> y = np.arange(100) % 2
        >>> x = np.random.default_rng(0).normal(size=(100, 4)) + 9 * y[:, None]
        >>> split = random_splits(100, 1, train=0.1, validation=0.1)[0]
        >>> node_score(x, y, split, node_protocol("node-linear-random")).score
        1.0
    """
    check_protocol(protocol, NodeProtocol)
    if protocol.probe in ("kmeans", "link"):
        other = "kmeans_scores" if protocol.probe == "kmeans" else "link_score"
        raise ValueError(f"expected a protocol that learns from the labels of nodes, got {protocol.name}; use {other}")
    x = check_rows(embeddings)
    split = check_parts(split, len(x))
    y = check_node_labels(labels, len(x), np.concatenate(split))
    check_task(y, [split], protocol, metric)
    check_choice("solver", solver, ("auto", "sklearn", "torch"))
    with quiet():
        return score_split(x, y, split, protocol, metric, solver)


def check_task(y: IntArray, splits: list[NodeSplit], protocol: NodeProtocol, metric: str) -> None:
    """Refuse a metric that does not fit, splits with an empty part, and splits without one of the classes."""
    needed = ("test",) if protocol.inner else ("validation", "test")
    for number, split in enumerate(splits):
        if lacking := [part for part in needed if not len(getattr(split, part))]:
            where = f"the {' and the '.join(lacking)} part of split {number}"
            raise ValueError(f"expected nodes in {where} for {protocol.name}, got none")
    if metric not in METRICS:
        raise ValueError(f"expected the metric {' or '.join(METRICS)}, got {metric!r}")
    if metric == "auc" and y.max() > 1:
        raise ValueError(f"expected two classes for the AUC, got {y.max() + 1}")
    if metric != "accuracy" and protocol.probe == "liblinear":
        raise ValueError(f"expected the metric accuracy for {protocol.name}, which chooses by it, got {metric!r}")
    check_classes(y, splits, metric)


def score_split(
    x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol, metric: str, solver: str = "auto"
) -> SplitScore:
    """The score on checked input."""
    if protocol.probe == "liblinear":
        return _liblinear(x, y, split, protocol)
    fits = _neighbours(x, y, split, protocol) if protocol.probe == "knn" else _logistic(x, y, split, protocol, solver)
    best, chosen, test_scores, unconverged = -np.inf, 0.0, None, 0
    for setting, validation, test, bad in fits:
        value = score_of(y[split.validation], validation, metric)
        unconverged += bad
        if value > best:  # the first best one: the smallest C, the fewest neighbours
            best, chosen, test_scores = value, setting, test
    assert test_scores is not None  # the grid is never empty
    return SplitScore(score_of(y[split.test], test_scores(), metric), chosen, unconverged, best)


def score_of(labels: IntArray, scores: FloatArray, metric: str) -> float:
    """The metric in [0, 1] of scores ``[n, K]`` whose largest is the prediction."""
    if metric == "accuracy":
        return float((scores.argmax(axis=1) == labels).mean())
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores[:, 1] - scores[:, 0]))


# setting, scores of the validation nodes, a function that gives those of the test nodes, fits without convergence
Fits = Iterator[tuple[float, FloatArray, Any, int]]


def _neighbours(x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol) -> Fits:
    counts = [int(k) for k in protocol.grid if k <= len(split.train)]
    train, labels, classes = take(x, split.train), y[split.train], int(y.max()) + 1
    votes = knn_votes(train, labels, take(x, split.validation), counts, classes=classes)
    for row, k in enumerate(counts):
        yield k, votes[row], lambda k=k: knn_votes(train, labels, take(x, split.test), [k], classes=classes)[0], 0


def _logistic(x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol, solver: str) -> Fits:
    # Classes of a few nodes may be missing from the training part: nobody predicts them.
    present, codes = np.unique(y[split.train], return_inverse=True)
    on_device = isinstance(x, Tensor)
    if solver == "torch" or (solver == "auto" and (on_device or len(split.train) > TORCH_ROWS)):
        yield from _torch_logistic(x, codes, present, int(y.max()) + 1, split, protocol)
        return
    from sklearn.linear_model import LogisticRegression

    train, validation = scaled(protocol, take(x, split.train), take(x, split.validation))
    basis = _row_space(train)
    fitted = train if basis is None else train @ basis
    for penalty in protocol.grid:
        machine: Any = LogisticRegression(C=penalty, max_iter=protocol.max_iter).fit(fitted, codes)

        def scores(rows: FloatArray, machine: Any = machine) -> FloatArray:
            found = machine.decision_function(rows if basis is None else rows @ basis)
            found = np.stack([np.zeros(len(found)), found], axis=1) if found.ndim == 1 else found
            return _widen(found, present, int(y.max()) + 1)

        def test(scores: Any = scores) -> FloatArray:
            return scores(scaled(protocol, take(x, split.train), take(x, split.test))[1])

        yield penalty, scores(validation), test, int(np.max(machine.n_iter_) >= protocol.max_iter)


def _row_space(train: FloatArray) -> FloatArray | None:
    """An orthonormal basis [d, n] of the training rows where they are fewer than their dimensions.

    The weights of an L2-penalised model lie in the span of the rows, and a rotation does not change their length: the
    fit in these n coordinates is the fit in all d, and cheaper.
    """
    return np.linalg.qr(train.T)[0] if len(train) < train.shape[1] else None


def _torch_logistic(
    x: Rows, codes: IntArray, present: IntArray, classes: int, split: NodeSplit, protocol: NodeProtocol
) -> Fits:
    x = x if isinstance(x, Tensor) else torch.from_numpy(x)

    def rows(index: IntArray) -> Tensor:
        part = x[torch.from_numpy(index).to(x.device)].double()
        return torch.nn.functional.normalize(part) if protocol.scaler == "l2" else (part - mean) / scale

    mean, scale = x.new_zeros((), dtype=torch.float64), x.new_ones((), dtype=torch.float64)
    train = rows(split.train)
    if protocol.scaler == "standard":
        mean, variance = train.mean(dim=0), train.var(dim=0, unbiased=False)
        # As scikit-learn's scaler: a column whose variance is rounding noise is left in its own unit.
        noise = len(train) * torch.finfo(torch.float64).eps
        constant = variance <= noise * variance + (noise * mean).square()
        scale = torch.where(constant, 1.0, variance.sqrt())
        train = (train - mean) / scale
    target = torch.from_numpy(codes).to(x.device)
    validation = rows(split.validation)
    for penalty in protocol.grid:
        fit = fit_logistic(train, target, penalty=penalty, max_iter=protocol.max_iter)

        def scores(part: Tensor, fit: Any = fit) -> FloatArray:
            return _widen(fit.decision(part).cpu().numpy(), present, classes)

        yield penalty, scores(validation), lambda scores=scores: scores(rows(split.test)), int(not fit.converged)


def _widen(scores: FloatArray, present: IntArray, classes: int) -> FloatArray:
    """Scores with a column for every class; one that was not in the training part is never the largest."""
    wide = np.full((len(scores), classes), -np.inf)
    wide[:, present] = scores
    return wide


def _liblinear(x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol) -> SplitScore:
    """One logistic regression per class, C by inner folds of the training part, then fitted on all of it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
    from sklearn.multiclass import OneVsRestClassifier

    train, test = scaled(protocol, take(x, split.train), take(x, split.test))
    # As the authors do, one column of 0 and 1 per class: a prediction counts in the choice of C if it is right in all.
    columns = np.eye(int(y.max()) + 1, dtype=bool)[y]
    inner = KFold(5) if protocol.inner == "kfold" else ShuffleSplit(5, test_size=0.5, random_state=0)
    search: Any = GridSearchCV(
        OneVsRestClassifier(LogisticRegression(solver="liblinear", max_iter=protocol.max_iter)),
        {"estimator__C": protocol.grid},
        cv=inner,
        error_score="raise",
    )
    search.fit(train, columns[split.train])
    iterations = [np.max(getattr(part, "n_iter_", 0)) for part in search.best_estimator_.estimators_]
    score = score_of(y[split.test], search.predict_proba(test), "accuracy")
    unconverged = sum(int(n >= protocol.max_iter) for n in iterations)
    return SplitScore(score, float(search.best_params_["estimator__C"]), unconverged, float(search.best_score_))


def scaled(protocol: NodeProtocol, train: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both parts as the protocol scales them; what is fitted is fitted on the training part."""
    if protocol.scaler == "standard":
        return standardise(train, other)
    if protocol.scaler == "l2":
        return unit_rows(train), unit_rows(other)
    return train, other


def unit_rows(x: FloatArray) -> FloatArray:
    """Rows of length 1; a zero row stays as it is."""
    from sklearn.preprocessing import normalize

    return normalize(x)
