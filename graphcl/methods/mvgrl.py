"""MVGRL: the nodes of a graph belong to the summary of its diffusion, and the other way round."""

import copy
from collections.abc import Sequence
from itertools import cycle

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from graphcl import losses
from graphcl._arguments import check_whole
from graphcl._random import Key, fold
from graphcl.augment import FeatureShuffle, Identity, PPRDiffusion
from graphcl.distributed import joined_groups
from graphcl.methods._smooth import smoothed
from graphcl.methods.base import View, graphs_of, view_of
from graphcl.methods.dgi import Discriminator
from graphcl.methods.nodes import NodeMethod, align
from graphcl.nn import GCN, Embeddings, GraphEncoder
from graphcl.nn._redrawn import draw_anew

__all__ = ["MVGRL"]


class MVGRL(NodeMethod):
    r"""Contrast the nodes of a graph with the summary of its diffusion, and those of the diffusion with the graph's.

    .. math:: L = -\frac1{4N} \sum_i \big[ \log \sigma(h^1_i W s^2) + \log \sigma(h^2_i W s^1)
        + \log (1 - \sigma(\hat h^1_i W s^2)) + \log (1 - \sigma(\hat h^2_i W s^1)) \big]

    Each view has an encoder of its own: h1 are the nodes of the graph, h2 those of its diffusion, and s1, s2 the
    summaries of both. The corruption shuffles the features of both views alike. ``embed`` gives the sum of both
    encoders' outputs.

    Args:
        encoder: The encoder of the graph; the authors' is a one-layer GCN of width 512 with PReLU.
        second: The encoder of the diffusion, of the same width, which should take ``edge_weight``; by default a copy of
            ``encoder`` with weights of its own, drawn anew by ``reset_parameters``. A GCN's copy sums by the weights of
            the diffusion as they are, where the GCN itself would normalise them by degree.
        diffusion: From the graph to its diffusion; by default personalised PageRank with restarts of 0.2, the 64
            largest entries of each node. It is worked out once per graph. On CiteSeer the authors keep the entries from
            0.01 on and scale them: ``PPRDiffusion(alpha=0.2, threshold=0.01, renormalise="max")``.
        corruption: From a view to a corrupted one; shuffled features by default.
        loss: From the scores of true and of corrupted nodes to a scalar; :class:`graphcl.losses.DGIBCE` by default.
        power: n: ``embed`` gives :math:`H + \hat A^n H`, as :class:`GGD` does, with the normalised adjacency; 0, as in
            the paper, for H alone.
        seed: The seed of the corruption.

    Raises:
        ValueError: The encoders differ in width, the first cannot be drawn anew, or ``power`` is negative.
        TypeError: ``second`` is not a GraphEncoder, a view cannot be called, or ``power`` is not a whole number.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> from graphcl.augment import PPRDiffusion
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> method = MVGRL(GraphEncoder(GCN(10, 8, 1)), diffusion=PPRDiffusion(alpha=0.2, top_k=5))
        >>> method(graph).shape, method.embed(graph).node.shape
        (torch.Size([]), torch.Size([10, 8]))

    Source: Hassani, Khasahmadi, "Contrastive Multi-View Representation Learning on Graphs", ICML 2020, and the authors'
    code for node classification.
    Differs from the authors' code: a step takes the whole graph and not four of its diagonal blocks of 2000 nodes; the
    diffusion is sparse, where theirs is dense on Cora; self-loops are added once to the graph, not twice.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        second: GraphEncoder | None = None,
        diffusion: View | None = None,
        corruption: View | None = None,
        loss: nn.Module | None = None,
        power: int = 0,
        seed: int = 0,
    ) -> None:
        diffusion = PPRDiffusion(alpha=0.2, top_k=64) if diffusion is None else diffusion
        super().__init__(encoder, views=(Identity(), diffusion), seed=seed)
        self.second = _for_diffusion(encoder) if second is None else second
        check_second(encoder, self.second)
        self.corruption = FeatureShuffle() if corruption is None else corruption
        self.discriminator = Discriminator(encoder.out_channels)
        self.loss = losses.DGIBCE() if loss is None else loss
        self.power = check_whole("power", power)

    def views_of(self, data: Data, key: Key) -> list[Data]:
        """The graph, its diffusion, and both corrupted."""
        views = super().views_of(data, key)
        return [*views, *(view_of(self.corruption, view, fold(key, 2)) for view in views)]

    def encode_views(self, views: Sequence[Data]) -> list[Embeddings]:
        """The embeddings of graphs and diffusions in turn, each kind by its encoder.

        One by one: what the encoders made of the features and edges of the clean graph serves every step, while views
        that are joined have new ones each time.
        """
        return [encoder.encode(view) for encoder, view in zip(cycle((self.encoder, self.second)), views, strict=False)]

    def contrast(self, views: Sequence[Data]) -> Tensor:
        h1, h2, c1, c2 = self.encode_aligned(views)
        graph = align(views, [graphs_of(view)[0] for view in views])[0]
        graph, num_graphs = joined_groups(graph, graphs_of(views[0])[1])
        s1, s2 = (self.discriminator.summary(h, graph, num_graphs) for h in (h1, h2))
        real, corrupted = (
            torch.cat([self.discriminator(a, s2, graph), self.discriminator(b, s1, graph)])
            for a, b in ((h1, h2), (c1, c2))
        )
        return self.loss(real, corrupted)

    def represent(self, data: Data) -> Embeddings:
        first, second = self.encoder.encode(data), self.second.encode(view_of(self.views[1], data, 0))
        found = Embeddings(first.node + second.node, first.graph + second.graph)
        return smoothed(found, self.encoder, data, self.power)


def check_second(encoder: GraphEncoder, second: object) -> None:
    """Refuse what cannot encode the diffusion so that both encoders' embeddings can be added."""
    if not isinstance(second, GraphEncoder):
        raise TypeError(
            f"expected second to be a GraphEncoder, got {type(second).__name__}; wrap the network: "
            "GraphEncoder(network)"
        )
    first, other = ((each.out_channels, each.graph_channels) for each in (encoder, second))
    if first != other:
        raise ValueError(
            f"expected encoders whose embeddings can be added, got widths (of nodes, of graphs) of {first} and {other}"
        )


def _for_diffusion(encoder: GraphEncoder) -> GraphEncoder:
    """A copy with weights of its own, to which a diffusion is the matrix that it multiplies with."""
    other = copy.deepcopy(encoder)
    draw_anew(other.named_modules(), "second=")  # parts after the whole, so that a seed keeps its weights
    for module in other.modules():
        if isinstance(module, GCN):
            module.normalise = False
        if isinstance(module, GCNConv):
            module.normalize = False
    return other
