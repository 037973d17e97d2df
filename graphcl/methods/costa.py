"""COSTA: contrast of random mixtures of nodes, which have the covariance of the nodes themselves."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl._random import Key, fold, hash_ids, normal
from graphcl.methods.base import View
from graphcl.methods.grace import edge_and_feature_drop, elu_head
from graphcl.methods.nodes import NodeMethod
from graphcl.nn import GraphEncoder, project_views

__all__ = ["COSTA", "sketch"]


def sketch(z: Tensor, key: Key, rows: int) -> Tensor:
    r"""Random mixtures of the rows of ``z`` ``[N, D]``: :math:`P z` ``[k, D]``, with :math:`E[P^\top P] = I`.

    Args:
        z: The nodes.
        key: Of P; the same key and numbers of rows, the same P.
        rows: k; P has normal entries of variance 1 / k.

    Example:
        >>> z = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> mixed = sketch(z, 7, 20_000)
        >>> bool(((mixed.T @ mixed - z.T @ z).abs() < 10).all())  # entries on the diagonal are about 200
        True

    Source: Zhang, Zhu, Song, Koniusz, King, "COSTA: Covariance-Preserving Feature Augmentation for Graph Contrastive
    Learning", KDD 2022.
    """
    numbers = torch.arange(rows * z.size(0), device=z.device)
    mixture = normal(hash_ids(key, numbers)).view(rows, z.size(0)) / math.sqrt(rows)
    return mixture.to(z.dtype) @ z


class COSTA(NodeMethod):
    """Contrast node embeddings that are augmented too: one random matrix mixes the rows of both views.

    The matrix P has normal entries of variance 1 / k and is drawn anew in every step, so that the k mixtures have the
    covariance of the nodes in expectation. Mixture i of one view is the positive of mixture i of the other. This is the
    multi-view form. P takes k N numbers: for large graphs use a loader.

    Args:
        encoder: From graphs to node embeddings; the authors' is a two-layer GCN of width 256.
        views: Two transforms; :func:`edge_and_feature_drop` with the authors' probabilities on Cora by default (edges
            0.2 and 0.4, features 0.3 in both).
        head: From mixtures to what is compared; :func:`elu_head` by default.
        ratio: k as a share of the nodes, within (0, 1].
        loss: From two ``[k, D]`` tensors to a scalar; symmetric :class:`graphcl.losses.InfoNCE` at temperature 0.4 by
            default.
        seed: The seed of views and mixtures.

    Raises:
        ValueError: There are not exactly two views, or ``ratio`` is out of range; at the call, fewer than two mixtures.
        TypeError: A view cannot be called.

    Example:
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> COSTA(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Zhang, Zhu, Song, Koniusz, King, "COSTA: Covariance-Preserving Feature Augmentation for Graph Contrastive
    Learning", KDD 2022, and the authors' code.
    Differs from the authors' code: k is the share of N rounded, not cut off.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        ratio: float = 0.5,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        authors = (edge_and_feature_drop(0.2, 0.3), edge_and_feature_drop(0.4, 0.3))
        super().__init__(encoder, views=authors if views is None else views, seed=seed)
        if not 0 < ratio <= 1:
            raise ValueError(f"expected ratio within (0, 1], got {ratio!r}")
        self.head = elu_head(encoder.out_channels) if head is None else head
        self.ratio = ratio
        self.loss = losses.InfoNCE(temperature=0.4, symmetric=True) if loss is None else loss

    def views_of(self, data: Data, key: Key) -> list[Data]:
        """Two views; the first also has the key of the mixtures, so that a step can be taken from its views."""
        first, second = super().views_of(data, key)
        first = copy.copy(first)
        first.sketch_key = fold(key, 2)
        return [first, second]

    def contrast(self, views: Sequence[Data]) -> Tensor:
        nodes = self.encode_aligned(views)
        rows = max(1, round(self.ratio * nodes[0].size(0)))
        # Side by side, so that the matrix is drawn once.
        mixed = sketch(torch.cat(nodes, 1), views[0].sketch_key, rows).chunk(2, 1)
        return self.loss(*project_views(self.head, mixed))
