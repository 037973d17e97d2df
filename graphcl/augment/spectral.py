"""Edge dropping by how much an edge matters to the spectrum of its graph, all graphs of a batch at once."""

from typing import Literal

import torch
from torch import Tensor

from graphcl._arguments import check_choice, check_whole
from graphcl._random import Key
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph, offsets
from graphcl.augment._memory import Memory
from graphcl.augment._pairs import Pairs
from graphcl.augment._select import check_share
from graphcl.augment._weighted import drop_by_probability, segment_max, spread
from graphcl.augment.base import EditAugmentation

__all__ = ["Change", "SpectralEdgeDrop", "spectral_changes", "spectral_edge_drop"]

Change = Literal["large", "small"]

# Matrices are padded to a multiple of 8: few sizes to batch, and each begins at a multiple of 64 bytes, so that the
# solver takes the same path for a graph in every batch.
_STEP = 8
# Eigenvalues closer than this are one eigenvalue with several eigenvectors.
_SAME = 1e-6
# Changes below this are rounding errors of zero.
_NOTHING = 1e-7
# Numbers in flight while the edges are scored.
_CHUNK = 1 << 18
_memory = Memory()


def spectral_changes(graph: Graph, *, limit: int = 512) -> Tensor:
    """``[E]`` how fast the spectrum changes, as a Euclidean norm, when the weight of an edge is lowered; 0 of a loop.

    With A and D the adjacency and the degrees of the simple undirected graph and phi_k, lambda_k the solutions of
    A phi = lambda D phi, phi^T D phi = 1, an edge (u, v) changes lambda_k at the rate

        lambda_k (phi_ku^2 + phi_kv^2) - 2 phi_ku phi_kv.

    For an eigenvalue with several eigenvectors, the rates are the eigenvalues of a small matrix B Q, and what counts is
    their sum of squares, tr((B Q)^2) = tr(B Q)^2 - 2 det(B) det(Q), which does not depend on the basis.
    """
    largest = int(graph.sizes.max()) if graph.num_graphs > 0 else 0
    if largest > limit:
        raise ValueError(
            f"expected graphs of at most {limit} nodes, got one of {largest}: all eigenvectors of a graph of n nodes "
            f"cost n^3 steps; raise limit= if you can wait, or use AdaptiveEdgeDrop, which needs none"
        )
    return _memory.get("spectral", graph, lambda: _changes(graph))


