"""Adaptive augmentation: what hangs on central nodes is dropped more rarely (GCA)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl._random import Key, below, hash_ids
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph, offsets
from graphcl.augment._select import check_share
from graphcl.augment._weighted import drop_by_probability, segment_max, spread
from graphcl.augment.base import EditAugmentation
from graphcl.augment.centralities import Centrality, centralities, check_centrality

__all__ = [
    "AdaptiveEdgeDrop",
    "AdaptiveFeatureMask",
    "adaptive_edge_drop",
    "adaptive_feature_mask",
    "edge_probabilities",
    "feature_probabilities",
]


def edge_probabilities(
    graph: Graph, *, drop: float, centrality: Centrality = "degree", cutoff: float = 0.7, directed: bool = False
) -> Tensor:
    """``[E]`` the probability with which each edge is dropped."""
    score = centralities(graph, centrality).index_select(0, graph.edge_index.flatten()).view(2, -1)
    weight = score[1] if directed else (score[0] + score[1]) / 2
    return _by_importance(weight, graph.edge_ptr, drop, cutoff)


def feature_probabilities(
    graph: Graph, *, mask: float, centrality: Centrality = "degree", cutoff: float = 0.7
) -> Tensor:
    """``[G, F]`` the probability with which each feature is masked in each graph."""
    x = graph.stored_features("mask")
    width = math.prod(x.shape[1:])
    if graph.num_nodes == 0 or width == 0:
        return torch.full((graph.num_graphs, width), min(mask, cutoff), dtype=torch.float64, device=x.device)
    rows = torch.arange(graph.num_nodes, device=x.device) if graph.rows is None else graph.rows
    weight = F.embedding_bag(
        rows,
        (x.abs() if x.is_complex() else x).detach().reshape(x.size(0), -1).double().abs(),
        graph.ptr,
        mode="sum",
        per_sample_weights=centralities(graph, centrality),
        include_last_offset=True,
    )
    ptr = torch.arange(graph.num_graphs + 1, device=x.device) * width
    return _by_importance(weight.flatten(), ptr, mask, cutoff).view(-1, width)


def _by_importance(weight: Tensor, ptr: Tensor, mean: float, cutoff: float) -> Tensor:
    """min((s_max - s) / (s_max - s_mean) mean, cutoff) of s = log ``weight``, for each run of ``ptr``.

    A weight of 0 is infinitely unimportant: it gets the cutoff and stays out of maximum and mean.
    """
    if not bool(weight.isfinite().all()):
        raise ValueError("expected finite weights to tell what is important, got NaN or infinite ones; look at x")
    counted = weight > 0
    inner = offsets(counted).index_select(0, ptr)
    counts = inner.diff()
    score = weight[counted].log()
    group = torch.repeat_interleave(counts, output_size=score.numel())
    amount = segment_max(score, inner).index_select(0, group) - score
    # Where nothing counts, nothing tells the rest apart.
    rest = torch.full_like(counts, min(mean, cutoff), dtype=torch.float64)
    if mean > 0:
        rest.masked_fill_(counts > 0, cutoff)
    chances = rest.repeat_interleave(ptr.diff(), output_size=weight.numel())
    return chances.masked_scatter_(counted, spread(amount, inner, mean, cutoff))


def adaptive_edge_drop(
    graph: Graph,
    key: Key,
    *,
    drop: float,
    centrality: Centrality = "degree",
    cutoff: float = 0.7,
    directed: bool = False,
) -> Edit:
    """Drop edges, those between central nodes more rarely."""
    chances = edge_probabilities(graph, drop=drop, centrality=centrality, cutoff=cutoff, directed=directed)
    return drop_by_probability(graph, key, chances, directed=directed)


def adaptive_feature_mask(
    graph: Graph, key: Key, *, mask: float, centrality: Centrality = "degree", cutoff: float = 0.7
) -> Edit:
    """Set features to 0 in whole graphs, those of central nodes more rarely."""
    chances = feature_probabilities(graph, mask=mask, centrality=centrality, cutoff=cutoff)
    columns = torch.arange(chances.size(1), device=chances.device)
    masked = below(hash_ids(graph.keys(key)[:, None], columns), chances)
    x = graph.x
    assert x is not None
    rows = x.masked_fill(masked.index_select(0, graph.batch).view(x.shape), 0)
    return Edit(rows={"x": (torch.arange(graph.num_nodes, device=x.device), rows)})


class AdaptiveEdgeDrop(EditAugmentation):
    r"""Drop edges with probabilities that fall with the centrality of the nodes they join.

    With phi the centrality of nodes, an edge (u, v) has the weight w = (phi_u + phi_v) / 2 (directed: phi_v), the
    importance s = log w, and is dropped with probability

    .. math:: p = \min\Big(\frac{s_{\max} - s}{s_{\max} - s_{\text{mean}}} \, \text{drop}, \text{cutoff}\Big),

    maximum and mean over the edges of its graph: every graph of a batch by itself. Where all edges are equally
    important, p is ``drop``. Edges that join the same two nodes share one draw, as in :class:`EdgeDrop`.

    PageRank and eigenvector cost 100 passes over the edges; of a single graph (node-level training) they are
    remembered, by the content of ``edge_index``.

    Args:
        drop: The mean probability before the cutoff, within [0, 1].
        centrality: ``"degree"``, ``"pagerank"`` or ``"eigenvector"``; see :func:`centrality`.
        cutoff: The largest probability, within [0, 1].
        directed: Weigh by the target alone and draw for each direction by itself.

    Raises:
        ValueError: A share lies outside [0, 1], or the centrality is unknown.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> AdaptiveEdgeDrop(drop=0.3, centrality="pagerank")(path).is_undirected()
        True

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Graph Contrastive Learning with Adaptive Augmentation", WWW 2021,
    topology-level augmentation.
    Differs from the authors' code, which weighs each direction by its target alone even in undirected graphs, draws for
    each direction, counts degrees without directions, adds 1e-8 to the entries of the eigenvector, and whose PageRank
    has no teleport.
    """

    def __init__(
        self, drop: float = 0.3, *, centrality: Centrality = "degree", cutoff: float = 0.7, directed: bool = False
    ) -> None:
        self.drop = check_share("drop", drop)
        self.centrality = check_centrality(centrality)
        self.cutoff = check_share("cutoff", cutoff)
        self.directed = directed

    def edit(self, graph: Graph, key: Key) -> Edit:
        return adaptive_edge_drop(
            graph, key, drop=self.drop, centrality=self.centrality, cutoff=self.cutoff, directed=self.directed
        )


class AdaptiveFeatureMask(EditAugmentation):
    r"""Set features (columns of ``x``) to 0 with probabilities that fall with the centrality of their nodes.

    With phi the centrality of nodes, feature i has in its graph the weight :math:`w_i = \sum_u \varphi_u |x_{ui}|` (for
    one-hot features: the centrality of the nodes that have it), the importance s = log w, and is masked, in all nodes
    of the graph together, with probability

    .. math:: p = \min\Big(\frac{s_{\max} - s}{s_{\max} - s_{\text{mean}}} \, \text{mask}, \text{cutoff}\Big).

    A feature of weight 0 gets the cutoff and is left out of maximum and mean.

    Args:
        mask: The mean probability before the cutoff, within [0, 1].
        centrality: ``"degree"``, ``"pagerank"`` or ``"eigenvector"``; see :func:`centrality`.
        cutoff: The largest probability, within [0, 1].

    Raises:
        ValueError: A share lies outside [0, 1], the centrality is unknown, or the data have no ``x``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
        >>> view = AdaptiveFeatureMask(mask=0.3)(path)
        >>> bool(view.x[1, 1])  # the most important feature stays
        True

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Graph Contrastive Learning with Adaptive Augmentation", WWW 2021,
    node-attribute-level augmentation.
    Differs from the authors' code, which counts all features but 0 as 1 except on WikiCS, gives no number where no node
    has a feature, and whose PageRank has no teleport.
    """

    def __init__(self, mask: float = 0.3, *, centrality: Centrality = "degree", cutoff: float = 0.7) -> None:
        self.mask = check_share("mask", mask)
        self.centrality = check_centrality(centrality)
        self.cutoff = check_share("cutoff", cutoff)

    def edit(self, graph: Graph, key: Key) -> Edit:
        return adaptive_feature_mask(graph, key, mask=self.mask, centrality=self.centrality, cutoff=self.cutoff)
