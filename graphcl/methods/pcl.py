"""PCL on graphs: momentum contrast, and contrast with the prototypes of clusters."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._arguments import check_whole
from graphcl._random import fold
from graphcl.losses import MoCo
from graphcl.losses.proto_nce import concentrations, proto_nce
from graphcl.methods._momentum import MomentumMethod
from graphcl.methods.base import View
from graphcl.nn import GraphEncoder, kmeans

__all__ = ["PCL"]


class PCL(MomentumMethod):
    r"""Prototypical contrast: MoCo on graphs, plus contrast of each graph with the centre of its cluster.

    .. math:: L = L_{\mathrm{MoCo}} + \frac1M \sum_m -\frac1N \sum_i
        \log \frac{e^{q_i \cdot c^m_{a(i)} / \phi^m_{a(i)}}}{\sum_k e^{q_i \cdot c^m_k / \phi^m_k}}

    for M clusterings with K_m centres c, the cluster a(i) of graph i, and a temperature phi for every cluster. Every
    ``cluster_every`` steps, once the queue is full, its keys are clustered by k-means; a graph belongs to the centre
    nearest to its key. Before that the loss is that of momentum contrast.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        head: From graph embeddings to queries and keys; :func:`graphcl.nn.projection_head` by default.
        num_clusters: K_1, ..., K_M, each at most ``queue_size``; a number is one clustering.
        cluster_every: Steps between two clusterings.
        temperature: Of the default ``loss``, and the mean of every phi.
        loss: The momentum contrast: :class:`graphcl.losses.MoCo`, or another loss of (query, key, queue) that takes
            ``exclude``.
        momentum: m of the moving average, within [0, 1].
        queue_size: The number of keys that are negatives and are clustered.
        seed: The seed of the views and of k-means.

    Raises:
        ValueError: There are not exactly two views, or a number is out of range.
        TypeError: A view cannot be called, or ``cluster_every`` or a number of clusters is not a whole number.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> PCL(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Li, Zhou, Xiong, Hoi, "Prototypical Contrastive Learning of Unsupervised Representations", ICLR 2021,
    equation 11.
    Differs from the paper: the clusters are those of the last keys, found every few steps, instead of the whole set's,
    found once per epoch; all other prototypes are negatives, not a sample of them; numbers of clusters and keys, and
    the momentum, suit small sets.
    """

    centres: Tensor
    phi: Tensor
    seen: Tensor

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        num_clusters: Sequence[int] | int = (16, 32, 64),
        cluster_every: int = 10,
        temperature: float = 0.2,
        loss: nn.Module | None = None,
        momentum: float = 0.99,
        queue_size: int = 1024,
        seed: int = 0,
    ) -> None:
        several = num_clusters if isinstance(num_clusters, Sequence) else [num_clusters]
        counts = tuple(check_whole("num_clusters", count) for count in several)
        if not counts or min(counts) < 2 or max(counts) > queue_size:
            raise ValueError(f"expected num_clusters from 2 to queue_size = {queue_size}, got {list(counts)}")
        loss = MoCo(temperature=temperature) if loss is None else loss
        super().__init__(
            encoder, views=views, head=head, loss=loss, momentum=momentum, queue_size=queue_size, seed=seed
        )
        self.num_clusters, self.temperature = counts, temperature
        self.cluster_every = check_whole("cluster_every", cluster_every, 1)
        # All clusterings one after the other; phi is 0 as long as there are none.
        self.register_buffer("centres", torch.zeros(sum(self.num_clusters), self.queue.keys.size(1)))
        self.register_buffer("phi", torch.zeros(sum(self.num_clusters)))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self._due = False

    def contrast(self, views: Sequence[Data]) -> Tensor:
        loss, query, key = self.match(views)
        if bool(self.phi[0] > 0):
            loss = loss + self._to_prototypes(query, key)
        if self.training:
            # Noted here: of several batches that make one update, the last alone is followed by after_step.
            self._due |= (self.calls + 1) % self.cluster_every == 0
        return loss

    def _to_prototypes(self, query: Tensor, key: Tensor) -> Tensor:
        own = nn.functional.normalize(key.to(self.centres.dtype))
        losses = []
        for centres, phi in zip(self.centres.split(self.num_clusters), self.phi.split(self.num_clusters), strict=True):
            losses.append(proto_nce(query, centres, (own @ centres.T).argmax(1), phi))
        return torch.stack(losses).mean()

    def after_step(self) -> None:
        """Move the slow encoder, put the step's keys into the queue and, now and then, cluster it."""
        count = self.take_in()
        if not count:
            return
        self.seen += count
        due = self._due or self.calls % self.cluster_every == 0
        if int(self.seen) >= self.queue.keys.size(0) and due:
            self._cluster()
        self._due = False

    @torch.no_grad()
    def _cluster(self) -> None:
        keys = nn.functional.normalize(self.queue.keys)
        found, phis = [], []
        for m, count in enumerate(self.num_clusters):
            centres = kmeans(keys, count, key=fold(fold(self.seed, self.calls), m))[0]
            centres = nn.functional.normalize(centres)
            nearest = (keys @ centres.T).argmax(1)
            found.append(centres)
            phis.append(concentrations(keys, centres, nearest, temperature=self.temperature))
        self.centres.copy_(torch.cat(found))
        self.phi.copy_(torch.cat(phis))
