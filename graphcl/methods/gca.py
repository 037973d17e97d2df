"""GCA: GRACE whose views keep what is important in the graph."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl import losses
from graphcl.augment import AdaptiveEdgeDrop, AdaptiveFeatureMask, Compose
from graphcl.augment.centralities import Centrality
from graphcl.methods.base import View
from graphcl.methods.grace import elu_head
from graphcl.methods.nodes import NodeViewMethod
from graphcl.nn import GraphEncoder

__all__ = ["GCA", "adaptive_drop"]


def adaptive_drop(
    edges: float, features: float, centrality: Centrality = "degree", *, cutoff: float = 0.7, directed: bool = True
) -> Compose:
    """Drop edges, and mask feature columns, with these mean probabilities, central ones more rarely.

    As in the authors' code each direction of an edge is weighed and drawn by itself, unless ``directed`` is false.

    The features come first, so that their weights are those of the whole graph, whose PageRank or eigenvector is worked
    out once.

    Example:
        >>> len(adaptive_drop(0.3, 0.1, "pagerank").augmentations)
        2
    """
    masked = AdaptiveFeatureMask(mask=features, centrality=centrality, cutoff=cutoff)
    return Compose([masked, AdaptiveEdgeDrop(drop=edges, centrality=centrality, cutoff=cutoff, directed=directed)])


class GCA(NodeViewMethod):
    """GRACE with adaptive views: pull the two views of a node together and push all other nodes away.

    The loss is that of :class:`GRACE`.

    Args:
        encoder: From graphs to node embeddings; the authors' is a two-layer GCN of widths 512 and 256 by default.
        views: Two transforms; :func:`adaptive_drop` with the authors' default probabilities (edges 0.3 and 0.4,
            features 0.1 and 0) and the centrality of degrees by default.
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
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GCA(GraphEncoder(GIN(10)), views=[adaptive_drop(0.3, 0.1, "pagerank")] * 2)(graph).shape
        torch.Size([])

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Graph Contrastive Learning with Adaptive Augmentation", WWW 2021.
    Differs from the authors' code: as the adaptive augmentations do, see there; the head's inner map is as wide as the
    embeddings, where theirs is 32 wide by default.
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
        authors = (adaptive_drop(0.3, 0.1), adaptive_drop(0.4, 0.0))
        super().__init__(encoder, views=authors if views is None else views, seed=seed)
        self.head = elu_head(encoder.out_channels) if head is None else head
        self.loss = losses.GRACE(temperature=0.4) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)
