"""GraphCL: contrast of two augmented views of each graph."""

from collections.abc import Sequence

from torch import Tensor, nn

from graphcl.augment import Identity
from graphcl.losses import InfoNCE
from graphcl.methods.base import View
from graphcl.methods.graphs import GraphViewMethod, random4
from graphcl.nn import GraphEncoder, projection_head

__all__ = ["GraphCL"]


class GraphCL(GraphViewMethod):
    """Pull the two views of a graph together and the views of different graphs apart.

    The loss is InfoNCE between the projected graph embeddings of the two views, at temperature 0.2 and without the
    positive pair in the denominator.

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``.
        views: Two transforms. By default the clean graph and :func:`graphcl.methods.random4`, as in the authors' code
            for TU data; ``(random4(), random4())`` augments both, as the paper describes.
        head: From graph embeddings to what the loss compares; a two-layer perceptron of the encoder's width by default.
        loss: From two ``[G, D]`` tensors to a scalar.
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
        >>> method = GraphCL(GraphEncoder(GIN(3)))
        >>> method(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020.
    Differs from the authors' code for unsupervised learning on TU data: edge perturbation adds edges as well as
    dropping them, as the paper says; the subgraph is a random walk, as the paper says; both directions of an edge are
    dropped together; a node that loses its last edge stays; no self-loops, which there all nodes of the clean graph but
    the last have.
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
        super().__init__(encoder, views=(Identity(), random4()) if views is None else views, seed=seed)
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = InfoNCE(temperature=0.2, positive_in_denominator=False) if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        found: Tensor = self.loss(z1, z2)
        return found
