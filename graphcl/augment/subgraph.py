"""Subgraph sampling by a random walk, all graphs of a batch at once."""

import numpy as np
import torch
from torch import Tensor

from graphcl._host import ascending, where
from graphcl._random import Key, fold, hash_ids, hash_on_host, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment._rings import nearest, rings
from graphcl.augment._select import Count, check_count, check_share, how_many
from graphcl.augment.base import EditAugmentation

__all__ = ["RandomWalkSubgraph", "walk_subgraph"]


def walk_subgraph(graph: Graph, key: Key, *, keep: float, count: Count = "round") -> Edit:
    """Keep the nodes that one random walk per graph visits first."""
    k = torch.minimum(how_many(keep, graph.sizes, count).clamp(min=1), graph.sizes)
    keys = graph.keys(key)
    start = graph.ptr[:-1] + randint(hash_ids(keys, torch.zeros_like(keys)), graph.sizes.clamp(min=1))
    on_host, roads = graph.device.type == "cpu", _Roads(graph)
    kept, found = (_walk_on_host if on_host else _walk)(roads, keys, start, k)
    wanted = k * (found < k)
    if bool(wanted.any()):
        here = kept & (wanted > 0).index_select(0, graph.batch)
        ring = _rings_on_host(graph, roads, here, wanted) if on_host else rings(graph, here, wanted=wanted)
        kept |= nearest(graph, fold(key, 1), ring, wanted)
    return Edit(keep_nodes=kept)


class _Roads:
    """Each node's ways out: where they begin in ``target`` and how many they are; a dead end leads to itself."""

    def __init__(self, graph: Graph) -> None:
        src, dst = graph.edge_index
        degree = torch.bincount(src, minlength=graph.num_nodes)
        dead = where(degree == 0)
        if dead.numel() > 0:
            src, dst = torch.cat([src, dead]), torch.cat([dst, dead])
        if not ascending(src):
            dst = dst.index_select(0, torch.argsort(src, stable=True))
        self.degree, self.target = degree.clamp(min=1), dst
        self.first = self.degree.cumsum(0) - self.degree

    def walk(self, at: Tensor, draws: Tensor) -> Tensor:
        """``[T, W]`` the nodes that W walks visit from ``at`` in T steps; ``draws`` is ``[T, W]``, not negative."""
        path = []
        for draw in draws:
            at = self.target[self.first[at] + draw % self.degree[at]]
            path.append(at)
        return torch.stack(path)


# A walk comes back and so needs more steps than it keeps nodes; past its limit the rest is grown. Each walk has a limit
# of its own, lest it depend on the other graphs of the batch.
def _limit(k: Tensor) -> Tensor:
    return 4 * k + 16


