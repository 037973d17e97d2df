"""GGD: tell the nodes of a graph from those of a corrupted one, each by itself."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl._arguments import check_whole
from graphcl.augment import Compose, FeatureMask, FeatureShuffle
from graphcl.methods._smooth import smoothed
from graphcl.methods.base import View
from graphcl.methods.nodes import NodeViewMethod
from graphcl.nn import Embeddings, GraphEncoder

__all__ = ["GGD"]


class GGD(NodeViewMethod):
    r"""Group discrimination: tell nodes of the graph from nodes of a corrupted one by the sum of a projected embedding.

    .. math:: L = -\frac1{2N} \sum_i \Big[ \log \sigma\big(\textstyle\sum_d g(h_i)_d\big)
        + \log \big(1 - \sigma\big(\textstyle\sum_d g(\hat h_i)_d\big)\big) \Big]

    No node is compared with another, and the cost is linear in their number.

    Args:
        encoder: From graphs to node embeddings; the authors' on citation graphs is a one-layer GCN of width 512 with
            PReLU.
        views: The true graph and the corrupted one. By default both with a fifth of the features masked in all nodes,
            as in the authors' code, and the second with its features shuffled.
        head: g, from node embeddings to what is summed up; a linear map of the encoder's width by default.
        power: n: ``embed`` gives :math:`H + \hat A^n H`, with the normalised adjacency, so that a node also tells
            of nodes out of the encoder's reach (the authors: 5 on citation graphs); 0 for H alone.
        loss: From two ``[K, D]`` tensors to a scalar; :class:`graphcl.losses.GroupDiscrimination` by default.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or ``power`` is negative.
        TypeError: A view cannot be called, or ``power`` is not a whole number.

    Example:
        >>> import torch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> method = GGD(GraphEncoder(GIN(10)), power=5)
        >>> method(graph).shape, method.embed(graph).node.shape
        (torch.Size([]), torch.Size([10, 96]))

    Source: Zheng, Pan, Lee, Zheng, Yu, "Rethinking and Scaling Up Graph Contrastive Learning: An Extremely Efficient
    Approach with Group Discrimination", NeurIPS 2022.
    Differs from the authors' code: each feature is masked with the probability of a fifth, instead of exactly a fifth
    of them, and by itself in both views, where theirs mask the same.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        power: int = 0,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        authors = (FeatureMask(mask=0.2), Compose([FeatureMask(mask=0.2), FeatureShuffle()]))
        super().__init__(encoder, views=authors if views is None else views, seed=seed)
        width = encoder.out_channels
        self.head = nn.Linear(width, width) if head is None else head
        self.power = check_whole("power", power)
        self.loss = losses.GroupDiscrimination() if loss is None else loss

    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        return self.loss(z1, z2)

    def represent(self, data: Data) -> Embeddings:
        return smoothed(self.encoder.encode(data), self.encoder, data, self.power)