def _changes(graph: Graph) -> Tensor:
    pairs = Pairs.find(graph, directed=False)
    proper = (pairs.ends[0] != pairs.ends[1]).nonzero().squeeze(1)
    home, major, minor = (t.index_select(0, proper) for t in (pairs.graph, *pairs.ends))
    change = torch.zeros(pairs.graph.numel(), dtype=torch.float64, device=graph.device)
    sizes = ((graph.sizes + _STEP - 1) // _STEP * _STEP).index_select(0, home)
    for size in torch.unique(sizes).tolist():  # not a loop over graphs: at most limit / 8 sizes
        own = (sizes == size).nonzero().squeeze(1)
        which, row = torch.unique(home[own], return_inverse=True)
        found = _changes_of_one_size(row, major[own], minor[own], which.numel(), size)
        change[proper[own]] = found
    return change.index_select(0, pairs.of_edge)


def _changes_of_one_size(row: Tensor, u: Tensor, v: Tensor, count: int, size: int) -> Tensor:
    """The change per edge ``(u, v)`` of the graphs ``row``, all padded to ``size`` nodes."""
    values, vectors, cluster = _solve(row, u, v, count, size)
    change = torch.empty(row.numel(), dtype=torch.float64, device=row.device)
    step = max(_CHUNK // size, 1)
    for start in range(0, row.numel(), step):
        part = slice(start, start + step)
        which = row[part]
        pu, pv = vectors[which, u[part]], vectors[which, v[part]]
        groups = cluster[which]
        quu, qvv, quv = (torch.zeros_like(pu).scatter_add_(1, groups, t) for t in (pu * pu, pv * pv, pu * pv))
        value = values[which]
        trace = value * (quu + qvv) - 2 * quv
        determinant = (value * value - 1) * (quu * qvv - quv * quv)
        change[part] = (trace * trace - 2 * determinant).sum(1)
    change = change.clamp_(min=0).sqrt_()
    return change.masked_fill_(change < _NOTHING, 0)


def _solve(row: Tensor, u: Tensor, v: Tensor, count: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each graph the distinct eigenvalues ``[B, S]`` (in the places of their clusters), the eigenvectors by node
    ``[B, S, S]`` and the cluster of each eigenvector ``[B, S]``."""
    matrix = torch.zeros(count, size, size, dtype=torch.float64, device=row.device)
    matrix[row, u, v] = 1
    matrix[row, v, u] = 1
    degree = matrix.sum(2)
    scale = degree.clamp(min=1).rsqrt()
    matrix = matrix * scale[:, :, None] * scale[:, None, :]
    # Nodes without an edge, and those that only pad, get an eigenvalue that no other has.
    matrix.diagonal(dim1=1, dim2=2).masked_fill_(degree == 0, 3.0)
    values, vectors = torch.linalg.eigh(matrix)
    new = values.diff(dim=1) > _SAME
    cluster = torch.cat([new.new_zeros(count, 1), new], 1).long().cumsum(1)
    distinct = torch.zeros_like(values).scatter_(1, cluster.flip(1), values.flip(1))
    return distinct, vectors * scale[:, :, None], cluster


def spectral_probabilities(graph: Graph, *, drop: float, change: Change, cutoff: float, limit: int) -> Tensor:
    """``[E]`` the probability with which each edge is dropped; a self-loop's is ``drop``."""
    amount = spectral_changes(graph, limit=limit)
    src, dst = graph.edge_index
    proper = src != dst
    inner = offsets(proper).index_select(0, graph.edge_ptr)
    amount = amount[proper]
    if change == "small" and amount.numel() > 0:
        group = torch.repeat_interleave(inner.diff(), output_size=amount.numel())
        amount = segment_max(amount, inner).index_select(0, group) - amount
    found = spread(amount, inner, drop, cutoff)
    return torch.full_like(src, min(drop, cutoff), dtype=torch.float64).masked_scatter(proper, found)


def spectral_edge_drop(
    graph: Graph, key: Key, *, drop: float, change: Change = "large", cutoff: float = 0.7, limit: int = 512
) -> Edit:
    """Drop the edges that matter most, or least, to the spectrum with the highest probability."""
    chances = spectral_probabilities(graph, drop=drop, change=change, cutoff=cutoff, limit=limit)
    return drop_by_probability(graph, key, chances, directed=False)


class SpectralEdgeDrop(EditAugmentation):
    r"""Drop edges with probabilities set by how much each matters to the spectrum of the normalised Laplacian.

    The amount a of an edge is the Euclidean norm of the rates at which the eigenvalues change as the weight of the edge
    is lowered. It is dropped with probability

    .. math::
        \text{large:} \quad & p = \min\Big(\frac{a}{a_{\text{mean}}} \, \text{drop}, \text{cutoff}\Big) \\
        \text{small:} \quad & p = \min\Big(\frac{a_{\max} - a}{a_{\max} - a_{\text{mean}}} \, \text{drop},
            \text{cutoff}\Big),

    maximum and mean over the edges of its graph. Two views, one of each kind, differ in what they leave of the
    spectrum. Where all edges matter equally (a ring, a star), p is ``drop``. Directions and duplicates of an
    edge are one edge of the Laplacian and share one draw; self-loops are no part of it and are dropped with
    probability ``drop``.

    Cost: all eigenvectors of each graph, n^3 steps, and n steps per edge: for a batch of 128 molecules 10 to 30 ms on a
    CPU core, where other views take one; for a graph of 500 nodes tenths of a second. The result for a single graph is
    remembered, by the content of ``edge_index``.

    Args:
        drop: The mean probability before the cutoff, within [0, 1].
        change: ``"large"``: edges whose loss changes the spectrum most are dropped most often; ``"small"``: least.
        cutoff: The largest probability, within [0, 1].
        limit: The number of nodes above which a graph is refused.

    Raises:
        ValueError: A share lies outside [0, 1], ``change`` is unknown, or a graph has more than ``limit`` nodes.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]), num_nodes=4)
        >>> SpectralEdgeDrop(drop=0.3)(path).is_undirected()
        True

    Source: Lin, Chen, Wang, "Spectral Augmentation for Self-Supervised Learning on Graphs", ICLR 2023 (SPAN).
    Differs from the paper: SPAN learns the probabilities by projected gradient ascent on the distance between the
    spectra of two views, under a budget, and may add edges; here the first-order change per edge sets them in one step,
    each edge by itself, and nothing is added. Being of first order, the change says how the spectrum answers to a
    little less weight: the last edge of a node has none of its own where its weight scales out.
    """

    def __init__(self, drop: float = 0.2, *, change: Change = "large", cutoff: float = 0.7, limit: int = 512) -> None:
        self.drop = check_share("drop", drop)
        check_choice("change", change, ("large", "small"))
        self.change: Change = change
        self.cutoff = check_share("cutoff", cutoff)
        self.limit = check_whole("limit", limit, 1)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return spectral_edge_drop(graph, key, drop=self.drop, change=self.change, cutoff=self.cutoff, limit=self.limit)
