"""Graph Barlow Twins: two views of the nodes agree, and the dimensions of their embeddings say different things."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl import losses
from graphcl.methods.base import View
from graphcl.methods.grace import edge_and_feature_drop
from graphcl.methods.nodes import NodeViewMethod
from graphcl.nn import GraphEncoder
from graphcl.nn.heads import output_width

__all__ = ["GBT"]


class GBT(NodeViewMethod):
    r"""Barlow Twins on nodes: make the cross-correlation of the embedding dimensions of two views the identity.

    .. math:: L = \sum_i (1 - C_{ii})^2 + \frac1D \sum_{i \ne j} C_{ij}^2

    No negatives, no target network; O(N D^2).

    Args:
        encoder: From graphs to node embeddings; the authors' is a two-layer GCN of widths 2D and D, with BatchNorm and
            PReLU after the first.
        views: Two transforms; :func:`edge_and_feature_drop` with the authors' probabilities on WikiCS by default (edges
            0.5, features 0.1, in both).
        head: From node embeddings to what is compared; none by default, as in the paper.
        loss: From two ``[K, D]`` tensors to a scalar; :class:`graphcl.losses.BarlowTwins` with 1 / D by default, D the
            width of what is compared.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views; at the call, fewer than two nodes are in both.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GBT(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Bielak, Kajdanowicz, Chawla, "Graph Barlow Twins: A Self-Supervised Representation Learning Framework for
    Graphs", Knowledge-Based Systems 2022.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        authors = (edge_and_feature_drop(0.5, 0.1), edge_and_feature_drop(0.5, 0.1))
        super().__init__(encoder, views=authors if views is None else views, head=head, seed=seed)
        width = output_width(self.head, encoder.out_channels)
        self.loss = losses.BarlowTwins(redundancy=1 / width) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)
