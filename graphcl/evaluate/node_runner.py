"""Scores of many node embeddings under one protocol, on the same splits, kept on disk seed by seed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphcl.evaluate._checks import IntArray, check_graph, check_methods, check_runs, to_numpy
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._node_checks import Rows, check_node_labels, check_rows, take
from graphcl.evaluate._parts import Compute, PartScore, collect, digest_text, run_parts, warn_unconverged
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate._threads import in_threads
from graphcl.evaluate.clustering import kmeans_scores
from graphcl.evaluate.evaluation import Evaluation
from graphcl.evaluate.link import link_score
from graphcl.evaluate.link_splits import LinkSplit, edges_of
from graphcl.evaluate.node_probes import check_task, score_of, score_split, unit_rows
from graphcl.evaluate.node_protocols import NodeProtocol
from graphcl.evaluate.node_splits import NodeSplit, node_split_hash, node_splits
from graphcl.evaluate.supervised import NodeModel

__all__ = ["evaluate_links", "evaluate_nodes"]

RAW = "raw"
FITS = "logistic regressions"  # what may not converge


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
) -> Evaluation:
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
        An ``Evaluation``.

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
        >>> found = evaluate_nodes({"raw": [network.x]}, network, node_protocol("node-fixed-splits"), [0])
        >>> found.scores["raw"].round(1).tolist()
        [[31.9]]
    """
    check_protocol(protocol, NodeProtocol)
    if protocol.probe == "link":
        raise ValueError(f"expected a protocol that scores nodes, got {protocol.name}; use evaluate_links")
    seeds = check_runs(seeds, n_jobs)
    models = models or {}
    if models and protocol.probe not in ("logistic", "liblinear"):
        raise ValueError(f"expected models under a protocol that learns from labels, got {protocol.name}")
    num_nodes = check_graph(data)
    checked = _check_embeddings(embeddings, num_nodes, seeds, models)
    y, splits = check_labels_and_splits(data, protocol, metric)
    metrics = ("nmi", "ari") if protocol.probe == "kmeans" else (metric,)
    number = protocol.count if protocol.probe == "kmeans" else len(splits)
    common = digest_text(_settings(protocol), node_split_hash(splits), metrics, y)
    known = _classes_in_use(data.y, y)

    def task_of(method: str, index: int, seed: int) -> tuple[str, Compute]:
        if method in models:
            model = models[method]
            key = digest_text(common, model.key + str(seed))
            return key, in_threads(lambda part: _model_scores(model, y, known, splits[part], seed, metric), n_jobs)
        x, settings = checked[method][index], _settings_of(method, protocol)
        if protocol.probe == "kmeans":
            compute = in_threads(lambda part: _clusters(x, y, part, settings), n_jobs)
        else:
            compute = in_threads(lambda part: _probe_scores(x, y, splits[part], settings, metric), n_jobs)
        return digest_text(common, _digest(x)), compute

    rows = run_parts([*checked, *models], seeds, number, metrics, task_of, RawFile(raw), progress=progress)
    tested = float(np.mean([len(split.test) for split in splits])) if splits else float(len(y))
    seen = float(np.mean([len(split.train) + len(split.validation) for split in splits])) if splits else 0.0
    resampled = protocol.splits == "random" or (protocol.splits == "fixed" and len(splits) > 1)
    evaluation = collect(
        rows,
        protocol,
        seeds,
        metrics,
        num_tested=round(tested),
        sizes=(tested, seen) if resampled else None,
        split_hash=node_split_hash(splits),
    )
    warn_unconverged(evaluation, protocol.max_iter, FITS)
    return evaluation


def check_labels_and_splits(data: Any, protocol: NodeProtocol, metric: str) -> tuple[IntArray, list[NodeSplit]]:
    """The labels of the nodes as codes, and the splits; refuses what the protocol cannot score."""
    splits = node_splits(data, protocol)
    used = np.unique(np.concatenate([part for split in splits for part in split])) if splits else None
    y = check_node_labels(data.y, check_graph(data), used)
    if protocol.probe != "kmeans":
        check_task(y, splits, protocol, metric)
    return y, splits


