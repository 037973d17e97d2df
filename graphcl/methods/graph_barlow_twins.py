"""Barlow Twins on graphs: the dimensions of two views correlate with themselves only."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl.losses import BarlowTwins
from graphcl.methods.base import View
from graphcl.methods.graphs import GraphViewMethod
from graphcl.nn import GraphEncoder, MLPHead
from graphcl.nn.heads import output_width

__all__ = ["GraphBarlowTwins"]


class GraphBarlowTwins(GraphViewMethod):
    """Make the cross-correlation of the dimensions of two views of the graphs the identity; no negatives.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to what is correlated; three layers of width 256 with BatchNorm by default.
        loss: From two ``[G, D]`` tensors to a scalar; :class:`graphcl.losses.BarlowTwins` with 1 / D by default.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views; at the call, the batch holds fewer than two graphs.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphBarlowTwins(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Zbontar, Jing, Misra, LeCun, Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML
    2021, equation 1; 1 / D: Bielak, Kajdanowicz, Chawla, "Graph Barlow Twins: A Self-Supervised Representation Learning
    Framework for Graphs", Knowledge-Based Systems 2022.
    Differs from the paper: 256 dimensions instead of 8192, as batches of graphs are small.
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
        super().__init__(encoder, views=views, seed=seed)
        width = encoder.graph_channels
        self.head = MLPHead(width, 256, 256, num_layers=3, last_bias=False) if head is None else head
        self.loss = BarlowTwins(redundancy=1 / output_width(self.head, width)) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)
