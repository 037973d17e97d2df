"""Scores of many node embeddings under one protocol, on the same splits, kept on disk seed by seed."""

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphcl.evaluate._checks import FloatArray, IntArray, check_graph, check_protocol, check_runs, to_numpy
from graphcl.evaluate._node_checks import Rows, check_node_labels, check_rows, take
from graphcl.evaluate._parts import NONE, PartRow, Scores, digest_text, run_parts
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.clustering import kmeans_scores
from graphcl.evaluate.link import LinkSplit, link_score
from graphcl.evaluate.node_probes import check_task, score_of, score_split, unit_rows
from graphcl.evaluate.node_protocols import NodeProtocol
from graphcl.evaluate.node_splits import NodeSplit, node_split_hash, node_splits
from graphcl.evaluate.supervised import NodeModel

__all__ = ["NodeEvaluation", "evaluate_links", "evaluate_nodes"]

RAW = "raw"


@dataclass(frozen=True)
class NodeEvaluation:
    """Scores of several methods under one node-level protocol, on the same splits.

    Args:
        protocol: How they were scored.
        seeds: Model seeds; the splits are the same for all of them.
        tables: For each metric and method, percent [seeds, splits].
        choice: For each method, the chosen C or number of neighbours [seeds, splits].
        validation: For each method, percent [seeds, splits] of the validation nodes, or of the inner folds, under that
            choice; NaN where nothing is chosen. What to compare methods by, where one of them is to be chosen.
        unconverged: For each method, the number of fits that reached the iteration limit.
        seconds: For each method, the time its scores took, in this run or an earlier one.
        num_tested: Nodes, or pairs, that one split tests; the average where splits differ.
        sizes: What a split tests, and the labels that it gives away before (training and validation); ``None`` where
            no data is resampled, so that nothing is to be corrected for.
        split_hash: Hash of all splits.
    """

    protocol: NodeProtocol
    seeds: tuple[int, ...]
    tables: dict[str, dict[str, FloatArray]]
    choice: dict[str, FloatArray]
    validation: dict[str, FloatArray]
    unconverged: dict[str, int]
    seconds: dict[str, float]
    num_tested: int
    sizes: tuple[float, float] | None
    split_hash: str