def evaluate_links(
    embeddings: Mapping[str, Sequence[Any]],
    splits: Sequence[LinkSplit],
    protocol: NodeProtocol,
    seeds: Sequence[int],
    *,
    raw: str | Path | None = None,
    n_jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
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
        An ``Evaluation`` with the metrics ``auc``, ``mrr`` and ``hits@50``.

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
    check_protocol(protocol, NodeProtocol)
    if protocol.probe != "link":
        raise ValueError(f"expected a protocol that scores pairs of nodes, got {protocol.name}; use evaluate_nodes")
    seeds = check_runs(seeds, n_jobs)
    if len(splits) != len(seeds):
        raise ValueError(f"expected {len(seeds)} splits, one for each seed, got {len(splits)}")
    checked = _check_embeddings(embeddings, int(splits[0].data.num_nodes or 0), seeds, {})
    metrics = ("auc", "mrr", "hits@50")
    common = digest_text(_settings(protocol), metrics)

    def task_of(method: str, index: int, seed: int) -> tuple[str, Compute]:
        x, split = checked[method][index], splits[index]
        key = digest_text(common, _digest(x) + node_split_hash([split[1:]]))
        return key, in_threads(lambda _: _linked(x, split, protocol), n_jobs)

    rows = run_parts(checked, seeds, 1, metrics, task_of, RawFile(raw), progress=progress)
    tested = float(np.mean([split.test.shape[1] for split in splits]))
    seen = float(np.mean([edges_of(split.data) + split.validation.shape[1] for split in splits]))
    evaluation = collect(
        rows,
        protocol,
        seeds,
        metrics,
        num_tested=splits[0].test.shape[1] + splits[0].test_negatives.shape[1],
        sizes=(tested, seen) if protocol.splits == "random" else None,
        split_hash=node_split_hash([split[1:] for split in splits]),
    )
    warn_unconverged(evaluation, protocol.max_iter, FITS)
    return evaluation


def _settings_of(method: str, protocol: NodeProtocol) -> NodeProtocol:
    return replace(protocol, scaler="l2") if method == RAW and protocol.scaler == "standard" else protocol


def _probe_scores(x: Rows, y: IntArray, split: NodeSplit, protocol: NodeProtocol, metric: str) -> PartScore:
    found = score_split(x, y, split, protocol, metric)
    return PartScore({metric: found.score}, found.choice, found.validation, found.unconverged)


def _classes_in_use(labels: Any, y: IntArray) -> NDArray[np.bool_]:
    """Of all classes that nodes have, in ascending order, which occur in the splits."""
    values = to_numpy(labels)
    every = np.unique(values if values.dtype.kind in "US" else values[values >= 0])
    return np.isin(every, values[y >= 0])


def _model_scores(
    model: NodeModel, y: IntArray, known: NDArray[np.bool_], split: NodeSplit, seed: int, metric: str
) -> PartScore:
    scores = to_numpy(model(split, seed))
    if scores.shape == (len(y), len(known)):  # a model may know of classes that no split has
        scores = scores[:, known]
    if scores.shape != (len(y), int(y.max()) + 1) or not np.isfinite(scores).all():
        raise ValueError(
            f"expected finite scores [{len(y)}, {int(y.max()) + 1}] from {model.key}, got shape {list(scores.shape)}"
        )
    tested = {metric: score_of(y[split.test], scores[split.test], metric)}
    if not len(split.validation):
        return PartScore(tested)
    return PartScore(tested, validation=score_of(y[split.validation], scores[split.validation], metric))


def _clusters(x: Rows, y: IntArray, run: int, protocol: NodeProtocol) -> PartScore:
    rows = take(x, np.arange(len(y)))
    return PartScore(kmeans_scores(unit_rows(rows) if protocol.scaler == "l2" else rows, y, run=run))


def _linked(x: Rows, split: LinkSplit, protocol: NodeProtocol) -> PartScore:
    found = link_score(x, split, protocol)
    return PartScore(found.scores, found.choice, unconverged=found.unconverged)


def _check_embeddings(
    embeddings: Mapping[str, Sequence[Any]], num_nodes: int, seeds: Sequence[int], models: Mapping[str, NodeModel]
) -> dict[str, list[Rows]]:
    """Check everything before the first fit, as a fit may come an hour later."""
    checked = check_methods(embeddings, seeds, check_rows)
    if twice := sorted(set(checked) & set(models)):
        raise ValueError(f"expected a method under embeddings or under models, got both for {', '.join(twice)}")
    if not checked and not models:
        raise ValueError("expected embeddings or models of at least one method, got none")
    for method, matrices in checked.items():
        for x in matrices:
            if len(x) != num_nodes:
                raise ValueError(f"expected {num_nodes} rows in the embeddings of {method}, one per node, got {len(x)}")
    return checked


def _settings(protocol: NodeProtocol) -> str:
    """What decides a score; name and source may change without it."""
    values = {key: value for key, value in vars(protocol).items() if key not in ("name", "source", "count")}
    return repr(sorted(values.items()))


def _digest(x: Rows) -> str:
    array = np.ascontiguousarray(x.cpu().numpy() if isinstance(x, torch.Tensor) else x)
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode() + array.tobytes()).hexdigest()
