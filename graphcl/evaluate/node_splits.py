"""Splits of the nodes of one graph: those that come with it, checked, and random ones fixed by their number."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcl.evaluate._checks import IntArray, check_graph, to_numpy
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate.node_protocols import NodeProtocol

__all__ = ["NodeSplit", "mask_splits", "node_split_hash", "node_splits", "random_splits"]

PARTS = ("train_mask", "val_mask", "test_mask")


class NodeSplit(NamedTuple):
    """Node numbers of the three parts; ``validation`` is empty where inner folds choose."""

    train: IntArray
    validation: IntArray
    test: IntArray


def node_splits(data: Any, protocol: NodeProtocol) -> list[NodeSplit]:
    """The splits that a protocol uses on a graph.

    Args:
        data: A ``Data`` with ``y``, and with masks where the protocol takes its splits from the graph.
        protocol: A node-level protocol; one that learns from no label has no splits.

    Raises:
        ValueError: A graph without the masks that the protocol needs, or with masks that contradict it or each other.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import node_protocol, node_splits
        >>> splits = node_splits(load("synthetic-social")[0], node_protocol("node-linear-random"))
        >>> len(splits), [len(part) for part in splits[0]]
        (20, [100, 100, 800])
    """
    check_protocol(protocol, NodeProtocol)
    num_nodes = check_graph(data)
    if protocol.splits == "none" or protocol.probe == "link":
        return []
    if protocol.splits == "random":
        return random_splits(num_nodes, protocol.count, train=protocol.train, validation=protocol.validation)
    missing = [key for key in PARTS if data.get(key) is None]
    if missing:
        raise ValueError(
            f"expected a graph that comes with its split for {protocol.name}, got one without {', '.join(missing)}; "
            f"use node-linear-random-10-10-80"
        )
    masks = [data[key] for key in PARTS]
    if protocol.splits == "public" and any(mask.dim() > 1 for mask in masks):
        shapes = ", ".join(f"{key} {list(mask.shape)}" for key, mask in zip(PARTS, masks, strict=True))
        raise ValueError(
            f"expected masks of one public split [nodes] for {protocol.name}, got {shapes}; use node-fixed-splits"
        )
    return mask_splits(*masks, num_nodes=num_nodes)


def mask_splits(train_mask: Any, val_mask: Any, test_mask: Any, *, num_nodes: int) -> list[NodeSplit]:
    """The splits that boolean masks describe.

    Args:
        train_mask: [nodes], or [nodes, splits] for several.
        val_mask: Alike; one mask [nodes] serves all splits.
        test_mask: Alike.
        num_nodes: Nodes of the graph.

    Raises:
        ValueError: A mask of another type or length, masks of different numbers of splits, an empty part, nodes in two
            parts of a split.

    Example:
        >>> masks = np.eye(3, dtype=bool)
        >>> mask_splits(*masks, num_nodes=3)
        [NodeSplit(train=array([0]), validation=array([1]), test=array([2]))]
    """
    masks = [_mask(mask, key, num_nodes) for key, mask in zip(PARTS, (train_mask, val_mask, test_mask), strict=True)]
    counts = {mask.shape[1] for mask in masks if mask.shape[1] > 1}
    if len(counts) > 1:
        shapes = ", ".join(f"{key} has {mask.shape[1]}" for key, mask in zip(PARTS, masks, strict=True))
        raise ValueError(f"expected masks of one number of splits, got: {shapes}")
    number = max(counts, default=1)
    columns = [np.broadcast_to(mask, (num_nodes, number)) for mask in masks]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = columns[a] & columns[b]
        if both.any():
            where = int(both.any(axis=0).argmax())
            raise ValueError(
                f"expected masks that do not overlap, got {int(both[:, where].sum())} nodes in both {PARTS[a]} and "
                f"{PARTS[b]} of split {where}; each node belongs to one part"
            )
    return [NodeSplit(*(np.flatnonzero(mask[:, i]) for mask in columns)) for i in range(number)]


def random_splits(num_nodes: int, count: int, *, train: float, validation: float) -> list[NodeSplit]:
    """Uniformly random splits; split ``i`` is drawn with seed ``i``, whatever the model seed.

    Args:
        num_nodes: Nodes of the graph, all of them labelled.
        count: Number of splits.
        train: Share of training nodes.
        validation: Share of validation nodes; the others are for the test.

    Returns:
        Splits whose parts are in the random order that they were drawn in, as inner folds are cut from it.

    Raises:
        ValueError: Too few nodes to fill the parts.

    Example:
        >>> [len(part) for part in random_splits(10, 1, train=0.2, validation=0.2)[0]]
        [2, 2, 6]
    """
    sizes = round(train * num_nodes), round(validation * num_nodes)
    if not sizes[0] or (validation and not sizes[1]) or sum(sizes) >= num_nodes:
        raise ValueError(f"expected enough nodes for shares of {train:g} and {validation:g}, got {num_nodes}")
    splits = []
    for number in range(count):
        order = np.random.Generator(np.random.PCG64(number)).permutation(num_nodes).astype(np.int64)
        splits.append(NodeSplit(order[: sizes[0]], order[sizes[0] : sum(sizes)], order[sum(sizes) :]))
    return splits


def node_split_hash(splits: Sequence[Sequence[NDArray[Any]]]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all parts, split by split.

    Example:
        >>> first, second = random_splits(10, 2, train=0.2, validation=0.2)
        >>> node_split_hash([first]) == node_split_hash([second])
        False
    """
    digest = hashlib.sha256()
    for number, split in enumerate(splits):
        for part in split:
            digest.update(f"{number}:{list(part.shape)};".encode())
            digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def _mask(value: Any, key: str, num_nodes: int) -> NDArray[np.bool_]:
    mask = to_numpy(value)
    if mask.dtype != np.bool_:
        mend = f"write data.{key} = data.{key}.bool()"
        if len(mask) != num_nodes:
            mend = f"of node numbers torch_geometric.utils.index_to_mask makes a mask (size={num_nodes})"
        raise ValueError(f"expected a boolean {key}, got {list(mask.shape)} of dtype {mask.dtype}; {mend}")
    if mask.ndim not in (1, 2) or len(mask) != num_nodes:
        raise ValueError(f"expected {key} of shape [{num_nodes}] or [{num_nodes}, splits], got {list(mask.shape)}")
    mask = mask.reshape(num_nodes, -1)
    if not mask.any(axis=0).all():
        raise ValueError(f"expected nodes in {key}, got none in split {int((~mask.any(axis=0)).argmax())}")
    return mask
