"""Scores of many embeddings under one protocol, kept on disk seed by seed."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphcl.evaluate._checks import (
    FloatArray,
    IntArray,
    check_embeddings,
    check_groups,
    check_kernel,
    check_labels,
    check_methods,
    check_runs,
)
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._parts import (
    Compute,
    PartScore,
    collect,
    digest_text,
    run_parts,
    warn_unconverged,
)
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate._threads import in_threads
from graphcl.evaluate._unsupervised import kernel_rows, score_run
from graphcl.evaluate.evaluation import AnyProtocol, Evaluation
from graphcl.evaluate.probes import fold_scores, folds_of
from graphcl.evaluate.protocols import Protocol
from graphcl.evaluate.splits import split_hash

__all__ = ["evaluate_embeddings", "raw_path"]


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
        An ``Evaluation``, whose metrics are ``accuracy``; ``nmi`` and ``ari`` under ``graph-kmeans``;
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
        >>> evaluate_embeddings({"raw": [x, x]}, y, few, [0, 1]).scores["raw"].tolist()
        [[100.0, 100.0, 100.0], [100.0, 100.0, 100.0]]
    """
    seeds = check_runs(seeds, n_jobs)
    kernels = kernels or {}
    matrices, y = _matrices(embeddings, kernels, labels, protocol, seeds)
    groups = check_groups(groups, len(y), protocol)

    @functools.cache
    def vectors(method: str) -> FloatArray:
        return kernel_rows(matrices[method][0])

    def nested(method: str, index: int, seed: int) -> tuple[str, Compute]:
        x = matrices[method][index]
        used = replace(protocol, kernel="precomputed", scaler=False) if method in kernels else protocol

        def compute(folds: Sequence[int]) -> list[PartScore]:
            found = fold_scores(x, y, used, seed=seed, groups=groups, only=folds, n_jobs=n_jobs)
            return [PartScore({"accuracy": s.accuracy}, s.penalty, s.validation, s.unconverged) for s in found]

        return _key(x, y, used, seed, groups), compute

    def unsupervised(method: str, index: int, seed: int) -> tuple[str, Compute]:
        """Clusters and retrieval: all graphs, no folds."""
        x = matrices[method][index]
        common = digest_text(protocol.probe, protocol.kernel, protocol.grid, y)
        key = digest_text(common, digest_text(x.shape, x, method in kernels))

        def score(run: int) -> PartScore:
            return score_run(vectors(method) if method in kernels else x, y, protocol, run)

        return key, in_threads(score, n_jobs)

    task_of = nested if protocol.nested else unsupervised
    rows = run_parts(matrices, seeds, protocol.folds, protocol.metrics, task_of, RawFile(raw), progress=progress)
    folds = [folds_of(y, groups, protocol.folds, seed=seed) if protocol.nested else [] for seed in seeds]
    tested = len(y) / protocol.folds
    evaluation = collect(
        rows,
        protocol,
        seeds,
        protocol.metrics,
        num_tested=len(y),
        sizes=(tested, len(y) - tested) if protocol.nested else None,
        split_hash=split_hash(folds),
    )
    fits = len(seeds) * protocol.folds * (len(protocol.grid) * protocol.inner_folds + 1)
    warn_unconverged(evaluation, protocol.max_iter, "LinearSVC fits", f", of {fits} for each method")
    return evaluation


def raw_path(folder: str | Path, dataset: str, protocol: AnyProtocol, features: str = "") -> Path:
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


def _matrices(
    embeddings: Mapping[str, Sequence[Any]],
    kernels: Mapping[str, Any],
    labels: Any,
    protocol: Protocol,
    seeds: Sequence[int],
) -> tuple[dict[str, list[FloatArray]], IntArray]:
    """Check everything before the first fit, as a fit may come an hour later."""
    check_protocol(protocol, Protocol)
    checked = check_methods(embeddings, seeds, check_embeddings)
    if twice := sorted(set(checked) & set(kernels)):
        raise ValueError(f"expected a method under embeddings or under kernels, got both for {', '.join(twice)}")
    for method, kernel in kernels.items():
        checked[method] = [check_kernel(kernel)] * len(seeds)
    if not checked:
        raise ValueError("expected embeddings or kernels of at least one method, got none")
    num_graphs = len(next(iter(checked.values()))[0])
    for method, own in checked.items():
        for x in own:
            if len(x) != num_graphs:
                raise ValueError(f"expected {num_graphs} graphs in all embeddings, got {len(x)} for {method}")
    return checked, check_labels(labels, num_graphs, protocol)


def _key(x: FloatArray, y: IntArray, protocol: Protocol, seed: int, groups: IntArray | None) -> str:
    settings = (
        protocol.kernel,
        protocol.scaler,
        protocol.grid,
        protocol.folds,
        protocol.inner_folds,
        protocol.max_iter,
    )
    # Scores of classifiers that were there before other probes keep their keys.
    words = (settings, seed, x.shape) if protocol.probe == "svm" else (settings, protocol.probe, seed, x.shape)
    return digest_text(words, x, y, *([] if groups is None else [groups]))