def _walk(roads: _Roads, keys: Tensor, at: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The first ``k[g]`` distinct nodes of a walk in each graph, as a mask, and how many were found."""
    kept = torch.zeros_like(roads.degree, dtype=torch.bool)
    kept[at[k > 0]] = True
    found = k.clamp(max=1)
    limit, step, length = _limit(k), 1, 16
    while True:
        going = ((found < k) & (limit >= step)).nonzero().squeeze(1)
        if going.numel() == 0:
            return kept, found
        times = torch.arange(step, step + length, device=at.device)[:, None]
        draws = hash_ids(keys[going], times) >> 1
        path = roads.walk(at[going], draws.bitwise_and_((1 << 63) - 1))
        found[going] = _note_new(path, kept, found[going], k[going], times <= limit[going])
        at[going] = path[-1]
        # Looking less and less often costs few operations, and memory no more than the walks' limits.
        step, length = step + length, 2 * length


def _walk_on_host(roads: _Roads, keys: Tensor, at: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The same with numpy, which starts an operation in a quarter of the time."""
    first, degree, target = (t.numpy() for t in (roads.first, roads.degree, roads.target))
    names, way, wanted, last = keys.numpy().view(np.uint64), at.numpy(), k.numpy(), _limit(k).numpy()
    kept, early = np.zeros(degree.size, np.bool_), np.empty(degree.size, np.int64)
    kept[way[wanted > 0]] = True
    found = np.minimum(wanted, 1)
    step = 1
    while (going := ((found < wanted) & (last >= step)).nonzero()[0]).size > 0:
        here, end, have, aim = way[going], last[going], found[going], wanted[going]
        times = np.arange(step, min(step + _STRIDE, int(end.max()) + 1))[:, None]
        hashes = np.empty((times.size, going.size), np.uint64)
        hash_on_host(times.view(np.uint64), names[going], hashes, np.empty_like(hashes))
        back = np.empty(hashes.shape, np.int64)  # the last step first
        path = back[::-1]
        for to, draw in zip(path, (hashes >> np.uint64(1)).view(np.int64), strict=True):
            draw %= degree.take(here)
            draw += first.take(here)
            here = target.take(draw, out=to, mode="clip")
        # Of several values for one place, numpy leaves the last: here, when a walk first came there.
        early[back.reshape(-1)] = np.repeat(times[::-1, 0], here.size)
        new = (early[path] == times) > kept[path]  # true where the left is and the right is not
        if end.min() < times[-1]:
            new &= times <= end
        rank = new.cumsum(0)
        rank += have
        kept[path[new & (rank <= aim)]] = True
        found[going], way[going] = np.minimum(rank[-1], aim), here
        step += times.size
    return torch.from_numpy(kept), torch.from_numpy(found)


_STRIDE = 16  # steps between looking which walks still go on


def _rings_on_host(graph: Graph, roads: _Roads, start: Tensor, wanted: Tensor) -> Tensor:
    """``rings(graph, start, wanted=wanted)`` along the ways out of the last ring only: mostly one walk is short."""
    first, degree, target = (t.numpy() for t in (roads.first, roads.degree, roads.target))
    batch, aim = graph.batch.numpy(), wanted.numpy()
    ring = start.numpy().astype(np.int64) - 1
    border, hop = (ring == 0).nonzero()[0], 0
    reached = np.bincount(batch[border], minlength=aim.size)
    while border.size > 0:
        ways = degree[border]
        ends = ways.cumsum()
        near = target[np.repeat(first[border] - ends + ways, ways) + np.arange(ends[-1])]
        near = near[(ring[near] < 0) & (reached < aim)[batch[near]]]
        border, hop = np.unique(near), hop + 1
        ring[border] = hop
        reached += np.bincount(batch[border], minlength=aim.size)
    return torch.from_numpy(ring)


def _note_new(path: Tensor, kept: Tensor, found: Tensor, wanted: Tensor, in_time: Tensor) -> Tensor:
    """Mark the nodes of ``path`` [T, W] that are new, in order, until each walk has as many as it wants."""
    time = torch.arange(path.size(0), device=path.device)[:, None].expand_as(path)
    first = torch.full_like(kept, path.size(0), dtype=torch.int64)
    first.scatter_reduce_(0, path.flatten(), time.flatten(), "amin")
    new = (first[path] == time) & ~kept[path] & in_time
    rank = new.cumsum(0) + found
    kept[path[new & (rank <= wanted)]] = True
    return torch.minimum(rank[-1], wanted)


class RandomWalkSubgraph(EditAugmentation):
    """Keep the subgraph that a random walk visits: ``count(keep * n)`` of a graph's ``n`` nodes, and at least one.

    One walk starts at a uniform node of each graph and moves to a uniform neighbour until it has seen enough distinct
    nodes. A walk that wants k of them and has not seen them after 4 k + 16 steps (a long path, a nearly whole graph) is
    filled up with neighbours of what it has seen. If the start lies in a component that is smaller than asked for, the
    view is that component. The view carries ``n_id``. The steps of a walk follow one another, so that one large graph
    takes long: :class:`GrowthSubgraph` grows there in a tenth of the time.

    Args:
        keep: The share of nodes to keep, within [0, 1]; the authors' code keeps 0.2.
        count: ``"round"`` or, as in the authors' code, ``"floor"``.

    Raises:
        ValueError: ``keep`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> RandomWalkSubgraph(keep=0.3)(data).num_nodes
        3

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (subgraph).
    Differs from the authors' code, which takes the start node and some of its neighbours: :class:`StarSubgraph`.
    """

    def __init__(self, keep: float = 0.2, *, count: Count = "round") -> None:
        self.keep = check_share("keep", keep)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return walk_subgraph(graph, key, keep=self.keep, count=self.count)
