"""Link prediction with frozen embeddings: the edges that are asked for are taken away before anything is trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphcl.evaluate._checks import FloatArray, IntArray, check_graph, check_protocol, to_numpy
from graphcl.evaluate._node_checks import Rows, check_rows, check_undirected, take
from graphcl.evaluate._threads import quiet
from graphcl.evaluate.node_probes import scaled
from graphcl.evaluate.node_protocols import NodeProtocol

__all__ = ["LinkScore", "LinkSplit", "hits_at", "link_score", "link_split", "mean_reciprocal_rank", "ogb_link_split"]

HITS = 50
TRAIN_PAIRS = 50_000  # of edges, and as many pairs without; more no longer changes a probe of a few hundred weights


class LinkSplit(NamedTuple):
    """A graph without the edges that are asked for, and pairs of nodes ``[2, P]`` with and without an edge.

    Args:
        data: The graph to pretrain on and to embed.
        train: Edges of ``data`` that the probe learns from.
        train_negatives: Pairs that are no edge of the whole graph.
        validation: Edges taken out of ``data``; they choose C.
        validation_negatives: Pairs that are no edge.
        test: Edges taken out of ``data``.
        test_negatives: Pairs that are no edge.
    """

    data: Data
    train: IntArray
    train_negatives: IntArray
    validation: IntArray
    validation_negatives: IntArray
    test: IntArray
    test_negatives: IntArray


class LinkScore(NamedTuple):
    """Scores of the test pairs in [0, 1], the chosen C, and the number of fits that reached the iteration limit."""

    scores: dict[str, float]
    choice: float
    unconverged: int


def link_split(data: Data, *, seed: int, validation: float = 0.05, test: float = 0.1) -> LinkSplit:
    """Take validation and test edges out of an undirected graph, both directions and all copies of each.

    A graph that comes with held-out pairs (``edge_label_index`` and ``edge_label``, as PyG's ``RandomLinkSplit`` names
    them) keeps them as its test pairs but for self loops; only the validation edges are drawn. Pairs without an edge
    are drawn evenly, as many as edges in each part, and never twice.

    Args:
        data: An undirected graph.
        seed: Of the split, by convention the seed of the model.
        validation: Share of the edges.
        test: Share of the edges.

    Raises:
        ValueError: A directed graph, shares that leave no edge in some part, a graph too dense to find pairs in.

    Example:
        >>> from graphcl.data import load
        >>> split = link_split(load("synthetic-social")[0], seed=0)
        >>> split.test.shape == split.test_negatives.shape, split.data.num_edges
        (True, 8466)
    """
    if not (0 < validation and 0 < test and validation + test < 1):
        raise ValueError(f"expected shares above 0 that leave training edges, got {validation} and {test}")
    nodes = check_graph(data)
    check_undirected(data.edge_index, nodes, "link prediction")
    rng = np.random.Generator(np.random.PCG64(seed))
    codes = _codes(data.edge_index.cpu().numpy(), nodes)
    edges = rng.permutation(np.unique(codes[codes >= 0]))
    given = _given(data)
    total = len(edges) + (0 if given is None else given[0].shape[1])
    sizes = round(validation * total), 0 if given is not None else round(test * total)
    if not sizes[0] or not (given is not None or sizes[1]) or sum(sizes) >= len(edges):
        raise ValueError(f"expected enough edges for shares of {validation:g} and {test:g}, got {len(edges)} edges")
    held = np.split(edges[: sum(sizes)], [sizes[0]])
    train = edges[sum(sizes) :][:TRAIN_PAIRS]
    tested = _pairs(held[1], nodes) if given is None else given[0]
    taken = [edges] if given is None else [edges, *(_codes(pairs, nodes) for pairs in given)]
    wanted = len(train) + len(held[0]) + (len(held[1]) if given is None else 0)
    free = _pairs(_absent(np.concatenate(taken), nodes, wanted, rng), nodes)
    parts = np.split(free, [len(train), len(train) + len(held[0])], axis=1)
    keep = torch.from_numpy(~np.isin(codes, edges[: sum(sizes)]))
    graph = data.edge_subgraph(keep.to(data.edge_index.device))
    for key in ("edge_label_index", "edge_label"):
        if key in graph:
            del graph[key]
    negatives = parts[2] if given is None else given[1]
    return LinkSplit(graph, _pairs(train, nodes), parts[0], _pairs(held[0], nodes), parts[1], tested, negatives)


def ogb_link_split(dataset: Any, *, seed: int = 0) -> LinkSplit:
    """OGB's split of a link set such as ``ogbl-collab``: its edges, its pairs, drawn training pairs only.

    Args:
        dataset: From ``load("ogbl-collab")``, with OGB's ``split`` and one graph of training edges.
        seed: Of the training pairs.

    Raises:
        ValueError: A set without a split of edges and shared negative pairs.
    """
    split = getattr(dataset, "split", None)
    if not isinstance(split, dict) or not all(
        key in split.get(part, {}) for part in ("valid", "test") for key in ("edge", "edge_neg")
    ):
        raise ValueError("expected a link set of OGB with edge and edge_neg in its validation and test parts")
    data = dataset[0]
    nodes = int(data.num_nodes)
    rng = np.random.Generator(np.random.PCG64(seed))
    edge = {part: split[part]["edge"].numpy().T for part in ("train", "valid", "test")}
    own = np.unique(_codes(edge["train"], nodes))
    train = rng.permutation(own[own >= 0])[:TRAIN_PAIRS]
    shared = {part: split[part]["edge_neg"].numpy().T for part in ("valid", "test")}
    # The pairs that are asked for teach nothing, whether there is an edge or none.
    asked = np.concatenate([_codes(pairs, nodes) for pairs in (*edge.values(), *shared.values())])
    negatives = _pairs(_absent(asked, nodes, len(train), rng), nodes)
    return LinkSplit(
        data, _pairs(train, nodes), negatives, edge["valid"], shared["valid"], edge["test"], shared["test"]
    )


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
        >>> from graphcl.evaluate import node_protocol
        >>> split = link_split(load("synthetic-social")[0], seed=0)
        >>> sorted(link_score(split.data.x, split, node_protocol("link")).scores)
        ['auc', 'hits@50', 'mrr']
    """
    check_protocol(protocol, NodeProtocol, "node_protocol")
    if protocol.probe != "link":
        raise ValueError(f"expected a protocol that scores pairs of nodes, got {protocol.name}; use node_score")
    x = check_rows(embeddings)
    if len(x) != split.data.num_nodes:
        raise ValueError(f"expected {split.data.num_nodes} embeddings, one for each node, got {len(x)}")
    if split.test_negatives.shape[1] < HITS:
        raise ValueError(
            f"expected at least {HITS} pairs without an edge for Hits@{HITS}, got {split.test_negatives.shape[1]}; "
            f"the graph is too small for {protocol.name}"
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


def _codes(pairs: NDArray[Any], nodes: int) -> IntArray:
    """One number per unordered pair; -1 for a self loop."""
    low, high = pairs.min(axis=0).astype(np.int64), pairs.max(axis=0).astype(np.int64)
    return np.where(low == high, -1, low * nodes + high)


def _pairs(codes: IntArray, nodes: int) -> IntArray:
    return np.stack([codes // nodes, codes % nodes])


def _absent(taken: IntArray, nodes: int, count: int, rng: np.random.Generator) -> IntArray:
    """Codes of distinct pairs that are not taken, drawn evenly."""
    taken = np.unique(taken[taken >= 0])
    if count > (nodes * (nodes - 1) // 2 - len(taken)) // 2:
        raise ValueError(f"expected at least twice {count} pairs without an edge, got a graph too dense for that")
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        drawn = _codes(rng.integers(0, nodes, size=(2, 2 * (count - len(found)) + 16)), nodes)
        drawn = drawn[(drawn >= 0) & ~np.isin(drawn, taken)]
        together = np.concatenate([found, drawn])
        _, first = np.unique(together, return_index=True)
        found = together[np.sort(first)]  # in the order of drawing, so that the cut below favours nobody
    return found[:count]


def edges_of(data: Data) -> int:
    """How many pairs of nodes a graph connects, whatever the direction, self loops left out."""
    codes = _codes(data.edge_index.cpu().numpy(), int(data.num_nodes or 0))
    return len(np.unique(codes[codes >= 0]))


def _given(data: Data) -> tuple[IntArray, IntArray] | None:
    """The held-out edges and other pairs that come with a graph, without self loops, which are no question."""
    if "edge_label_index" not in data or "edge_label" not in data:
        return None
    pairs, label = data.edge_label_index.cpu().numpy(), data.edge_label.cpu().numpy()
    nodes = int(data.num_nodes or 0)
    pairs, label = pairs[:, pairs[0] != pairs[1]], label[pairs[0] != pairs[1]]
    asked, edges = _codes(pairs, nodes), _codes(data.edge_index.cpu().numpy(), nodes)
    leaked = np.isin(asked[label > 0], edges).sum()
    if leaked:
        raise ValueError(
            f"expected held-out edges that are not in edge_index, got {leaked} that are; remove them first"
        )
    wrong = np.isin(asked[label == 0], np.concatenate([edges, asked[label > 0]])).sum()
    if wrong:
        raise ValueError(f"expected pairs without an edge where edge_label is 0, got {wrong} that are; remove them")
    return pairs[:, label > 0], pairs[:, label == 0]
