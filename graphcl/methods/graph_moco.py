"""MoCo on graphs: a slow encoder makes the keys, and a queue of them the negatives."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.losses import MoCo
from graphcl.methods._momentum import MomentumMethod
from graphcl.methods.base import View
from graphcl.nn import GraphEncoder

__all__ = ["GraphMoCo"]


class GraphMoCo(MomentumMethod):
    """Momentum contrast: match a graph with the key of its other view, the keys of a queue being the negatives.

    The first view is encoded by the encoder, the second by its moving average. A batch of one graph will do, as the
    negatives are those of earlier steps. Where the graphs have names (``graph_id``, as the trainer gives them), a
    graph's own earlier keys are left out of its negatives: on small sets the queue is longer than the set.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to queries and keys; :func:`graphcl.nn.projection_head` by default.
        loss: :class:`graphcl.losses.MoCo`, or another loss of (query, key, queue) that takes ``exclude``.
        momentum: m of the moving average, within [0, 1].
        queue_size: K, the number of keys.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or a number is out of range.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphMoCo(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: He, Fan, Wu, Xie, Girshick, "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020,
    algorithm 1; head, stronger views and temperature 0.2: Chen, Fan, Girshick, He, "Improved Baselines with Momentum
    Contrastive Learning", 2020.
    Differs from the papers: momentum 0.99 and 1024 keys instead of 0.999 and 65,536, as graph sets are small and runs
    short; own earlier keys are not negatives; BatchNorm is not shuffled across devices.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        momentum: float = 0.99,
        queue_size: int = 1024,
        seed: int = 0,
    ) -> None:
        loss = MoCo(temperature=0.2) if loss is None else loss
        super().__init__(
            encoder, views=views, head=head, loss=loss, momentum=momentum, queue_size=queue_size, seed=seed
        )

    def contrast(self, views: Sequence[Data]) -> Tensor:
        return self.match(views)[0]

    def after_step(self) -> None:
        """Move the slow encoder, and put the keys of the step into the queue."""
        self.take_in()
