"""SimCSE on graphs: the two views are the same graph under two masks of dropout."""

import copy
import math

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, below, fold, hash_ids
from graphcl.distributed import joined_rows, rows_before
from graphcl.losses import InfoNCE
from graphcl.methods.base import Method, check_several, graphs_of
from graphcl.nn import GraphEncoder, project_views, projection_head

__all__ = ["GraphSimCSE"]


class GraphSimCSE(Method):
    """SimCSE on graphs: the two views of a graph are two passes that differ in their dropout alone.

    Dropout falls on the node features and on the node embeddings before the readout, with keyed masks, so that a step
    can be repeated. Dropout inside the encoder, if there is any, comes on top, from torch's own generator.

    Args:
        encoder: From graphs to embeddings.
        drop: The probability with which an entry is set to zero, in [0, 1); the others grow to keep the mean.
        head: From graph embeddings to what is compared; :func:`graphcl.nn.projection_head` by default.
        loss: From two ``[G, D]`` tensors to a scalar; InfoNCE at temperature 0.05 by default, as in the paper.
        seed: The seed of the masks.

    Raises:
        ValueError: ``drop`` lies outside [0, 1); at the call, the batch holds fewer than two graphs.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphSimCSE(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Gao, Yao, Chen, "SimCSE: Simple Contrastive Learning of Sentence Embeddings", EMNLP 2021, equation 4.
    Differs from the paper: dropout on input and output of the encoder, as graph networks have none inside by default;
    the head is GraphCL's perceptron of two layers, where there it is one layer with tanh.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        drop: float = 0.1,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        if not 0 <= drop < 1:
            raise ValueError(f"expected drop within [0, 1), got {drop!r}")
        self.drop = drop
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = InfoNCE(temperature=0.05) if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        views = []
        for i in range(2):
            view = copy.copy(data)
            if data.x is not None and data.x.is_floating_point():
                view.x = _dropout(data.x, fold(key, i), self.drop)
            views.append(view)
        batch, graphs = graphs_of(data)[0], []
        for i, (node, graph) in enumerate(self.encoder.encode_views(views)):
            node = _dropout(node, fold(key, 2 + i), self.drop)
            graphs.append(joined_rows(self.encoder.readout(node, batch, graph.size(0))))
        return self.loss(*project_views(self.head, graphs))


def _dropout(x: Tensor, key: Key, drop: float) -> Tensor:
    first = rows_before(x.size(0), x.device) * math.prod(x.shape[1:])
    dropped = below(hash_ids(key, torch.arange(first, first + x.numel(), device=x.device)), drop).view(x.shape)
    return x.masked_fill(dropped, 0) / (1 - drop)
