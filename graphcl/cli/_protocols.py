"""By which protocol frozen embeddings of graphs or nodes with classes are scored, and how."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphcl._recipes import near
from graphcl.errors import ConfigError

__all__ = [
    "GIVEN",
    "check_graphs",
    "check_jobs",
    "check_nodes",
    "check_seeds",
    "protocol_for",
    "score_graphs",
    "score_nodes",
]

GIVEN = ("public", "fixed")  # splits that come with the graph, whose test nodes no method learns from


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that folds cannot be drawn by."""
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**32]:
        raise ConfigError(f"expected seeds of at least 0 and below 2**32, got {wrong[0]}")


def check_jobs(jobs: int) -> None:
    """Refuse no thread to score with."""
    if jobs < 1:
        raise ConfigError(f"expected jobs of at least 1, got {jobs}")


def protocol_for(entry: Any, name: str | None) -> Any:
    """The protocol of that name for the level of the data set, else the first one on its card.

    Raises:
        ConfigError: No protocol of that name scores such data; the message names those that do.
    """
    from graphcl.evaluate import NodeProtocol, Protocol, protocol
    from graphcl.evaluate._names import check_protocol

    usual, kind = ("node-linear-random", NodeProtocol) if entry.level == "node" else ("tu-rbf-svm", Protocol)
    name = name or next(iter(entry.protocols), usual)
    try:
        found = protocol(name)
        check_protocol(found, kind)
    except (TypeError, ValueError):
        known = _fitting(entry)
        fit = f"{entry.name} out of {', '.join(known)}"
        raise ConfigError(f"expected a protocol for {fit}, got {name!r}; nearest: {near(name, known)}") from None
    if entry.level == "node" and found.probe == "link":
        raise ConfigError(
            f"expected a protocol that scores nodes, got {found.name}: its edges must be taken away before "
            "pretraining; use link_split and evaluate_links in Python"
        )
    return found


def _fitting(entry: Any) -> list[str]:
    """The names of the protocols by which a set can be scored, as far as its card tells."""
    from graphcl.evaluate import NODE_PROTOCOLS, PROTOCOLS

    if entry.level != "node":
        return list(PROTOCOLS)
    known = {name: each for name, each in NODE_PROTOCOLS.items() if each.probe != "link"}
    return [name for name, each in known.items() if each.splits not in GIVEN or name in entry.protocols]


def check_graphs(graphs: Any, entry: Any, protocol: Any, seeds: Sequence[int]) -> None:
    """Refuse a packed set whose graphs cannot be divided into the folds of a protocol."""
    from graphcl.evaluate import wl_classes
    from graphcl.evaluate._checks import check_labels
    from graphcl.evaluate.probes import folds_of

    mend = f"score {entry.name} by graph-kmeans or graph-retrieval, which have no folds"
    labels = check_labels(graphs.y.cpu().numpy(), len(graphs), protocol, mend=mend)
    if protocol.grouped:
        groups = wl_classes(graphs.batch(range(len(graphs))))
        for seed in seeds:
            folds_of(labels, groups, protocol.folds, seed=seed)


def check_nodes(data: Any, entry: Any, protocol: Any) -> None:
    """Refuse a graph whose nodes a protocol cannot score."""
    from graphcl.evaluate.node_runner import check_labels_and_splits

    check_labels_and_splits(data, protocol, _metric_of(entry, protocol))


def _metric_of(entry: Any, protocol: Any) -> str:
    """What the nodes of a set are scored by."""
    return "auc" if entry.metric == "auc" and protocol.probe != "liblinear" else "accuracy"


def score_graphs(
    graphs: Any,
    embeddings: Mapping[str, Any],
    kernels: Mapping[str, Any],
    protocol: Any,
    seeds: Sequence[int],
    **more: Any,
) -> Any:
    """Score embeddings of a packed set, and kernels; equal graphs stay together where the protocol says so."""
    from graphcl.evaluate import evaluate_embeddings, wl_classes

    groups = wl_classes(graphs.batch(range(len(graphs)))) if protocol.grouped else None
    labels = graphs.y.cpu().numpy()
    return evaluate_embeddings(embeddings, labels, protocol, seeds, kernels=kernels, groups=groups, **more)


def score_nodes(
    data: Any, entry: Any, embeddings: Mapping[str, Any], protocol: Any, seeds: Sequence[int], **more: Any
) -> Any:
    """Score embeddings of the nodes of a graph, beside a supervised network under logistic probes."""
    from graphcl.evaluate import SupervisedGCN, evaluate_nodes

    models = {"supervised": SupervisedGCN(data)} if protocol.probe == "logistic" else None
    return evaluate_nodes(embeddings, data, protocol, seeds, models=models, metric=_metric_of(entry, protocol), **more)
