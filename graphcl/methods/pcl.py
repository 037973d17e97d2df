"""PCL on graphs: momentum contrast, and contrast with the prototypes of clusters."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import fold
from graphcl.distributed import is_one_batch, joined_rows
from graphcl.losses import MoCo
from graphcl.losses.proto_nce import concentrations, proto_nce
from graphcl.methods.base import View, ViewMethod, check_two_views
from graphcl.methods.graphs import two_random_views, width_of
from graphcl.nn import EMATarget, GraphEncoder, KeyQueue, kmeans, projection_head

__all__ = ["PCL"]


class PCL(ViewMethod):
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
        num_clusters: K_1, ..., K_M, each at most ``queue_size``.
        cluster_every: Steps between two clusterings.
        temperature: Of the momentum contrast, and the mean of every phi.
        momentum: m of the moving average, within [0, 1].
        queue_size: The number of keys that are negatives and are clustered.
        seed: The seed of the views and of k-means.

    Raises:
        ValueError: There are not exactly two views, or a number is out of range.
        TypeError: A view cannot be called.

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

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        num_clusters: Sequence[int] = (16, 32, 64),
        cluster_every: int = 10,
        temperature: float = 0.2,
        momentum: float = 0.99,
        queue_size: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, views=two_random_views() if views is None else views, seed=seed)
        check_two_views(self.views)
        if not num_clusters or min(num_clusters) < 2 or max(num_clusters) > queue_size or cluster_every < 1:
            raise ValueError(
                f"expected num_clusters from 2 to queue_size = {queue_size} and cluster_every of at least 1, "
                f"got {list(num_clusters)} and {cluster_every}"
            )
        self.num_clusters, self.cluster_every, self.temperature = tuple(num_clusters), cluster_every, temperature
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = MoCo(temperature=temperature)
        self.target = EMATarget(nn.ModuleList([encoder, self.head]), momentum=momentum)
        width = width_of(self.head, encoder.graph_channels)
        self.queue = KeyQueue(width, queue_size)
        # All clusterings one after the other; phi is 0 as long as there are none.
        self.register_buffer("centres", torch.zeros(sum(self.num_clusters), width))
        self.register_buffer("phi", torch.zeros(sum(self.num_clusters)))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self._waiting: tuple[Tensor, Tensor | None, bool] | None = None
        self._due = False

    def contrast(self, views: Sequence[Data]) -> Tensor:
        query = self.head(joined_rows(self.encoder.encode(views[0]).graph))
        encoder, head = self.target.module.children()
        with torch.no_grad():
            key = head(joined_rows(encoder.encode(views[1]).graph))  # type: ignore[operator]
        names = views[0]._store.get("graph_id")
        names = None if names is None else joined_rows(names)
        loss: Tensor = self.loss(
            query, key, self.queue.keys, exclude=[] if names is None else [(names, self.queue.names)]
        )
        if bool(self.phi[0] > 0):
            loss = loss + self._to_prototypes(query, key)
        if self.training:
            self._waiting = (key, names, is_one_batch())
            # Noted here: of several batches that make one update, the last alone is followed by after_step.
            self._due |= (int(self.step) + 1) % self.cluster_every == 0
        return loss

    def _to_prototypes(self, query: Tensor, key: Tensor) -> Tensor:
        own = nn.functional.normalize(key.to(self.centres.dtype))
        losses = []
        for centres, phi in zip(self.centres.split(self.num_clusters), self.phi.split(self.num_clusters), strict=True):
            losses.append(proto_nce(query, centres, (own @ centres.T).argmax(1), phi))
        return torch.stack(losses).mean()

    def after_step(self) -> None:
        """Move the slow encoder, put the step's keys into the queue and, now and then, cluster it."""
        if self._waiting is None:
            return
        self.target.update(nn.ModuleList([self.encoder, self.head]))
        self.queue.enqueue(*self._waiting)
        self.seen += self._waiting[0].size(0)
        due = self._due or int(self.step) % self.cluster_every == 0
        if int(self.seen) >= self.queue.keys.size(0) and due:
            self._cluster()
        self._waiting, self._due = None, False

    @torch.no_grad()
    def _cluster(self) -> None:
        keys = nn.functional.normalize(self.queue.keys)
        found, phis = [], []
        for m, count in enumerate(self.num_clusters):
            centres = kmeans(keys, count, key=fold(fold(self.seed, int(self.step)), m))[0]
            centres = nn.functional.normalize(centres)
            nearest = (keys @ centres.T).argmax(1)
            found.append(centres)
            phis.append(concentrations(keys, centres, nearest, temperature=self.temperature))
        self.centres.copy_(torch.cat(found))
        self.phi.copy_(torch.cat(phis))
