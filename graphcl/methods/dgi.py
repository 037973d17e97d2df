"""DGI: the nodes of a graph belong to its summary, those of a corrupted graph do not."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl.augment import FeatureShuffle, Identity
from graphcl.distributed import joined_groups
from graphcl.methods.base import View, graphs_of
from graphcl.methods.nodes import NodeMethod, align
from graphcl.nn import GraphEncoder, mean_readout

__all__ = ["DGI", "Discriminator"]


class Discriminator(nn.Module):
    r"""The bilinear discriminator of DGI: :math:`h_i^\top W s + b` says whether node i is of the graph with summary s.

    Args:
        channels: D, the width of nodes and summaries.

    Example:
        >>> h, graph = torch.ones(3, 4), torch.tensor([0, 0, 1])
        >>> discriminator = Discriminator(4)
        >>> summary = discriminator.summary(h, graph, 2)  # sigmoid of 1
        >>> discriminator(h, summary, graph).shape
        torch.Size([3])

    Source: Velickovic, Fedus, Hamilton, Lio, Bengio, Hjelm, "Deep Graph Infomax", ICLR 2019, the readout and the
    discriminator of its experiments; the bias and the first weights as in the authors' code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # To Xavier's rule W has one output of D x D inputs: it starts sqrt(D / 2) times smaller than a map from D to D
        # would. On CiteSeer the larger start costs DGI a point.
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, channels, channels))[0])
        self.bias = nn.Parameter(torch.zeros(()))

    @staticmethod
    def summary(node: Tensor, graph: Tensor, num_graphs: int) -> Tensor:
        """``[G, D]`` the sigmoid of the mean over each graph's nodes ``[N, D]``."""
        return mean_readout(node, graph, num_graphs).sigmoid()

    def forward(self, node: Tensor, summary: Tensor, graph: Tensor) -> Tensor:
        """``[N]`` the score of each node with the summary of its graph, ``graph`` ``[N]``, before a sigmoid."""
        return (node * (summary @ self.weight.T).index_select(0, graph)).sum(1) + self.bias


class DGI(NodeMethod):
    r"""Deep Graph Infomax: tell the nodes of a graph from those of a corrupted one, by the summary s of the graph.

    .. math:: L = -\frac1{2N} \sum_i \big[ \log \sigma(h_i^\top W s)
        + \log (1 - \sigma(\hat h_i^\top W s)) \big]

    Each graph of a batch has its own summary, the sigmoid of the mean over the nodes that are scored: those that both
    views hold, and of a loader's batch the seeds.

    Args:
        encoder: From graphs to node embeddings; the paper's for one graph is a one-layer GCN of width 512 with PReLU.
        views: The true graph and the corrupted one; the clean graph and one with shuffled features by default.
        loss: From the scores of true and of corrupted nodes to a scalar; :class:`graphcl.losses.DGIBCE` by default.
        seed: The seed of the corruption.

    Raises:
        ValueError: There are not exactly two views.
        TypeError: A view cannot be called.

    Example:
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> DGI(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Velickovic, Fedus, Hamilton, Lio, Bengio, Hjelm, "Deep Graph Infomax", ICLR 2019.
    Differs from the paper: the discriminator has a bias, as in the authors' code.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, views=(Identity(), FeatureShuffle()) if views is None else views, seed=seed)
        self.discriminator = Discriminator(encoder.out_channels)
        self.loss = losses.DGIBCE() if loss is None else loss

    def contrast(self, views: Sequence[Data]) -> Tensor:
        real, corrupted = self.encode_aligned(views)
        graph, _ = align(views, [graphs_of(view)[0] for view in views])
        graph, num_graphs = joined_groups(graph, graphs_of(views[0])[1])
        summary = self.discriminator.summary(real, graph, num_graphs)
        return self.loss(*(self.discriminator(node, summary, graph) for node in (real, corrupted)))
