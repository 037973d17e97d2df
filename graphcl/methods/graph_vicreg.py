"""VICReg on graphs: views alike, every dimension spread out, no two dimensions alike."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl.losses import VICReg
from graphcl.methods.base import View
from graphcl.methods.graphs import GraphViewMethod
from graphcl.nn import GraphEncoder, MLPHead
from graphcl.nn.heads import output_width

__all__ = ["GraphVICReg"]


class GraphVICReg(GraphViewMethod):
    """Invariance of the two views of a graph, with variance and covariance in place of negatives.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to what is compared; three layers of width 256 with BatchNorm by default.
        loss: From two ``[G, D]`` tensors to a scalar; by default the authors' weights 25, 25 and 1 with their means
            over the D dimensions.
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
        >>> GraphVICReg(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    ICLR 2022, section 4.1.
    Differs from the paper: the invariance term is a mean over the dimensions and the variance term halved, as in the
    authors' code; 256 dimensions instead of 8192, as batches of graphs are small.
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
        self.loss = VICReg(invariance=25 / output_width(self.head, width), variance=12.5) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)
