"""How frozen embeddings of graphs or nodes with classes are scored: by the first protocol on the card, unless named."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphcl.errors import ConfigError

__all__ = ["GIVEN", "protocol_for", "score_graphs", "score_nodes"]

GIVEN = ("public", "fixed")  # splits that come with the graph, whose test nodes no method learns from


def protocol_for(entry: Any, name: str | None) -> Any:
    """The protocol of that name for the level of the data set, else the first one on its card."""
    from graphcl.evaluate import node_protocol, protocol

    name = name or next(iter(entry.protocols), None)
    if entry.level != "node":
        return protocol(name or "tu-rbf-svm")
    found = node_protocol(name or "node-linear-random")
    if found.probe == "link":
        raise ConfigError(
            f"expected a protocol that scores nodes, got {found.name}: its edges must be taken away before "
            "pretraining; use link_split and evaluate_links in Python"
        )
    return found


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
    metric = "auc" if entry.metric == "auc" and protocol.probe != "liblinear" else "accuracy"
    return evaluate_nodes(embeddings, data, protocol, seeds, models=models, metric=metric, **more)
