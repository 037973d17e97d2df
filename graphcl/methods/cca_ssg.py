"""CCA-SSG: two views of the nodes agree, and each view's dimensions are uncorrelated."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl._arguments import check_whole
from graphcl.methods._smooth import smoothed
from graphcl.methods.base import View
from graphcl.methods.grace import edge_and_feature_drop
from graphcl.methods.nodes import NodeViewMethod
from graphcl.nn import Embeddings, GraphEncoder

__all__ = ["CCASSG"]


class CCASSG(NodeViewMethod):
    r"""Canonical correlation analysis of two views: invariance between them, decorrelation within each.

    .. math:: L = \lVert \tilde Z_1 - \tilde Z_2 \rVert_F^2
        + \lambda \sum_v \lVert \tilde Z_v^\top \tilde Z_v - I \rVert_F^2

    with standardised columns; no negatives, no head, no target network; O(N D^2).

    Args:
        encoder: From graphs to node embeddings; the authors' is a two-layer GCN of width 512 (CiteSeer: one layer) with
            ReLU between and nothing after the last.
        views: Two transforms; :func:`edge_and_feature_drop` with the authors' probabilities on Cora by default (edges
            0.4, features 0.1, in both).
        head: From node embeddings to what is compared; none by default, as in the paper.
        power: n: ``embed`` gives :math:`H + \hat A^n H`, as :class:`GGD` does, with the normalised adjacency; 0, as in
            the paper, for H alone.
        loss: From two ``[K, D]`` tensors to a scalar; by default :class:`graphcl.losses.CCASSG` with lambda 0.002: the
            authors' 0.001 goes with half of the first term.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or ``power`` is negative; at the call, fewer than two nodes are in
            both.
        TypeError: A view cannot be called, or ``power`` is not a whole number.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> CCASSG(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Zhang, Wu, Yan, Wipf, Yu, "From Canonical Correlation Analysis to Self-supervised Graph Neural Networks",
    NeurIPS 2021.
    Differs from the authors' code: as :func:`graphcl.losses.functional.cca_ssg` does.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        power: int = 0,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        authors = (edge_and_feature_drop(0.4, 0.1), edge_and_feature_drop(0.4, 0.1))
        super().__init__(encoder, views=authors if views is None else views, head=head, seed=seed)
        self.power = check_whole("power", power)
        self.loss = losses.CCASSG(decorrelation=2e-3) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)

    def represent(self, data: Data) -> Embeddings:
        return smoothed(self.encoder.encode(data), self.encoder, data, self.power)
