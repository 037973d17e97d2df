"""Splits of edges: those that are asked for are taken out of the graph before anything is trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcl.evaluate._checks import IntArray, check_graph
from graphcl.evaluate._node_checks import check_undirected

__all__ = ["LinkSplit", "edges_of", "link_split", "ogb_link_split"]

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
        ValueError: A directed graph, one with an ``adj_t``, which would show the edges that are taken out, shares that
            leave no edge in some part, a graph too dense to find pairs in.

    Example:
        >>> from graphcl.data import load
        >>> split = link_split(load("synthetic-social")[0], seed=0)
        >>> split.test.shape == split.test_negatives.shape, split.data.num_edges
        (True, 8466)
    """
    if not (0 < validation and 0 < test and validation + test < 1):
        raise ValueError(f"expected shares above 0 that leave training edges, got {validation} and {test}")
    nodes = check_graph(data)
    if "adj_t" in data:
        raise ValueError(
            "expected a graph without adj_t, which would show the edges that are taken out, got one; del data.adj_t, "
            "and make it anew of the split's data"
        )
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
