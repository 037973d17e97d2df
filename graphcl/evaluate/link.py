"""Link prediction with frozen embeddings: how well products of them tell edges from other pairs of nodes."""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from graphcl.evaluate._checks import FloatArray, IntArray, to_numpy
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._node_checks import Rows, check_rows, take
from graphcl.evaluate._threads import quiet
from graphcl.evaluate.link_splits import LinkSplit
from graphcl.evaluate.node_probes import scaled
from graphcl.evaluate.node_protocols import NodeProtocol

__all__ = ["LinkScore", "hits_at", "link_score", "mean_reciprocal_rank"]

HITS = 50


class LinkScore(NamedTuple):
    """Scores of the test pairs in [0, 1], the chosen C, and the number of fits that reached the iteration limit."""

    scores: dict[str, float]
    choice: float
    unconverged: int


def link_score(embeddings: Any, split: LinkSplit, protocol: NodeProtocol) -> LinkScore:
    """How well a logistic regression on products of embeddings tells edges from other pairs.

    The row of a pair is the elementwise product of its two nodes' embeddings. C is chosen by the AUC on validation.

    Args:
        embeddings: One row per node, made from ``split.data`` and nothing else.
        split: Edges and other pairs.
        protocol: ``link`` or ``ogb-link``.

    Returns:
        ``auc``, ``mrr`` and ``hits@50`` on the test pairs.

    Raises:
        ValueError: Embeddings that are not finite or of another number of nodes, too few pairs for Hits@50.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import link_split, node_protocol
        >>> split = link_split(load("synthetic-social")[0], seed=0)
        >>> sorted(link_score(split.data.x, split, node_protocol("link")).scores)
        ['auc', 'hits@50', 'mrr']
    """
    check_protocol(protocol, NodeProtocol)
    if protocol.probe != "link":
        raise ValueError(f"expected a protocol that scores pairs of nodes, got {protocol.name}; use node_score")
    x = check_rows(embeddings)
    if len(x) != split.data.num_nodes:
        raise ValueError(f"expected {split.data.num_nodes} embeddings, one for each node, got {len(x)}")
    if split.test_negatives.shape[1] < HITS:
        raise ValueError(
            f"expected at least {HITS} pairs without an edge for Hits@{HITS}, got {split.test_negatives.shape[1]}; "
            f"the graph is too small for {protocol.name}, or comes with too few held-out pairs"
        )
    with quiet():
        return _link_score(x, split, protocol)


def _link_score(x: Rows, split: LinkSplit, protocol: NodeProtocol) -> LinkScore:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    def products(pairs: IntArray) -> FloatArray:
        return take(x, pairs[0]) * take(x, pairs[1])

    train = np.concatenate([products(split.train), products(split.train_negatives)])
    validation = np.concatenate([products(split.validation), products(split.validation_negatives)])
    fitted, validation = scaled(protocol, train, validation)
    y, wanted = _labels(split.train, split.train_negatives), _labels(split.validation, split.validation_negatives)
    best, chosen, winner, unconverged = -np.inf, 0.0, None, 0
    for penalty in protocol.grid:
        machine: Any = LogisticRegression(C=penalty, max_iter=protocol.max_iter).fit(fitted, y)
        unconverged += int(np.max(machine.n_iter_) >= protocol.max_iter)
        value = roc_auc_score(wanted, machine.decision_function(validation))
        if value > best:
            best, chosen, winner = value, penalty, machine
    assert winner is not None  # the grid is never empty
    positive, negative = (
        winner.decision_function(scaled(protocol, train, products(pairs))[1])
        for pairs in (split.test, split.test_negatives)
    )
    auc = roc_auc_score(_labels(split.test, split.test_negatives), np.concatenate([positive, negative]))
    scores = {
        "auc": float(auc),
        "mrr": mean_reciprocal_rank(positive, negative),
        f"hits@{HITS}": hits_at(HITS, positive, negative),
    }
    return LinkScore(scores, chosen, unconverged)


def hits_at(k: int, positive: FloatArray | Tensor, negative: FloatArray | Tensor) -> float:
    """The share of edges that score above the k-th best of the other pairs, as OGB's evaluator does.

    Args:
        k: The rank.
        positive: Scores of the edges.
        negative: Scores of the pairs without an edge, at least k.

    Raises:
        ValueError: Fewer than k other pairs, of which OGB's evaluator says that every edge is a hit; no scores, or NaN.

    Example:
        >>> hits_at(2, np.array([3.0, 1.0]), np.array([4.0, 2.0, 0.0]))
        0.5
    """
    edges, others = _ranked(positive, negative)
    if not 1 <= k <= len(others):
        raise ValueError(f"expected k from 1 to the number of pairs without an edge, {len(others)}, got {k}")
    return float((edges > np.partition(others, -k)[-k]).mean())


def mean_reciprocal_rank(positive: FloatArray | Tensor, negative: FloatArray | Tensor) -> float:
    """The mean of one over the rank of each edge among all pairs without one; ties count half.

    Raises:
        ValueError: No scores, or NaN.

    Example:
        >>> mean_reciprocal_rank(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
        0.75
    """
    edges, others = _ranked(positive, negative)
    order = np.sort(others)
    above = len(order) - np.searchsorted(order, edges, side="right")
    equal = np.searchsorted(order, edges, side="right") - np.searchsorted(order, edges, side="left")
    return float((1 / (1 + above + equal / 2)).mean())


def _ranked(positive: FloatArray | Tensor, negative: FloatArray | Tensor) -> tuple[FloatArray, FloatArray]:
    """The scores as arrays; NaN is refused, as no order has a place for it and the first one would be given to it."""
    found = tuple(np.asarray(to_numpy(scores), dtype=np.float64) for scores in (positive, negative))
    for name, scores in zip(("edges", "pairs without an edge"), found, strict=True):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            got = f"{int(np.isnan(scores).sum())} NaN in shape {list(scores.shape)}"
            raise ValueError(f"expected a score for each of some {name}, none of them NaN, got {got}")
    return found[0], found[1]


def _labels(positive: IntArray, negative: IntArray) -> IntArray:
    return np.repeat([1, 0], [positive.shape[1], negative.shape[1]]).astype(np.int64)
