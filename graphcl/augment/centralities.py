"""How central each node is in its graph: degree, PageRank, eigenvector; all graphs of a batch at once.

Powers of a matrix are taken a fixed number of times and summed up in a fixed order, so that the result for a graph does
not depend on the batch that it lies in.
"""

from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._arguments import check_choice
from graphcl.augment._graph import Graph, begins
from graphcl.augment._memory import Memory
from graphcl.augment._weighted import segment_max, segment_sum

__all__ = ["Centrality", "centralities", "centrality", "check_centrality"]

Centrality = Literal["degree", "pagerank", "eigenvector"]

# What is left of PageRank's error after 100 steps is 0.85^100 < 10^-7 of it.
_STEPS = 100
_DAMPING = 0.85
_memory = Memory()


def check_centrality(kind: str) -> Centrality:
    """``kind``, or ``ValueError`` if it is no known centrality."""
    check_choice("centrality", kind, ("degree", "pagerank", "eigenvector"))
    return kind  # type: ignore[return-value]


def centrality(data: Data, kind: Centrality = "degree") -> Tensor:
    r"""How central each node is in its graph: ``[N]``, float64.

    With :math:`A_{uv}` the number of edges from u to v, n nodes and out-degrees d,

    .. math::
        \text{degree:} \quad & c_v = \sum_u A_{uv} \\
        \text{pagerank:} \quad & c_v = \frac{0.15}{n} + 0.85 \Big(\sum_u A_{uv} \frac{c_u}{d_u}
            + \frac1n \sum_{u: d_u = 0} c_u\Big) \\
        \text{eigenvector:} \quad & \lambda c_v = \sum_u A_{uv} c_u, \quad \lVert c \rVert = 1,

    the last two by 100 power steps from a constant (for the eigenvector with A + 1, so that bipartite graphs converge,
    too). PageRank is then exact to 10^-7; the eigenvector where the largest eigenvalue stands out, which it does not in
    a long path or between equal components.

    Args:
        data: A ``Data`` or ``Batch``; each graph is taken by itself.
        kind: ``"degree"`` (of incoming edges), ``"pagerank"`` or ``"eigenvector"``.

    Raises:
        ValueError: ``kind`` is unknown.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> star = Data(edge_index=torch.tensor([[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]]), num_nodes=4)
        >>> centrality(star, "pagerank")
        tensor([0.4797, 0.1734, 0.1734, 0.1734], dtype=torch.float64)

    Source: Page, Brin, Motwani, Winograd, "The PageRank Citation Ranking: Bringing Order to the Web", 1999; Bonacich,
    "Power and Centrality: A Family of Measures", American Journal of Sociology 1987.
    """
    return centralities(Graph.of(data), check_centrality(kind)).clone()


def centralities(graph: Graph, kind: Centrality) -> Tensor:
    """``[N]`` the centrality of each node; of a single graph it is remembered."""
    if kind == "degree":
        return torch.zeros_like(graph.batch).index_add_(0, *_ones(graph)).double()
    compute = _pagerank if kind == "pagerank" else _eigenvector
    return _memory.get(kind, graph, lambda: compute(graph))


def _ones(graph: Graph) -> tuple[Tensor, Tensor]:
    return graph.edge_index[1], torch.ones_like(graph.edge_index[1])


class _Inflow:
    """``inflow(values)[v]``: the sum of ``values[u]`` over the edges from u to v, in the same order every time."""

    def __init__(self, graph: Graph, *, is_sorted: bool) -> None:
        self.src, self.dst = graph.edge_index
        self.zeros = torch.zeros(graph.num_nodes, dtype=torch.float64, device=graph.device)
        self.ptr: Tensor | None = None
        if is_sorted:
            self.dst, order = torch.sort(self.dst, stable=True)
            self.src = self.src.index_select(0, order)
            self.ptr = begins(self.dst, graph.num_nodes)

    def __call__(self, values: Tensor) -> Tensor:
        sent = values.index_select(0, self.src)
        return self.zeros.index_add(0, self.dst, sent) if self.ptr is None else segment_sum(sent, self.ptr)


def _inflow(graph: Graph) -> _Inflow:
    # The sums of index_add are the fastest, but have a fixed order on a CPU only.
    return _Inflow(graph, is_sorted=graph.device.type != "cpu")


def _pagerank(graph: Graph) -> Tensor:
    inflow = _inflow(graph)
    degree = torch.zeros_like(graph.batch).index_add_(0, graph.edge_index[0], torch.ones_like(graph.edge_index[0]))
    size = graph.sizes.double().index_select(0, graph.batch)
    rank, base = 1 / size, (1 - _DAMPING) / size
    weight = _DAMPING / degree.clamp(min=1).double()
    # A node without a way out gives to all nodes of its graph.
    stuck = (degree == 0).nonzero().squeeze(1)
    stuck_ptr = begins(graph.batch.index_select(0, stuck), graph.num_graphs)
    share = (_DAMPING / graph.sizes.clamp(min=1).double()) if stuck.numel() > 0 else None
    for _ in range(_STEPS):
        after = inflow(rank * weight) + base
        if share is not None:
            lost = segment_sum(rank.index_select(0, stuck), stuck_ptr) * share
            after += lost.index_select(0, graph.batch)
        rank = after
    return rank


def _eigenvector(graph: Graph) -> Tensor:
    inflow = _inflow(graph)
    vector = torch.ones(graph.num_nodes, dtype=torch.float64, device=graph.device)
    for _ in range(_STEPS):
        vector = vector + inflow(vector)
        vector = vector / segment_max(vector, graph.ptr).index_select(0, graph.batch)
    length = segment_sum(vector * vector, graph.ptr).sqrt()
    return vector / length.index_select(0, graph.batch)
