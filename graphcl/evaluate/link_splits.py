"""Splits of edges: those that are asked for are taken out of the graph before anything is trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcl.evaluate._checks import IntArray, check_graph, to_numpy
from graphcl.evaluate._node_checks import check_undirected

__all__ = ["LinkSplit", "edges_of", "link_split", "ogb_link_split"]

TRAIN_PAIRS = 50_000  # of edges, and as many pairs without; more no longer changes a probe of a few hundred weights

HELD_OUT = "edge_label", "pos_edge_label", "neg_edge_label"  # each beside an index, as RandomLinkSplit names them


class LinkSplit(NamedTuple):
    """A graph without the edges that are asked for, and pairs of nodes ``[2, P]`` with and without an edge.

    Args:
        data: The graph to pretrain on and to embed.
        train: Edges of ``data`` that the probe learns from.
        train_negatives: Pairs that are not edges of the whole graph.
        validation: Edges taken out of ``data``; they choose C.
        validation_negatives: Pairs that are not edges.
        test: Edges taken out of ``data``.
        test_negatives: Pairs that are not edges.
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

    A graph that comes with held-out pairs (``edge_label_index`` and ``edge_label``, or ``pos_edge_label_index`` and
    ``neg_edge_label_index``, as PyG's ``RandomLinkSplit`` names them) keeps them as its test pairs but for self loops;
    only the validation edges are drawn. Pairs without an edge are drawn evenly, as many as edges in each part, and
    never twice.

    Args:
        data: An undirected graph.
        seed: Of the split, by convention the seed of the model.
        validation: Share of the edges.
        test: Share of the edges.

    Raises:
        ValueError: A directed graph, one with an ``adj_t``, which would show the edges that are taken out, shares that
            leave no edge in some part, a graph too dense to find pairs in; held-out pairs without their labels, all of
            one kind, or of nodes that are not there.

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
    given = _given(data, nodes)
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
    for key in HELD_OUT:
        for name in (key, f"{key}_index"):
            if name in graph:
                del graph[name]
    if "x" not in graph:  # the edges that are left may not tell
        graph.num_nodes = nodes
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


def _given(data: Data, nodes: int) -> tuple[IntArray, IntArray] | None:
    """The held-out edges and other pairs that come with a graph, without self loops, which ask nothing."""
    parts = _labelled(data)
    if not parts:
        return None
    pairs, label = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < nodes:
        raise ValueError(
            f"expected held-out pairs of nodes from 0 to {nodes - 1}, got some from {pairs.min()} to {pairs.max()}"
        )
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
    if not ((label > 0).any() and (label == 0).any()):
        raise ValueError(
            f"expected held-out pairs with and without an edge, got {(label > 0).sum()} with and {(label == 0).sum()} "
            "without; add the others, or delete edge_label_index, and the test is drawn from the edges"
        )
    return pairs[:, label > 0], pairs[:, label == 0]


def _labelled(data: Data) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """The held-out pairs under each of their names, and which of them are edges."""
    found = []
    for key in HELD_OUT:
        name = f"{key}_index"
        if name not in data:
            continue
        pairs = to_numpy(data[name])
        if pairs.ndim != 2 or len(pairs) != 2:
            raise ValueError(f"expected {name} of shape [2, P], got {list(pairs.shape)}")
        if key == "edge_label":
            label = to_numpy(data["edge_label"]) if "edge_label" in data else None
            if label is None or label.shape != pairs.shape[1:]:
                got = "none" if label is None else f"shape {list(label.shape)}"
                raise ValueError(
                    f"expected edge_label with a label for each of {pairs.shape[1]} pairs in edge_label_index, "
                    f"got {got}; it is 1 for an edge and 0 for none"
                )
        else:
            label = np.full(pairs.shape[1], float(key == "pos_edge_label"))
        found.append((pairs, label))
    return found
