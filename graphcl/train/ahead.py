"""Steps of training, with the views of several of them made at once.

Views follow from (seed, step, graph) alone, so those of later steps need not wait for them. On batches of small graphs
a view costs operations rather than data, and eight steps' views at once little more than one's. The losses are the
same, bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from graphcl.data import PackedDataset
from graphcl.methods import Method, ViewMethod
from graphcl.nn import split_batch

__all__ = ["losses_ahead"]

STEPS = 8  # more gain nothing
NODES = 1 << 16  # where a view costs data rather than operations, and memory starts to matter


def losses_ahead(
    method: Method, packed: PackedDataset, batches: Iterable[Tensor]
) -> Iterator[tuple[Tensor, Callable[[], Tensor]]]:
    """For each batch its graphs and a function that takes the step: ``method``'s loss, once, in this order.

    Args:
        method: A method; one whose views depend on each graph's own key alone is served ahead.
        packed: The graphs.
        batches: Positions of the graphs of each step.

    Yields:
        ``(index, loss)``, the positions and the function whose call is the loss of the step.

    Example:
        >>> from graphcl.data import PackedDataset, load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> packed = PackedDataset(load("synthetic-molecules")[:64], graph_id=True)
        >>> method = GraphCL(GraphEncoder(GIN(packed.num_features)))
        >>> [loss().shape for _, loss in losses_ahead(method, packed, torch.arange(64).split(32))]
        [torch.Size([]), torch.Size([])]
    """
    remaining, steps = iter(batches), 1
    while chunk := list(islice(remaining, steps)):
        batch = packed.batch(torch.cat(chunk))
        if not _can_look_ahead(method, batch):
            yield from _one_by_one(method, packed, (index for group in (chunk, remaining) for index in group))
            return
        assert isinstance(method, ViewMethod)
        counts = [index.numel() for index in chunk]
        now = int(method.step)
        keys = torch.tensor([method.key_at(now + i) for i in range(len(chunk))]).repeat_interleave(torch.tensor(counts))
        keys = keys.to(batch.ptr.device)
        views = [split_batch(view, counts) for view in method.views_of(batch, keys)]
        for i, index in enumerate(chunk):
            yield index, lambda i=i, views=views: method.take_step([view[i] for view in views])  # type: ignore[misc]
        nodes = max(batch.num_nodes, 1) / len(chunk)
        steps = max(1, min(STEPS, int(NODES / nodes)))


def _can_look_ahead(method: Method, batch: object) -> bool:
    # Without names of their own, graphs are named by their place in the batch, which looking ahead would change.
    return isinstance(method, ViewMethod) and method.training and method.can_look_ahead and "graph_id" in batch  # type: ignore[operator]


def _one_by_one(
    method: Method, packed: PackedDataset, batches: Iterable[Tensor]
) -> Iterator[tuple[Tensor, Callable[[], Tensor]]]:
    for index in batches:
        yield index, lambda index=index: method(packed.batch(index))  # type: ignore[misc]
