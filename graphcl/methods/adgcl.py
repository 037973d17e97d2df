"""AD-GCL: contrast a graph with the view that an adversary made of it by dropping edges."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, fold
from graphcl.augment import EdgeDropper
from graphcl.distributed import is_one_batch, joined_rows, mean_over_ranks
from graphcl.losses import InfoNCE
from graphcl.methods.base import Method, check_several, graphs_of
from graphcl.nn import GraphEncoder, project_views, projection_head
from graphcl.nn._redrawn import redrawn
from graphcl.nn._signature import check_takes_weights

__all__ = ["ADGCL"]


class ADGCL(Method):
    r"""Adversarial GCL: contrast each graph with a view whose edges a learned adversary drops.

    .. math:: \min_\theta \max_\phi \; L(f_\theta(G), f_\theta(T_\phi(G))) - \lambda \, \mathrm{drop}(T_\phi(G))

    The dropper T scores every edge from node embeddings of a network of its own; the encoder minimises the contrastive
    loss L, the dropper maximises it less the penalty on the share of edges that it drops. One optimiser serves both:
    on its way to the dropper the gradient of L is reversed. The value of a call is L alone.

    Args:
        encoder: From graphs to embeddings; its network has to take edge weights: :class:`graphcl.nn.GIN` (the paper's),
            or one with ``forward(x, edge_index, edge_weight)``.
        scorer: The network from which edges are scored, ``(x, edge_index) -> [N, D]``; a copy of the encoder's,
            drawn anew by ``reset_parameters``, by default.
        dropper: :class:`graphcl.augment.EdgeDropper` with the authors' settings by default.
        head: From graph embeddings to what is compared; :func:`graphcl.nn.projection_head` by default.
        loss: From two ``[G, D]`` tensors to a scalar; InfoNCE in both directions at temperature 0.2 without the
            positive in the denominator by default.
        seed: The seed of the dropper's draws.

    Raises:
        ValueError: The network takes no edge weights, makes no use of them, or cannot be drawn anew; at the call, the
            batch holds fewer than two graphs.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> ADGCL(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Suresh, Li, Hao, Neville, "Adversarial Graph Augmentation to Improve Graph Contrastive Learning", NeurIPS
    2021; the settings are those of the authors' code for TU data.
    Differs from the authors' code: encoder and dropper move in the same step, by the same draw, instead of in turn,
    where each finds the other in evaluation mode; both directions of an edge share one weight.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        scorer: nn.Module | None = None,
        dropper: EdgeDropper | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        width = encoder.graph_channels
        check_takes_weights(encoder.gnn)
        self.scorer = GraphEncoder(redrawn(encoder.gnn, "scorer=") if scorer is None else scorer)
        self.dropper = EdgeDropper(self.scorer.out_channels) if dropper is None else dropper
        self.head = projection_head(width) if head is None else head
        self.loss = InfoNCE(temperature=0.2, symmetric=True, positive_in_denominator=False) if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        features = {"edge_attr": data.edge_attr} if getattr(self.dropper, "edge_channels", 0) else {}
        weight = self.dropper(self.scorer.encode(data).node, data, fold(key, 0), **features)
        clean = self.encoder.encode(data).graph
        kept = _Reversed.apply(weight)  # type: ignore[no-untyped-call]
        view = copy.copy(data)
        view.edge_weight = kept * data.edge_weight.view(-1) if "edge_weight" in data else kept
        dropped = self.encoder.encode(view).graph
        loss: Tensor = self.loss(*project_views(self.head, [joined_rows(clean), joined_rows(dropped)]))
        penalty = self.dropper.penalty(weight, data)
        if is_one_batch():
            with_edges = graphs_of(data)[0].index_select(0, data.edge_index[0]).unique().numel()
            penalty = mean_over_ranks(penalty, weight.new_tensor(with_edges))
        return loss + (penalty - penalty.detach())


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient points the other way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return -grads[0]
