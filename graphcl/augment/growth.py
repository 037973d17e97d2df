"""Connected subgraphs that grow from a random node, all graphs of a batch at once.

"Start at a random node and keep adding a uniformly random neighbour of what is there" needs no sequence: give every
node an exponential clock that starts when the first of its neighbours is in. Exponential clocks have no memory, so the
next one to ring is a uniform choice among the nodes at the border, and the order of growth is the order of the times

    T(root) = 0,   T(v) = clock(v) + min over the neighbours u of v of T(u)      (first-passage percolation),

which are shortest paths. Times are whole numbers, so that they are the same to the bit whatever finds the paths.
"""

import functools

import torch
from torch import Tensor

from graphcl._host import ascending
from graphcl._random import Key, fold, hash_ids, randint
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph, begins
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k
from graphcl.augment.base import EditAugmentation

__all__ = ["GrowthSubgraph", "grow_subgraph"]

# The unit of time is 2^-24: a path may take 2^23 mean clocks before it is as late as never.
NEVER = (1 << 47) - 1


def grow_subgraph(graph: Graph, key: Key, *, keep: float, count: Count = "round") -> Edit:
    """Keep the nodes that growth from a random node of each graph adds first."""
    k = torch.minimum(how_many(keep, graph.sizes, count).clamp(min=1), graph.sizes)
    roots = random_roots(graph, fold(key, 1))
    time = _first_passage(graph, _clocks(graph.node_hashes(key)), roots)
    # smallest_k compares the upper 47 bits.
    return Edit(keep_nodes=smallest_k(time << 17, graph.batch, k, graph.sizes) & (time < NEVER))


def random_roots(graph: Graph, key: Key) -> Tensor:
    """A uniform node of each graph that has any."""
    keys = graph.keys(key)
    roots = graph.ptr[:-1] + randint(hash_ids(keys, torch.zeros_like(keys)), graph.sizes.clamp(min=1))
    return roots[graph.sizes > 0]


@functools.lru_cache(maxsize=8)
def _quantiles(device: torch.device) -> Tensor:
    """``[65537]`` quantiles of the exponential distribution in units of 2^-24; the last one stands for infinity."""
    share = torch.arange(1 << 16, dtype=torch.float64) / (1 << 16)
    inner = -torch.log1p(-share)
    # Two units beyond, so that the last interval has the mean of the tail that it stands for.
    return (torch.cat([inner, inner[-1:] + 2]) * (1 << 24)).round().long().to(device)


def _clocks(hashes: Tensor) -> Tensor:
    """Exponential whole numbers with mean 2^24, at least 1: quantiles read from a table, and between them a line."""
    table = _quantiles(hashes.device)
    cell = (hashes >> 48).bitwise_and_(0xFFFF)
    low, high = table.index_select(0, cell), table.index_select(0, cell + 1)
    return low + ((high - low) * (hashes & 0xFFFF) >> 16) + 1


def _first_passage(graph: Graph, clock: Tensor, roots: Tensor) -> Tensor:
    """``[N]`` the time at which growth from ``roots`` reaches each node, at most ``NEVER``."""
    steps = clock.index_select(0, graph.edge_index[1])
    find = _by_dijkstra if clock.device.type == "cpu" else _by_rounds
    return find(graph, steps, roots).clamp_(max=NEVER)


def _by_dijkstra(graph: Graph, steps: Tensor, roots: Tensor) -> Tensor:
    """One search for all graphs, in O(E log N) whatever their shape."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    src, dst = graph.edge_index
    if not ascending(src):
        src, order = torch.sort(src, stable=True)
        dst, steps = dst.index_select(0, order), steps.index_select(0, order)
    first = begins(src.contiguous(), graph.num_nodes)
    if dst.numel() < 2**31:  # csgraph of SciPy 1.12 takes no wider numbers
        dst, first = dst.int(), first.int()
    ways = csr_array((steps.double().numpy(), dst.numpy(), first.numpy()), shape=(graph.num_nodes,) * 2)
    if roots.numel() == 0:
        return torch.empty_like(graph.batch)
    # Whole numbers below 2^53 add up exactly in float64.
    time = dijkstra(ways, indices=roots.numpy(), min_only=True)
    return torch.from_numpy(time).clamp_(max=float(NEVER)).long()


def _by_rounds(graph: Graph, steps: Tensor, roots: Tensor) -> Tensor:
    """Every edge is tried again until no time falls: as many rounds as the longest path has edges, on any device."""
    src, dst = graph.edge_index
    time = torch.full_like(graph.batch, NEVER).index_fill_(0, roots, 0)
    while True:
        before = time.clone()
        # A look at the result stalls a device: some rounds in vain are cheaper.
        for _ in range(8):
            time.scatter_reduce_(0, dst, time.index_select(0, src) + steps, "amin")
        if torch.equal(time, before):
            return time


class GrowthSubgraph(EditAugmentation):
    """Keep a connected subgraph of ``count(keep * n)`` of a graph's ``n`` nodes, and at least one, grown at random.

    Growth starts at a uniform node and adds, one by one, a uniformly random node among those that an edge leads to from
    what is already there. If the start lies in a component that is smaller than asked for, the view is that component
    (in a directed graph: what can be reached). The view carries ``n_id``.

    Compared with :class:`RandomWalkSubgraph` the subgraph is rounder: a walk draws threads, growth draws blots.

    Args:
        keep: The share of nodes to keep, within [0, 1].
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``keep`` lies outside [0, 1].

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=10)
        >>> view = GrowthSubgraph(keep=0.4)(data)
        >>> view.num_nodes, view.num_edges
        (4, 6)

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (subgraph);
    growth as first-passage percolation: Richardson, "Random growth in a tessellation", 1973.
    Differs from the paper: its text calls this a random walk; :class:`RandomWalkSubgraph` walks.
    """

    def __init__(self, keep: float = 0.8, *, count: Count = "round") -> None:
        self.keep = check_share("keep", keep)
        self.count = check_count(count)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return grow_subgraph(graph, key, keep=self.keep, count=self.count)
