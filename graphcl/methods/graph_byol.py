"""BYOL on graphs: predict the slow encoder's embedding of the other view; no negatives."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.losses import Bootstrap
from graphcl.methods.base import View, ViewMethod, check_several, check_two_views, graph_rows
from graphcl.methods.graphs import two_random_views
from graphcl.nn import EMATarget, GraphEncoder, MLPHead, project_views
from graphcl.nn.heads import output_width

__all__ = ["GraphBYOL"]


class GraphBYOL(ViewMethod):
    r"""Predict, from one view of a graph, what a moving average of the network makes of the other.

    .. math:: L = \ell(q(z_1), z'_2) + \ell(q(z_2), z'_1), \qquad \ell(a, b) = 2 - 2 \cos(a, b)

    for projections z by the network and z' by its moving average, and the predictor q.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to projections; :class:`graphcl.nn.MLPHead` by default.
        predictor: From projections to predictions; the same by default.
        loss: From predictions and targets ``[G, D]`` to a scalar; taken in both directions and summed.
        momentum: m of the moving average at the start.
        total_steps: The number of steps over which m rises to 1; ``None`` leaves it as it is.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or a number is out of range; at the call, the batch holds fewer
            than two graphs, of which no BatchNorm can take statistics.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphBYOL(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Grill, Strub, Altche, Tallec, Richemond, et al., "Bootstrap Your Own Latent: A New Approach to
    Self-Supervised Learning", NeurIPS 2020, equation 2 and section 3.3; on graphs Thakoor, Tallec, Azar, Azabou, Dyer,
    Munos, Velickovic, Valko, "Large-Scale Representation Learning on Graphs via Bootstrapping", ICLR 2022.
    Differs from the papers: momentum 0.99 at the start instead of 0.996, as runs on graph sets are short; heads as wide
    as the embeddings, with twice that between.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        predictor: nn.Module | None = None,
        loss: nn.Module | None = None,
        momentum: float = 0.99,
        total_steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, views=two_random_views() if views is None else views, seed=seed)
        check_two_views(self.views)
        width = encoder.graph_channels
        self.head = MLPHead(width, 2 * width) if head is None else head
        width = output_width(self.head, width)
        self.predictor = MLPHead(width, 2 * width) if predictor is None else predictor
        self.loss = Bootstrap() if loss is None else loss
        self.target = EMATarget(nn.ModuleList([encoder, self.head]), momentum=momentum, total_steps=total_steps)

    def contrast(self, views: Sequence[Data]) -> Tensor:
        check_several(views[0])
        z = project_views(self.head, graph_rows(self.encoder.encode_views(views)))
        first, second = project_views(self.predictor, z)
        encoder, head = self.target.module.children()
        with torch.no_grad():
            goals = project_views(head, graph_rows(encoder.encode_views(views)))  # type: ignore[operator]
        self.target.note(self.training)
        loss: Tensor = self.loss(first, goals[1]) + self.loss(second, goals[0])
        return loss

    def after_step(self) -> None:
        """Move the target."""
        self.target.follow(nn.ModuleList([self.encoder, self.head]))
