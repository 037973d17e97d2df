"""Scores of many embeddings under one protocol, kept on disk seed by seed, and the table rows made of them."""

import functools
import hashlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphcl.evaluate._checks import (
    FloatArray,
    IntArray,
    check_embeddings,
    check_groups,
    check_kernel,
    check_labels,
    check_protocol,
    check_runs,
)
from graphcl.evaluate._parts import PartRow, digest_text, run_parts
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate._unsupervised import kernel_rows, score_run
from graphcl.evaluate.node_protocols import NodeProtocol
from graphcl.evaluate.probes import FoldScore, fold_scores, folds_of
from graphcl.evaluate.protocols import Protocol
from graphcl.evaluate.splits import split_hash

__all__ = ["Evaluation", "evaluate_embeddings", "raw_path"]


@dataclass(frozen=True)
class Evaluation:
    """Scores of several methods under one protocol, on the same folds.

    Args:
        protocol: How they were scored.
        seeds: Model seeds, which are the fold seeds too.
        accuracy: For each method, percent [seeds, folds]; empty where the protocol has no folds.
        penalty: For each method, the chosen C or number of neighbours [seeds, folds]; empty likewise.
        unconverged: For each method, the number of ``LinearSVC`` fits that reached the iteration limit.
        seconds: For each method, the time its scores took, in this run or an earlier one.
        num_graphs: Graphs in the data set.
        split_hash: Hash of the folds of all seeds.
        others: For each other metric and method, percent [seeds, runs].
    """

    protocol: Protocol
    seeds: tuple[int, ...]
    accuracy: dict[str, FloatArray]
    penalty: dict[str, FloatArray]
    unconverged: dict[str, int]
    seconds: dict[str, float]
    num_graphs: int
    split_hash: str
    others: dict[str, dict[str, FloatArray]] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, dict[str, FloatArray]]:
        """For each metric and method, percent [seeds, folds]."""
        return ({"accuracy": self.accuracy} if self.protocol.nested else {}) | self.others

    @property
    def num_tested(self) -> int:
        """Graphs that one seed tests, over all its folds."""
        return self.num_graphs

    @property
    def sizes(self) -> tuple[float, float] | None:
        """Graphs in a test fold, and in the training part beside it; ``None`` where nothing is held out."""
        if not self.protocol.nested:
            return None
        tested = self.num_graphs / self.protocol.folds
        return tested, self.num_graphs - tested


@dataclass(frozen=True)
class _Row:
    """The score of one fold as the raw file keeps it."""

    method: str
    seed: int
    fold: int
    accuracy: float
    penalty: float
    unconverged: int
    seconds: float
    key: str

    @property
    def part(self) -> int:
        return self.fold


