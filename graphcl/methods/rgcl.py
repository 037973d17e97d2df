"""RGCL: views keep the nodes that a second network takes for the reason of what the graph is."""

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.utils import cumsum

from graphcl._random import Key, fold, open_uniform
from graphcl.augment._graph import Graph
from graphcl.distributed import joined_rows
from graphcl.losses import InfoNCE
from graphcl.losses._negatives import log_sum, mean_cost
from graphcl.methods.base import Method, check_several, graphs_of
from graphcl.nn import GraphEncoder, project_views, projection_head
from graphcl.nn._redrawn import redrawn
from graphcl.similarity._fold import unit_rows

__all__ = ["RGCL", "draw_nodes"]


class RGCL(Method):
    r"""Contrast two rationales (learned subgraphs) of each graph, with what they leave out as further negatives.

    A second network gives every node a probability p, a softmax over its graph. Two rationales are drawn by p without
    replacement, a complement by 1 - p; each is pooled with the weights p (1 - p), through which the network learns.

    .. math:: L = L_{\mathrm{InfoNCE}}(z^1, z^2) - \frac\lambda G \sum_n
        \log \frac{e^{s(z^1_n, z^2_n)/\tau}}{e^{s(z^1_n, z^2_n)/\tau} + \sum_k e^{s(z^1_n, c_k)/\tau}}

    for projections z of the rationales and c of the complements, s the cosine.

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``.
        rationale: ``(x, edge_index) -> [N, D]``, the second network, of which a linear map makes the scores; a copy of
            the encoder's, drawn anew by ``reset_parameters``, by default.
        keep: The share of its nodes that a rationale keeps, in (0, 1).
        weight: lambda, at least 0.
        temperature: tau > 0, of the complements' term and of the default ``loss``.
        head: From graph embeddings to what is compared; :func:`graphcl.nn.projection_head` by default.
        loss: The first term, from two ``[G, D]`` tensors to a scalar; InfoNCE without the positive in the denominator
            by default.
        seed: The seed of the draws.

    Raises:
        ValueError: A number is out of range, or the network cannot be drawn anew; at the call, the batch holds fewer
            than two graphs.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> RGCL(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Li, Wang, Zhang, Wu, He, Chua, "Let Invariant Rationale Discovery Inspire Graph Contrastive Learning", ICML
    2022.
    Differs from the authors' code: the complement is drawn by 1 - p, there by max p - p; the weights of the pooling are
    p (of the complement 1 - p) of the whole graph times its number of nodes, so that a uniform p changes nothing, where
    there p is made anew of each part and mapped to 0.9 + 0.1 p / max p. Its version for TU data contrasts the whole
    graph with one rationale, flattens the softmax of p by a temperature of 5, keeps the positive in both denominators
    and takes one logarithm of the weighted sum of both shares. There p is found once per epoch, in evaluation mode,
    here in every step; n - int(n (1 - keep)) nodes are kept, here round(keep n). The defaults are of two scripts: keep
    of that for molecules, whose temperature is 0.1, the temperature of that for TU data, where keep is 0.9.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        rationale: nn.Module | None = None,
        keep: float = 0.8,
        weight: float = 0.1,
        temperature: float = 0.2,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        if not 0 < keep < 1 or not weight >= 0:
            raise ValueError(f"expected keep within (0, 1) and weight >= 0, got {keep!r} and {weight!r}")
        self.keep, self.weight, self.temperature = keep, weight, temperature
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.rationale = GraphEncoder(redrawn(encoder.gnn, "rationale=") if rationale is None else rationale)
        self.score = nn.Linear(self.rationale.out_channels, 1, bias=False)  # a softmax has no use for one
        self.loss = InfoNCE(temperature=temperature, positive_in_denominator=False) if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        batch, num_graphs = graphs_of(data)
        score = self.score(self.rationale.encode(data).node).squeeze(1)
        score = score.to(torch.promote_types(score.dtype, torch.float32))
        p = log_softmax_by_graph(score, batch, num_graphs).exp()
        size = torch.bincount(batch, minlength=num_graphs)[batch]
        views = [(p, fold(key, 0)), (p, fold(key, 1)), (1 - p, fold(key, 2))]
        graphs = []
        nodes = Graph.of(data)
        for chance, stream in views:
            kept = draw_nodes(chance.detach(), batch, num_graphs, self.keep, nodes.node_hashes(stream))
            node, graph = self.encoder.encode(_part(data, kept, batch, num_graphs))
            # The mean weight of a graph's nodes is one, for p and for 1 - p alike.
            mean = chance if chance is p else chance / (size - 1).clamp(min=1)
            pooled = (size * mean)[kept, None].to(node.dtype) * node
            graphs.append(self.encoder.readout(pooled, batch[kept], num_graphs))
        z1, z2, complement = project_views(self.head, [joined_rows(graph) for graph in graphs])
        loss: Tensor = self.loss(z1, z2)
        z1, z2, complement = unit_rows(z1), unit_rows(z2), unit_rows(complement)
        away = log_sum(z1, complement, scale=1 / self.temperature)
        return loss + self.weight * mean_cost((z1 * z2).sum(1) / self.temperature, away)


def log_softmax_by_graph(score: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The log-softmax of ``score`` ``[N]`` over the nodes of each graph.

    Example:
        >>> log_softmax_by_graph(torch.zeros(3), torch.tensor([0, 0, 1]), 2).exp()
        tensor([0.5000, 0.5000, 1.0000])
    """
    largest = score.new_zeros(num_graphs).scatter_reduce(0, batch, score.detach(), "amax", include_self=False)
    shifted = score - largest[batch]
    return shifted - score.new_zeros(num_graphs).index_add(0, batch, shifted.exp()).log()[batch]


