"""BGRL: predict what a slow copy of the encoder makes of the other view; no negatives."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl.distributed import joined_rows
from graphcl.methods.base import View
from graphcl.methods.grace import edge_and_feature_drop
from graphcl.methods.nodes import NodeMethod, align
from graphcl.nn import EMATarget, GraphEncoder, PReLU, project_views

__all__ = ["BGRL", "prelu_predictor"]


def prelu_predictor(in_channels: int, hidden_channels: int = 512) -> nn.Sequential:
    """The predictor of BGRL: two linear maps with a PReLU between, back to the encoder's width.

    Example:
        >>> prelu_predictor(256)[2]
        Linear(in_features=512, out_features=256, bias=True)
    """
    return nn.Sequential(nn.Linear(in_channels, hidden_channels), PReLU(), nn.Linear(hidden_channels, in_channels))


class BGRL(NodeMethod):
    r"""Predict the target encoder's embedding of a node in one view from the online encoder's in the other.

    .. math:: L = \frac12 \big[ d(p(h^1), t^2) + d(p(h^2), t^1) \big], \qquad
        d(q, t) = 2 - \frac2N \sum_i \cos(q_i, t_i)

    with h the online embeddings, p the predictor and t the target's embeddings, which get no gradient. After each step
    the target's weights move towards the online ones (:class:`graphcl.nn.EMATarget`). The target is in training mode
    with the method, so that a BatchNorm in it takes the statistics of the view, as in the authors' code.

    Args:
        encoder: The online encoder, from graphs to node embeddings; the authors' is a two-layer GCN of widths 512 and
            256 with BatchNorm and PReLU after each layer.
        views: Two transforms; by default :func:`edge_and_feature_drop` with the authors' probabilities on WikiCS
            (edges 0.2 and 0.3, features 0.2 and 0.1).
        predictor: From online embeddings to predictions; :func:`prelu_predictor` by default.
        momentum: The share of its weights that the target keeps in the first step.
        total_steps: The number of steps over which the momentum rises to 1 along half a cosine; ``None`` to leave it.
        loss: From predictions and targets, ``[K, D]`` each, to a scalar; :class:`graphcl.losses.Bootstrap` by default.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or the momentum or ``total_steps`` is out of range.
        TypeError: A view cannot be called.

    Example:
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> method = BGRL(GraphEncoder(GIN(10)), total_steps=100)
        >>> method(graph).backward()
        >>> method.after_step()  # once the optimiser has moved

    Source: Thakoor, Tallec, Azar, Azabou, Dyer, Munos, Velickovic, Valko, "Large-Scale Representation Learning on
    Graphs via Bootstrapping", ICLR 2022.
    Differs from the authors' code: the target starts as a copy of the online encoder and not with weights of its own,
    and takes over the buffers of BatchNorm.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        predictor: nn.Module | None = None,
        momentum: float = 0.99,
        total_steps: int | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        authors = (edge_and_feature_drop(0.2, 0.2), edge_and_feature_drop(0.3, 0.1))
        super().__init__(encoder, views=authors if views is None else views, seed=seed)
        self.predictor = prelu_predictor(encoder.out_channels) if predictor is None else predictor
        self.target = EMATarget(encoder, momentum=momentum, total_steps=total_steps)
        self.loss = losses.Bootstrap() if loss is None else loss

    def contrast(self, views: Sequence[Data]) -> Tensor:
        self.target.note(self.training)
        q1, q2 = project_views(self.predictor, self.encode_aligned(views))
        with torch.no_grad():
            target = cast(GraphEncoder, self.target.module)
            t1, t2 = map(joined_rows, align(views, [embeddings.node for embeddings in target.encode_views(views)]))
        return (self.loss(q1, t2) + self.loss(q2, t1)) / 2

    def after_step(self) -> None:
        """Move the target."""
        self.target.follow(self.encoder)
