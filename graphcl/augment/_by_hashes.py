"""An exact share of the edges of one large graph, by the hashes of its edges alone.

An undirected graph has both directions of each edge. Then every pair of nodes has one edge that goes down, from the
larger node to the smaller, or is a loop: those edges are the pairs, and none has to be looked for. That each of the
others is the other direction of one of these is seen from the hashes: two directions share one, so the sums of both
kinds are equal. Were an edge without its other direction among them, the sums, modulo 2^64, would be equal under one
key in 2^64. That no edge is there twice is seen from their order, which is PyG's by (source, target) as a rule, or
else by sorting the hashes of the pairs.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcl._host import sort_in_place
from graphcl._random import Array, Key
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import hash_edges
from graphcl.augment._select import Count, how_many, limit_of_smallest, upper_half

__all__ = ["choose_by_hashes"]


def choose_by_hashes(graph: Graph, key: Key, share: float, count: Count, *, directed: bool) -> Tensor | None:
    """``[E]`` what ``Pairs.choose`` chooses, for each edge; ``None`` where it takes the pairs themselves to tell.

    The graph is one, and lies on the host.
    """
    source, target = graph.edge_index.numpy()
    if not directed and np.count_nonzero(source > target) != np.count_nonzero(source < target):
        return None
    upper = np.empty(graph.num_edges, np.uint32)
    of_pairs: list[Array] = []
    excess, in_order = 0, True

    def note(part: slice, hashes: Array) -> None:
        nonlocal excess, in_order
        upper[part] = upper_half(hashes)
        in_order = in_order and _rises(source, target, part.start, part.stop)
        if directed:
            of_pairs.append(hashes.copy())
            return
        down = hashes.take((source[part] >= target[part]).nonzero()[0])
        of_pairs.append(down)
        # With loops counted twice, all edges together weigh twice what those that go down do.
        loops = hashes[source[part] == target[part]]
        excess += int(hashes.sum()) + int(loops.sum()) - 2 * int(down.sum())

    hash_edges(graph, key, note, directed=directed)
    if excess % (1 << 64) != 0:
        return None
    candidates = np.concatenate(of_pairs)
    k = int(how_many(share, torch.tensor([candidates.size]), count))
    limit = limit_of_smallest(upper_half(candidates), k) if in_order else _limit_of_different(candidates, k)
    return None if limit is None else torch.from_numpy(upper < limit)


def _limit_of_different(hashes: Array, k: int) -> np.unsignedinteger[Any] | None:
    """What exactly ``k`` of the upper halves lie below, if no hash is there twice and no other equals the last one.

    Halves are sorted in half the time. A few of them are equal by chance: then the hashes themselves are looked at.
    """
    upper, sign = upper_half(hashes), np.uint32(1 << 31)
    ordered = upper ^ sign
    sort_in_place(ordered.view(np.int32))
    ordered ^= sign
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if again.size > upper.size >> 8:  # far more than chance makes
        return None
    if again.size > 0:
        alike = np.zeros(1 << 16, np.bool_)
        alike[again >> np.uint32(16)] = True
        doubtful = hashes[alike[upper >> np.uint32(16)]]
        if np.unique(doubtful).size < doubtful.size:
            return None
    if k == ordered.size:
        return np.uint64(1 << 63)
    limit: np.unsignedinteger[Any] = ordered[k]
    return None if k > 0 and ordered[k - 1] == limit else limit


def _rises(source: Array, target: Array, begin: int, end: int) -> bool:
    """Whether each of these edges comes after the one before it, by source, then target."""
    source, target = source[max(begin - 1, 0) : end], target[max(begin - 1, 0) : end]
    rises, stays = source[:-1] < source[1:], source[:-1] == source[1:]
    return bool((rises | (stays & (target[:-1] < target[1:]))).all())
