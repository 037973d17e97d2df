"""Supervised contrast of graphs: those of one class are each other's positives."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.distributed import joined_rows
from graphcl.losses import SupCon
from graphcl.methods.base import View, ViewMethod, check_several, check_two_views, graph_rows, num_graphs
from graphcl.methods.graphs import two_random_views
from graphcl.nn import GraphEncoder, project_views, projection_head

__all__ = ["GraphSupCon"]


class GraphSupCon(ViewMethod):
    """Pull all views of graphs of one class together; graphs without a label still serve as negatives.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to what is compared; :func:`graphcl.nn.projection_head` by default.
        loss: From ``[2 G, D]`` and the labels ``[2 G]`` to a scalar.
        label: The attribute of the graphs that holds their class, an integer; -1 is unlabelled.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views; at the call, the batch holds fewer than two graphs, has no such
            attribute, or not one number per graph.
        TypeError: A view cannot be called; the labels are not integers.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1), y=torch.tensor([1]))
        >>> GraphSupCon(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, "Supervised Contrastive Learning",
    NeurIPS 2020, equation 2.
    Differs from the paper: a two-layer head as wide as the embeddings; a graph without a positive is left out.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        label: str = "y",
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, views=two_random_views() if views is None else views, seed=seed)
        check_two_views(self.views)
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = SupCon(temperature=0.1) if loss is None else loss
        self.label = label

    def contrast(self, views: Sequence[Data]) -> Tensor:
        check_several(views[0])
        both = project_views(self.head, graph_rows(self.encode_views(views)))
        return self.loss(torch.cat(both), joined_rows(self._labels(views[0])).repeat(2))

    def check_needs(self, data: Data) -> None:
        self._labels(data)

    def _labels(self, data: Data) -> Tensor:
        """``[G]`` the class of each graph."""
        labels = data._store.get(self.label)
        if not isinstance(labels, Tensor) or labels.numel() != num_graphs(data):
            found = "none" if labels is None else list(labels.shape) if isinstance(labels, Tensor) else labels
            raise ValueError(f"expected one label per graph in the attribute {self.label!r}, got {found}")
        if labels.is_floating_point():
            raise TypeError(
                f"expected classes in the attribute {self.label!r}, got {labels.dtype}; if they are whole numbers, "
                f"write data.{self.label} = data.{self.label}.long()"
            )
        return labels.reshape(-1)
