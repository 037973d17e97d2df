"""Steps of training, with the views of several of them made at once.

Views follow from (seed, step, graph) alone, so those of later steps need not wait for them. On batches of small graphs
a view costs operations rather than data, and eight steps' views at once little more than one's. The losses are the
same, bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphcl.data import PackedDataset
from graphcl.methods import Method, ViewMethod
from graphcl.nn import split_batch

__all__ = ["losses_ahead"]

STEPS = 8  # more gain nothing
NODES = 1 << 16  # where a view costs data rather than operations, and memory starts to matter


Cut = Callable[[int, Sequence[Tensor]], Batch]
"""From the number of the first of some steps, and the positions of each one's graphs, to one batch of all of them."""


def losses_ahead(
    method: Method, packed: PackedDataset, batches: Iterable[Tensor], *, cut: Cut | None = None
) -> Iterator[tuple[Tensor, Callable[[], Tensor]]]:
    """For each batch its graphs and a function that takes the step: ``method``'s loss, once, in this order.

    Args:
        method: A method; one whose views depend on each graph's own key alone is served ahead.
        packed: The graphs.
        batches: Positions of the graphs of each step.
        cut: How batches are made, where it matters which step a graph is for; by default cut out of ``packed``.

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
    cut = cut or (lambda _, chunk: packed.batch(torch.cat(list(chunk))))
    remaining, steps, done = iter(batches), 1, 0
    while chunk := list(islice(remaining, steps)):
        batch = cut(done, chunk)
        if not _can_look_ahead(method, batch):
            yield from _one_by_one(method, cut, chain(chunk, remaining), done)
            return
        assert isinstance(method, ViewMethod)
        counts = [index.numel() for index in chunk]
        now = int(method.step)
        keys = torch.tensor([method.key_at(now + i) for i in range(len(chunk))]).repeat_interleave(torch.tensor(counts))
        keys = keys.to(batch.ptr.device)
        views = [split_batch(view, counts) for view in method.views_of(batch, keys)]
        for i, index in enumerate(chunk):
            yield index, partial(method.take_step, [view[i] for view in views])
        done += len(chunk)
        nodes = max(batch.num_nodes, 1) / len(chunk)
        steps = max(1, min(STEPS, int(NODES / nodes)))


def _can_look_ahead(method: Method, batch: object) -> bool:
    # Without names of their own, graphs are named by their place in the batch, which looking ahead would change.
    return isinstance(method, ViewMethod) and method.training and method.can_look_ahead and "graph_id" in batch  # type: ignore[operator]


def _one_by_one(
    method: Method, cut: Cut, batches: Iterable[Tensor], first: int
) -> Iterator[tuple[Tensor, Callable[[], Tensor]]]:
    for number, index in enumerate(batches, first):
        yield index, partial(_loss, method, cut, number, index)


def _loss(method: Method, cut: Cut, number: int, index: Tensor) -> Tensor:
    loss: Tensor = method(cut(number, [index]))
    return loss