def draw_nodes(chance: Tensor, batch: Tensor, num_graphs: int, keep: float, hashes: Tensor) -> Tensor:
    """A share of the nodes of each graph, drawn one after the other without replacement in proportion to ``chance``.

    Args:
        chance: ``[N]`` not negative.
        batch: ``[N]`` the graph of each node.
        num_graphs: G.
        keep: The share, rounded, at least one node.
        hashes: ``[N]`` int64, by which the draws are made: the same hashes, the same nodes.

    Returns:
        The chosen nodes in ascending order.

    Example:
        >>> hashes = torch.tensor([3, 1, 4, 1]) << 60
        >>> draw_nodes(torch.tensor([1.0, 0.0, 1.0, 5.0]), torch.tensor([0, 0, 0, 1]), 2, 0.67, hashes)
        tensor([0, 2, 3])
    """
    # The k first of exponential clocks with these rates (Efraimidis and Spirakis, 2006).
    order = (-open_uniform(hashes).log() / chance.double()).argsort()
    order = order[batch[order].argsort(stable=True)]
    size = torch.bincount(batch, minlength=num_graphs)
    rank = torch.arange(batch.numel(), device=batch.device) - (size.cumsum(0) - size)[batch[order]]
    wanted = (size * keep).round().clamp(min=1)
    return order[rank < wanted[batch[order]]].sort().values


def _part(data: Data, kept: Tensor, batch: Tensor, num_graphs: int) -> Data:
    """The subgraph of the given nodes, with what encoders read."""
    place = torch.full_like(batch, -1).index_copy(0, kept, torch.arange(kept.numel(), device=kept.device))
    edges = place[data.edge_index]
    inside = (edges >= 0).all(0)
    size = torch.bincount(batch[kept], minlength=num_graphs)
    part = Data(x=data.x[kept], edge_index=edges[:, inside], batch=batch[kept])
    part.ptr = cumsum(size)
    for name in ("edge_attr", "edge_weight"):
        if name in data:
            part[name] = data[name][inside]
    return part
