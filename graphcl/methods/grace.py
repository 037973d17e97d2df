"""GRACE: contrast of the nodes of two views of a graph."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl import losses
from graphcl.augment import Compose, EdgeDrop, FeatureMask
from graphcl.methods.base import View
from graphcl.methods.nodes import NodeViewMethod
from graphcl.nn import GraphEncoder

__all__ = ["GRACE", "edge_and_feature_drop", "elu_head"]


def edge_and_feature_drop(edges: float, features: float, *, directed: bool = True) -> Compose:
    """Drop each edge, and mask each feature column of all nodes, independently with the given probabilities.

    As in the code of GRACE, BGRL and CCA-SSG each direction of an edge is drawn by itself; ``directed=False`` keeps or
    drops both together.

    Example:
        >>> len(edge_and_feature_drop(0.2, 0.3).augmentations)
        2
    """
    return Compose(
        [EdgeDrop(drop=edges, directed=directed, count="bernoulli"), FeatureMask(mask=features, count="bernoulli")]
    )


def elu_head(in_channels: int, hidden_channels: int | None = None) -> nn.Sequential:
    """The projection head of GRACE: two linear maps with an ELU between, back to the encoder's width."""
    hidden_channels = hidden_channels or in_channels
    return nn.Sequential(nn.Linear(in_channels, hidden_channels), nn.ELU(), nn.Linear(hidden_channels, in_channels))


class GRACE(NodeViewMethod):
    """Pull the two views of a node together and push all other nodes, of both views, away.

    Args:
        encoder: From graphs to node embeddings; the authors' is a two-layer GCN with twice the width inside, on Cora
            ``GraphEncoder(GCN(in_channels, 256, 2, out_channels=128, act_last=True))``.
        views: Two transforms; :func:`edge_and_feature_drop` with the authors' probabilities on Cora by default (edges
            0.2 and 0.4, features 0.3 and 0.4).
        head: From node embeddings to what is compared; :func:`elu_head` by default.
        loss: From two ``[K, D]`` tensors to a scalar; :class:`graphcl.losses.GRACE` at temperature 0.4 by default.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views; at the call, fewer than two nodes are in both.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GRACE(GraphEncoder(GIN(3)))(graph).shape
        torch.Size([])

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020.
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
        paper = (edge_and_feature_drop(0.2, 0.3), edge_and_feature_drop(0.4, 0.4))
        super().__init__(encoder, views=paper if views is None else views, seed=seed)
        self.head = elu_head(encoder.out_channels) if head is None else head
        self.loss = losses.GRACE(temperature=0.4) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)
