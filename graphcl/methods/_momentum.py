"""Momentum contrast of graphs: a slow copy of encoder and head makes the keys, and a queue of them the negatives."""

from abc import ABC
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.distributed import is_one_batch, joined_rows
from graphcl.methods.base import View, ViewMethod, check_two_views
from graphcl.methods.graphs import two_random_views
from graphcl.nn import EMATarget, GraphEncoder, KeyQueue, projection_head
from graphcl.nn.heads import output_width

__all__ = ["MomentumMethod"]


class MomentumMethod(ViewMethod, ABC):
    """A method that matches a graph with the key of its other view, its ``loss`` one of (query, key, queue)."""

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None,
        head: nn.Module | None,
        loss: nn.Module,
        momentum: float,
        queue_size: int,
        seed: int,
    ) -> None:
        super().__init__(encoder, views=two_random_views() if views is None else views, seed=seed)
        check_two_views(self.views)
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = loss
        self.target = EMATarget(nn.ModuleList([encoder, self.head]), momentum=momentum)
        self.queue = KeyQueue(output_width(self.head, encoder.graph_channels), queue_size)
        self._waiting: list[tuple[Tensor, Tensor | None, bool]] = []

    def match(self, views: Sequence[Data]) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and the queries and keys that it compares; in training the keys wait for the queue."""
        query = self.head(joined_rows(self.encoder.encode(views[0]).graph))
        encoder, head = self.target.module.children()
        with torch.no_grad():
            key = head(joined_rows(encoder.encode(views[1]).graph))  # type: ignore[operator]
        names = views[0]._store.get("graph_id")
        names = None if names is None else joined_rows(names)
        exclude = [] if names is None else [(names, self.queue.names)]
        loss: Tensor = self.loss(query, key, self.queue.keys, exclude=exclude)
        if self.training:
            self._waiting.append((key, names, is_one_batch()))
            while sum(keys.size(0) for keys, _, _ in self._waiting[1:]) >= self.queue.keys.size(0):
                del self._waiting[0]  # of which the queue would keep nothing
        return loss, query, key

    def take_in(self) -> int:
        """Move the slow encoder, put the keys of the step into the queue, and say how many there were.

        They are those of all batches since the last step: several of them may make one update.
        """
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.target.update(nn.ModuleList([self.encoder, self.head]))
        for keys in waiting:
            self.queue.enqueue(*keys)
        return sum(keys.size(0) for keys, _, _ in waiting)