def evaluate_embeddings(
    embeddings: Mapping[str, Sequence[Any]],
    labels: Any,
    protocol: Protocol,
    seeds: Sequence[int],
    *,
    kernels: Mapping[str, Any] | None = None,
    groups: Any = None,
    raw: str | Path | None = None,
    n_jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
    """Score each method's embedding of each seed on the folds of that seed.

    With a raw file, every score is written as soon as its seed is done, and a score whose embedding, labels, protocol
    and seed are the same as before is read and not computed again: an interrupted table goes on where it stopped.

    Args:
        embeddings: For each method its embeddings [graphs, dimensions], one for each seed.
        labels: One class per graph [graphs].
        protocol: How to score.
        seeds: The model seeds; each is the seed of its folds too, so that differences between methods are paired.
        kernels: Kernel matrices [graphs, graphs] of methods that have a kernel and no embeddings (Weisfeiler-Lehman);
            they are used with the folds, grid and selection of the protocol, or for clusters and retrieval as the
            vectors whose products they are.
        groups: Group of each graph [graphs], as ``wl_classes`` gives them, for a protocol that is ``grouped``.
        raw: CSV file of the scores per seed and fold; see ``raw_path``.
        n_jobs: Threads to share the folds.
        progress: Called with method and seed after each.

    Returns:
        An ``Evaluation``, whose ``tables`` are by metric, ``accuracy``; ``nmi`` and ``ari`` under ``graph-kmeans``;
        ``precision@1`` and so on under ``graph-retrieval``.

    Raises:
        ValueError: No seeds or repeated ones, another number of embeddings than seeds, or what ``fold_scores`` refuses.
        DataError: An unreadable raw file.

    Warns:
        RuntimeWarning: ``LinearSVC`` fits that did not converge, with their number.

    Example:
        >>> import numpy as np
        >>> from graphcl.evaluate import evaluate_embeddings, protocol, with_folds
        >>> y = np.arange(30) % 2
        >>> x = np.stack([y, y], axis=1)
        >>> few = with_folds(protocol("tu-rbf-svm"), 3, 3)
        >>> evaluate_embeddings({"raw": [x, x]}, y, few, [0, 1]).accuracy["raw"].tolist()
        [[100.0, 100.0, 100.0], [100.0, 100.0, 100.0]]
    """
    check_runs(seeds, n_jobs)
    tasks, y = _tasks(embeddings, kernels or {}, labels, protocol, seeds)
    groups = check_groups(groups, len(y), protocol)
    path = Path(raw) if raw is not None else None
    if not protocol.nested:
        runs = RawFile(path, PartRow)
        return _unsupervised(tasks, y, protocol, seeds, kernels or {}, runs, n_jobs=n_jobs, progress=progress)
    store = RawFile(path, _Row)
    rows: dict[str, list[list[_Row]]] = {}
    for method, matrices in tasks.items():
        rows[method] = []
        used = replace(protocol, kernel="precomputed", scaler=False) if method in (kernels or {}) else protocol
        for seed, matrix in zip(seeds, matrices, strict=True):
            key = _key(matrix, y, used, seed, groups)
            done = store.find(method, seed, key)
            missing = [fold for fold in range(protocol.folds) if fold not in done]
            if missing:
                start = time.perf_counter()
                scores = fold_scores(matrix, y, used, seed=seed, groups=groups, only=missing, n_jobs=n_jobs)
                each = (time.perf_counter() - start) / len(missing)
                done |= {score.fold: _row(method, seed, score, each, key) for score in scores}
                store.put(method, seed, done.values())
            rows[method].append([done[fold] for fold in range(protocol.folds)])
            if progress is not None:
                progress(method, seed)
    evaluation = _collect(rows, y, protocol, seeds, groups)
    _warn(evaluation)
    return evaluation


def raw_path(folder: str | Path, dataset: str, protocol: Protocol | NodeProtocol, features: str = "") -> Path:
    """Where the scores per seed and fold of a data set and protocol lie.

    Args:
        folder: For example ``benchmarks/results/raw``.
        dataset: Name of the data set.
        protocol: The protocol.
        features: Node features, where they were a choice.

    Example:
        >>> from graphcl.evaluate import protocol
        >>> raw_path("raw", "IMDB-BINARY", protocol("tu-rbf-svm"), "constant").as_posix()
        'raw/IMDB-BINARY.constant.tu-rbf-svm.csv'
    """
    return Path(folder) / ".".join(part for part in (dataset, features, protocol.name, "csv") if part)


def _tasks(
    embeddings: Mapping[str, Sequence[Any]],
    kernels: Mapping[str, Any],
    labels: Any,
    protocol: Protocol,
    seeds: Sequence[int],
) -> tuple[dict[str, list[FloatArray]], IntArray]:
    """Check everything before the first fit, as a fit may come an hour later."""
    check_protocol(protocol, Protocol, "protocol")
    if not isinstance(embeddings, Mapping):
        raise TypeError(
            f"expected embeddings by method, one array per seed, got {type(embeddings).__name__}; write "
            "{'mine': [embeddings]}"
        )
    if twice := sorted(set(embeddings) & set(kernels)):
        raise ValueError(f"expected a method under embeddings or under kernels, got both for {', '.join(twice)}")
    tasks: dict[str, list[FloatArray]] = {}
    for method, matrices in embeddings.items():
        if getattr(matrices, "ndim", 3) < 3:
            raise TypeError(
                f"expected one array per seed for {method}, got one alone; write {{{method!r}: [embeddings]}}"
            )
        if len(matrices) != len(seeds):
            raise ValueError(f"expected {len(seeds)} embeddings of {method}, one for each seed, got {len(matrices)}")
        tasks[method] = [check_embeddings(x, f"embeddings of {method}") for x in matrices]
    for method, kernel in kernels.items():
        tasks[method] = [check_kernel(kernel)] * len(seeds)
    if not tasks:
        raise ValueError("expected embeddings or kernels of at least one method, got none")
    num_graphs = len(next(iter(tasks.values()))[0])
    for method, checked in tasks.items():
        for x in checked:
            if len(x) != num_graphs:
                raise ValueError(f"expected {num_graphs} graphs in all embeddings, got {len(x)} for {method}")
    return tasks, check_labels(labels, num_graphs, protocol)


def _unsupervised(
    tasks: Mapping[str, list[FloatArray]],
    y: IntArray,
    protocol: Protocol,
    seeds: Sequence[int],
    kernels: Mapping[str, Any],
    store: RawFile[PartRow],
    *,
    n_jobs: int,
    progress: Callable[[str, int], None] | None,
) -> Evaluation:
    """Clusters and retrieval: all graphs, no folds."""
    rows_of = {method: functools.cache(lambda m=method: kernel_rows(tasks[m][0])) for method in kernels}

    def task_of(method: str, index: int, seed: int) -> tuple[str, Callable[[int], Any]]:
        x = tasks[method][index]
        made_of = digest_text(x.shape, x, method in kernels)
        return made_of, lambda run: score_run(rows_of[method]() if method in kernels else x, y, protocol, run)

    common = digest_text(protocol.probe, protocol.kernel, protocol.grid, y)
    metrics = protocol.metrics
    found = run_parts(
        list(tasks), seeds, protocol.folds, metrics, task_of, common, store, n_jobs=n_jobs, progress=progress
    )

    def table(method: str, metric: str) -> FloatArray:
        return np.array([[100 * row.score for row in own if row.metric == metric] for own in found[method]])

    return Evaluation(
        protocol=protocol,
        seeds=tuple(seeds),
        accuracy={},
        penalty={},
        unconverged=dict.fromkeys(found, 0),
        seconds={method: round(sum(row.seconds for own in rows for row in own), 3) for method, rows in found.items()},
        num_graphs=len(y),
        split_hash=split_hash([[] for _ in seeds]),
        others={metric: {method: table(method, metric) for method in found} for metric in metrics},
    )


def _key(matrix: FloatArray, y: IntArray, protocol: Protocol, seed: int, groups: IntArray | None) -> str:
    digest = hashlib.sha256()
    settings = (
        protocol.kernel,
        protocol.scaler,
        protocol.grid,
        protocol.folds,
        protocol.inner_folds,
        protocol.max_iter,
    )
    # Scores of classifiers that were there before other probes keep their keys.
    words = (
        (settings, seed, matrix.shape) if protocol.probe == "svm" else (settings, protocol.probe, seed, matrix.shape)
    )
    digest.update(repr(words).encode())
    digest.update(matrix.tobytes())
    digest.update(y.tobytes())
    if groups is not None:
        digest.update(groups.tobytes())
    return digest.hexdigest()[:16]


def _row(method: str, seed: int, score: FoldScore, seconds: float, key: str) -> _Row:
    return _Row(method, seed, score.fold, score.accuracy, score.penalty, score.unconverged, round(seconds, 3), key)


def _collect(
    rows: Mapping[str, list[list[_Row]]],
    y: IntArray,
    protocol: Protocol,
    seeds: Sequence[int],
    groups: IntArray | None,
) -> Evaluation:
    def table(method: str, value: Callable[[_Row], float]) -> FloatArray:
        return np.array([[value(row) for row in folds] for folds in rows[method]], dtype=np.float64)

    return Evaluation(
        protocol=protocol,
        seeds=tuple(seeds),
        accuracy={method: table(method, lambda row: 100 * row.accuracy) for method in rows},
        penalty={method: table(method, lambda row: row.penalty) for method in rows},
        unconverged={method: sum(row.unconverged for folds in rows[method] for row in folds) for method in rows},
        seconds={method: round(sum(row.seconds for folds in rows[method] for row in folds), 3) for method in rows},
        num_graphs=len(y),
        split_hash=split_hash([folds_of(y, groups, protocol.folds, seed=seed) for seed in seeds]),
    )


def _warn(evaluation: Evaluation) -> None:
    fits = len(evaluation.seeds) * evaluation.protocol.folds
    fits *= len(evaluation.protocol.grid) * evaluation.protocol.inner_folds + 1
    found = [f"{count} for {method}" for method, count in evaluation.unconverged.items() if count]
    if found:
        warnings.warn(
            f"{evaluation.protocol.name}: LinearSVC fits that reached max_iter={evaluation.protocol.max_iter}: "
            f"{', '.join(found)}, of {fits} for each method; their scores stand, but read them with care",
            RuntimeWarning,
            stacklevel=3,
        )
