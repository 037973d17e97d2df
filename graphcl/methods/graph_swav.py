"""SwAV on graphs: predict the cluster of one view from the other."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl.losses import SwAV
from graphcl.methods.base import View
from graphcl.methods.graphs import GraphViewMethod
from graphcl.nn import GraphEncoder, MLPHead, Prototypes
from graphcl.nn.heads import output_width

__all__ = ["GraphSwAV"]


class GraphSwAV(GraphViewMethod):
    """Assign the views of the graphs to learned prototypes, all used alike, and predict each from the other view.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to what is assigned; :class:`graphcl.nn.MLPHead` by default.
        loss: From two ``[G, D]`` tensors and the prototypes ``[K, D]`` to a scalar.
        num_prototypes: K.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or fewer than two prototypes; at the call, the batch holds fewer
            than two graphs.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphSwAV(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, "Unsupervised Learning of Visual Features by Contrasting
    Cluster Assignments", NeurIPS 2020.
    Differs from the paper: two views without multi-crop; the codes are balanced over the batch alone, without a queue;
    32 prototypes instead of 3000, as batches of graphs are small; they learn from the first step on, where the authors'
    code holds them for the first 313.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        num_prototypes: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, views=views, seed=seed)
        self.head = MLPHead(encoder.graph_channels) if head is None else head
        self.prototypes = Prototypes(output_width(self.head, encoder.graph_channels), num_prototypes)
        self.loss = SwAV() if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2, self.prototypes.weight)

    def after_step(self) -> None:
        """Bring the prototypes back to length one."""
        self.prototypes.normalise_()