def evaluate_nodes(
    embeddings: Mapping[str, Sequence[Any]],
    data: Any,
    protocol: NodeProtocol,
    seeds: Sequence[int],
    *,
    models: Mapping[str, NodeModel] | None = None,
    metric: str = "accuracy",
    raw: str | Path | None = None,
    n_jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> NodeEvaluation:
    """Score each method's embedding of each seed on the splits of a protocol.

    With a raw file, every score is written as soon as its seed is done, and a score whose embedding, labels, splits and
    protocol are the same as before is read and not computed again.

    Args:
        embeddings: For each method its embeddings [nodes, dimensions], one for each seed. The name ``raw`` is for the
            node features: see :mod:`graphcl.evaluate.node_protocols` on their scaler.
        data: The graph: ``y`` [nodes], and its masks where the protocol uses them. Its edges and features are not read.
        protocol: How to score; not a link protocol, for which there is :func:`evaluate_links`.
        seeds: The model seeds.
        models: Models that learn from labels, scored on the same splits; only under protocols that fit a probe.
        metric: ``accuracy``, or ``auc`` for two classes; k-means gives ``nmi`` and ``ari`` whatever is said here.
        raw: CSV file of the scores per seed and split; see ``raw_path``.
        n_jobs: Threads to share the splits.
        progress: Called with method and seed after each.

    Returns:
        A ``NodeEvaluation``.

    Raises:
        ValueError: No seeds or repeated ones, another number of embeddings than seeds or of rows than nodes, and what
            ``node_splits`` and ``node_score`` refuse.
        DataError: An unreadable raw file.

    Warns:
        RuntimeWarning: Fits that did not converge, with their number.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import evaluate_nodes, node_protocol
        >>> network = load("synthetic-social")[0]
        >>> scores = evaluate_nodes({"raw": [network.x]}, network, node_protocol("node-fixed-splits"), [0])
        >>> scores.tables["accuracy"]["raw"].round(1).tolist()
        [[31.9]]
    """
    check_protocol(protocol, NodeProtocol, "node_protocol")
    if protocol.probe == "link":
        raise ValueError(f"expected a protocol that scores nodes, got {protocol.name}; use evaluate_links")
    check_runs(seeds, n_jobs)
    if (models or {}) and protocol.probe not in ("logistic", "liblinear"):
        raise ValueError(f"expected models under a protocol that learns from labels, got {protocol.name}")
    num_nodes = check_graph(data)
    checked = _check_embeddings(embeddings, num_nodes, seeds, models or {})
    splits = node_splits(data, protocol)
    used = np.unique(np.concatenate([part for split in splits for part in split])) if splits else None
    y = check_node_labels(data.y, num_nodes, used)
    if protocol.probe == "kmeans":
        _check_clusters(y)
    else:
        check_task(y, splits, protocol, metric)
    metrics = ("nmi", "ari") if protocol.probe == "kmeans" else (metric,)
    number = protocol.count if protocol.probe == "kmeans" else len(splits)

    def task_of(method: str, row: int, seed: int) -> tuple[str, Callable[[int], Any]]:
        if method in (models or {}):
            model = (models or {})[method]
            return model.key + str(seed), lambda part: _model_scores(model, y, splits[part], seed, metric)
        x = checked[method][row]
        settings = replace(protocol, scaler="l2") if method == RAW and protocol.scaler == "standard" else protocol
        if protocol.probe == "kmeans":
            return _digest(x), lambda part: _clusters(x, y, part, settings)
        return _digest(x), lambda part: _probe_scores(x, y, splits[part], settings, metric)

    common = digest_text(_settings(protocol), node_split_hash(splits), metrics, y)
    store = RawFile(Path(raw) if raw is not None else None, PartRow)
    rows = run_parts(
        [*checked, *(models or {})], seeds, number, metrics, task_of, common, store, n_jobs=n_jobs, progress=progress
    )
    tested = float(np.mean([len(split.test) for split in splits])) if splits else float(len(y))
    seen = float(np.mean([len(split.train) + len(split.validation) for split in splits])) if splits else 0.0
    resampled = protocol.splits == "random" or (protocol.splits == "fixed" and len(splits) > 1)
    return _collect(
        rows, protocol, seeds, metrics, round(tested), (tested, seen) if resampled else None, node_split_hash(splits)
    )


def evaluate_links(
    embeddings: Mapping[str, Sequence[Any]],
    splits: Sequence[LinkSplit],
    protocol: NodeProtocol,
    seeds: Sequence[int],
    *,
    raw: str | Path | None = None,
    n_jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> NodeEvaluation:
    """Score each method's embedding of each seed on the held-out edges of that seed.

    Args:
        embeddings: For each method its embeddings [nodes, dimensions], one for each seed, each made from the graph of
            that seed's split.
        splits: For each seed its split: ``link_split(data, seed=seed)``, or OGB's.
        protocol: ``link`` or ``ogb-link``.
        seeds: The model seeds.
        raw: CSV file of the scores per seed.
        n_jobs: Threads to share the seeds of one method.
        progress: Called with method and seed after each.

    Returns:
        A ``NodeEvaluation`` with the metrics ``auc``, ``mrr`` and ``hits@50``.

    Raises:
        ValueError: A protocol for nodes, another number of splits than seeds, and what ``link_score`` refuses.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import evaluate_links, link_split, node_protocol
        >>> network = load("synthetic-social")[0]
        >>> splits = [link_split(network, seed=0)]
        >>> list(evaluate_links({"raw": [network.x]}, splits, node_protocol("link"), [0]).tables)
        ['auc', 'mrr', 'hits@50']
    """
    check_protocol(protocol, NodeProtocol, "node_protocol")
    if protocol.probe != "link":
        raise ValueError(f"expected a protocol that scores pairs of nodes, got {protocol.name}; use evaluate_nodes")
    check_runs(seeds, n_jobs)
    if len(splits) != len(seeds):
        raise ValueError(f"expected {len(seeds)} splits, one for each seed, got {len(splits)}")
    checked = _check_embeddings(embeddings, int(splits[0].data.num_nodes or 0), seeds, {})
    metrics = ("auc", "mrr", "hits@50")

    def task_of(method: str, row: int, seed: int) -> tuple[str, Callable[[int], Any]]:
        x = checked[method][row]
        settings = replace(protocol, scaler="l2") if method == RAW and protocol.scaler == "standard" else protocol
        return _digest(x) + node_split_hash([splits[row][1:]]), lambda part: _linked(x, splits[row], settings)

    store = RawFile(Path(raw) if raw is not None else None, PartRow)
    common = digest_text(_settings(protocol), metrics)
    rows = run_parts(list(checked), seeds, 1, metrics, task_of, common, store, n_jobs=n_jobs, progress=progress)
    tested = splits[0].test.shape[1] + splits[0].test_negatives.shape[1]
    sizes = None
    if protocol.splits == "random":
        share = 1 - protocol.train - protocol.validation
        sizes = (share, 1 - share)
    hashed = node_split_hash([split[1:] for split in splits])
    return _collect(rows, protocol, seeds, metrics, tested, sizes, hashed)


def _probe_scores(x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol, metric: str) -> Scores:
    found = score_split(x, y, split, protocol, metric)
    return {metric: found.score}, found.choice, found.validation, found.unconverged


def _model_scores(model: NodeModel, y: IntArray, split: NodeSplit, seed: int, metric: str) -> Scores:
    scores = to_numpy(model(split, seed))
    if scores.shape != (len(y), int(y.max()) + 1) or not np.isfinite(scores).all():
        raise ValueError(
            f"expected finite scores [{len(y)}, {int(y.max()) + 1}] from {model.key}, got shape {list(scores.shape)}"
        )
    validation = score_of(y[split.validation], scores[split.validation], metric) if len(split.validation) else NONE
    return {metric: score_of(y[split.test], scores[split.test], metric)}, 0.0, validation, 0


def _clusters(x: Rows, y: IntArray, run: int, protocol: NodeProtocol) -> Scores:
    rows = take(x, np.arange(len(y)))
    return kmeans_scores(unit_rows(rows) if protocol.scaler == "l2" else rows, y, run=run), 0.0, NONE, 0


def _linked(x: Rows, split: LinkSplit, protocol: NodeProtocol) -> Scores:
    found = link_score(x, split, protocol)
    return found.scores, found.choice, NONE, found.unconverged


def _collect(
    rows: Mapping[str, list[list[PartRow]]],
    protocol: NodeProtocol,
    seeds: Sequence[int],
    metrics: Sequence[str],
    num_tested: int,
    sizes: tuple[float, float] | None,
    split_hash: str,
) -> NodeEvaluation:
    def table(method: str, metric: str, value: Callable[[PartRow], float]) -> FloatArray:
        return np.array([[value(r) for r in group if r.metric == metric] for group in rows[method]], dtype=np.float64)

    flat = {method: [row for group in groups for row in group] for method, groups in rows.items()}
    evaluation = NodeEvaluation(
        protocol=protocol,
        seeds=tuple(seeds),
        tables={name: {method: table(method, name, lambda r: 100 * r.score) for method in rows} for name in metrics},
        choice={method: table(method, metrics[0], lambda r: r.choice) for method in rows},
        validation={method: table(method, metrics[0], lambda r: 100 * r.validation) for method in rows},
        unconverged={method: sum(row.unconverged for row in group) for method, group in flat.items()},
        seconds={method: round(sum(row.seconds for row in group), 3) for method, group in flat.items()},
        num_tested=num_tested,
        sizes=sizes,
        split_hash=split_hash,
    )
    if found := [f"{count} for {method}" for method, count in evaluation.unconverged.items() if count]:
        warnings.warn(
            f"{protocol.name}: logistic regressions that reached max_iter={protocol.max_iter}: {', '.join(found)}; "
            f"their scores stand, but read them with care",
            RuntimeWarning,
            stacklevel=3,
        )
    return evaluation


def _check_embeddings(
    embeddings: Mapping[str, Sequence[Any]], num_nodes: int, seeds: Sequence[int], models: Mapping[str, NodeModel]
) -> dict[str, list[Rows]]:
    """Check everything before the first fit, as a fit may come an hour later."""
    if twice := sorted(set(embeddings) & set(models)):
        raise ValueError(f"expected a method under embeddings or under models, got both for {', '.join(twice)}")
    if not embeddings and not models:
        raise ValueError("expected embeddings or models of at least one method, got none")
    checked: dict[str, list[Rows]] = {}
    for method, matrices in embeddings.items():
        if len(matrices) != len(seeds):
            raise ValueError(f"expected {len(seeds)} embeddings of {method}, one for each seed, got {len(matrices)}")
        checked[method] = [check_rows(x, f"embeddings of {method}") for x in matrices]
        for x in checked[method]:
            if len(x) != num_nodes:
                raise ValueError(f"expected {num_nodes} rows in the embeddings of {method}, one per node, got {len(x)}")
    return checked


def _check_clusters(y: IntArray) -> None:
    clusters = int(y.max()) + 1
    if clusters > len(y):
        raise ValueError(f"expected at most one cluster per node ({len(y)}), got {clusters} clusters")


def _settings(protocol: NodeProtocol) -> str:
    """What decides a score; name and source may change without it."""
    values = {key: value for key, value in vars(protocol).items() if key not in ("name", "source", "count")}
    return repr(sorted(values.items()))


def _digest(x: Rows) -> str:
    array = np.ascontiguousarray(x.cpu().numpy() if isinstance(x, torch.Tensor) else x)
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode() + array.tobytes()).hexdigest()
