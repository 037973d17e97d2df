"""An exact share of the edges of one large graph, without sorting them, where they come in order already.

PyG keeps edges in the order of (source, target) and gives an undirected graph both directions of each edge. Then every
pair of nodes has one edge that goes down, from the larger node to the smaller, or is a loop: those edges are the pairs,
and none has to be looked for. That each of the others is the other direction of one of these is seen from the hashes:
two directions share one, so the sums of both kinds are equal. Were an edge without its other direction among them, the
sums, modulo 2^64, would be equal under one key in 2^64.
"""

import numpy as np
import torch
from torch import Tensor

from graphcl._host import BLOCK
from graphcl._random import Array, Key
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import hash_edges
from graphcl.augment._select import Count, how_many, limit_of_smallest, upper_half

__all__ = ["choose_in_order"]


def choose_in_order(graph: Graph, key: Key, share: float, count: Count, *, directed: bool) -> Tensor | None:
    """``[E]`` what ``Pairs.choose`` chooses, for each edge; ``None`` where it takes the pairs themselves to tell.

    The graph is one, and lies on the host.
    """
    source, target = graph.edge_index.numpy()
    if not _rises(source, target, 0, BLOCK):
        return None
    upper = np.empty(graph.num_edges, np.uint32)
    of_pairs: list[Array] = []
    excess: list[int] = []

    def note(part: slice, hashes: Array) -> None:
        upper[part] = upper_half(hashes)
        if not _rises(source, target, part.start, part.stop):
            excess.append(1)
        elif directed:
            of_pairs.append(upper[part])
        else:
            down = hashes.take((source[part] >= target[part]).nonzero()[0])
            of_pairs.append(upper_half(down))
            # With loops counted twice, all edges together weigh twice what those that go down do.
            loops = hashes[source[part] == target[part]]
            excess.append(int(hashes.sum()) + int(loops.sum()) - 2 * int(down.sum()))

    hash_edges(graph, key, note, directed=directed)
    if sum(excess) % (1 << 64) != 0:
        return None
    candidates = np.concatenate(of_pairs)
    limit = limit_of_smallest(candidates, int(how_many(share, torch.tensor([candidates.size]), count)))
    return None if limit is None else torch.from_numpy(upper < limit)


def _rises(source: Array, target: Array, begin: int, end: int) -> bool:
    """Whether each of these edges comes after the one before it, by source, then target."""
    source, target = source[max(begin - 1, 0) : end], target[max(begin - 1, 0) : end]
    rises, stays = source[:-1] < source[1:], source[:-1] == source[1:]
    return bool((rises | (stays & (target[:-1] < target[1:]))).all())
