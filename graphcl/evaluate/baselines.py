"""Embeddings that no training made: what a pretrained encoder has to beat.

``raw`` is the sum of the node features, ``untrained-init`` the encoder as initialised, ``untrained`` the same encoder
with BatchNorm statistics collected. The last one is the baseline of every lift: it stands at the published level of
GraphCL on several TU data sets, while ``untrained-init`` is beaten for a reason that is not learning.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch_geometric.nn import global_add_pool

from graphcl._random import torch_seeded
from graphcl.evaluate._checks import FloatArray, check_batch
from graphcl.methods import Method
from graphcl.nn import GraphEncoder
from graphcl.nn._modes import modes_kept

__all__ = ["collect_statistics", "embed_graphs", "raw_embeddings", "untrained_embeddings", "untrained_init_embeddings"]


def raw_embeddings(batches: Iterable[Any]) -> FloatArray:
    """The sum of the node features of each graph; a sum keeps the size of the graph, as the readouts do.

    Args:
        batches: Batches of graphs with ``x``, in the order of the data set.

    Returns:
        Array [graphs, features].

    Raises:
        TypeError: Single graphs in the place of batches.
        ValueError: A batch without node features.

    Example:
        >>> from torch_geometric.data import Batch, Data
        >>> batch = Batch.from_data_list([Data(x=torch.ones(3, 2)), Data(x=torch.ones(5, 2))])
        >>> raw_embeddings([batch]).tolist()
        [[3.0, 3.0], [5.0, 5.0]]
    """
    pooled = []
    for batch in batches:
        check_batch(batch)
        if batch.x is None:
            raise ValueError("expected node features x, got none; choose features=, for example 'constant' or 'degree'")
        if not isinstance(batch.x, torch.Tensor):
            raise TypeError(
                f"expected x to be a tensor, got {type(batch.x).__name__}; if the graphs hold arrays, write "
                "data.x = torch.from_numpy(data.x)"
            )
        pooled.append(global_add_pool(batch.x.detach().double(), batch.batch, size=batch.num_graphs).cpu())
    return stack(pooled)


def embed_graphs(method: nn.Module, batches: Iterable[Any]) -> FloatArray:
    """The graph embeddings of ``method.embed``, which works in eval mode on the clean graphs.

    Args:
        method: A module with ``embed(data) -> Embeddings(node, graph)``.
        batches: Batches of graphs, in the order of the data set.

    Returns:
        Array [graphs, dimensions].

    Raises:
        TypeError: ``method`` has no ``embed``.

    Example:
        >>> from types import SimpleNamespace
        >>> method = torch.nn.Module()
        >>> method.embed = lambda batch: SimpleNamespace(graph=batch)
        >>> embed_graphs(method, [torch.ones(2, 3), torch.ones(1, 3)]).shape
        (3, 3)
    """
    module: Any = method
    if not hasattr(module, "embed"):
        raise TypeError(
            f"expected a method, which has embed(data), got {type(method).__name__}; GraphCL(GraphEncoder(network)) is "
            "one"
        )
    with torch.no_grad():
        return stack([module.embed(batch).graph.double().cpu() for batch in batches])


def untrained_init_embeddings(make: Callable[[], nn.Module], batches: Iterable[Any]) -> FloatArray:
    """The embeddings of a freshly made method, BatchNorm at its initial identity.

    Args:
        make: Makes the method from the seed of the run, as training does.
        batches: Batches of clean graphs, in the order of the data set.

    Returns:
        Array [graphs, dimensions].
    """
    return embed_graphs(make(), batches)


def untrained_embeddings(
    make: Callable[[], nn.Module], batches: Iterable[Any], *, statistics: Iterable[Any], seed: int = 0
) -> FloatArray:
    """The embeddings of a freshly made method after one epoch in train mode without a gradient step.

    Args:
        make: Makes the method from the seed of the run, as training does; it has an ``encoder`` that is called as
            ``encoder(x, edge_index, batch, num_graphs=...)``.
        batches: Batches of clean graphs, in the order of the data set.
        statistics: The batches of one epoch, of clean graphs, shuffled as in training (TU files are sorted by class).
        seed: Seed for dropout, if the encoder has any; the global generators are left as they were.

    Returns:
        Array [graphs, dimensions].
    """
    method = make()
    collect_statistics(method, statistics, seed=seed)
    return embed_graphs(method, batches)


def collect_statistics(method: nn.Module, batches: Iterable[Any], *, seed: int = 0) -> None:
    """Collect the BatchNorm statistics of what a method embeds with, in one epoch in train mode, without gradients.

    That is its encoder, or several of them (``Method.represent``); of what is not a method the ``encoder``.

    The running statistics become the plain average over the batches. With the usual momentum of 0.1 the two batches of
    MUTAG would leave 81 % of the initial identity in place, and so most of what this baseline is there to rule out.

    Args:
        method: A :class:`graphcl.methods.Method`, or a module with an ``encoder`` that is called as ``encoder(x,
            edge_index, batch, num_graphs=...)``; its running statistics change, its weights, modes and momenta do not.
        batches: The batches of one epoch, of clean graphs; or one whole graph, ``[data]``.
        seed: Seed for dropout, if the encoder has any; the global generators are left as they were.
    """
    encoder: Any = method.encoder
    subject: nn.Module = method if isinstance(method, Method) else encoder
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    with plain_averages(subject), modes_kept(subject), torch_seeded(seed, device), torch.no_grad():
        subject.train()
        for batch in batches:
            if isinstance(method, Method):
                method.represent(batch)
            elif isinstance(encoder, GraphEncoder):
                encoder.encode(batch)  # with edge features, where it reads them
            elif batch.batch is None:  # one graph
                encoder(batch.x, batch.edge_index)
            else:
                encoder(batch.x, batch.edge_index, batch.batch, num_graphs=batch.num_graphs)


@contextmanager
def plain_averages(module: nn.Module) -> Iterator[list[_BatchNorm]]:
    """The block in which the BatchNorm layers begin anew, each to average over all batches that it sees alike.

    Example:
        >>> norm = nn.BatchNorm1d(1)
        >>> with plain_averages(norm), torch.no_grad():
        ...     for number in (1.0, 3.0):
        ...         _ = norm(torch.full((2, 1), number))
        >>> norm.running_mean, norm.momentum
        (tensor([2.]), 0.1)
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's way to ask for the plain average
        yield norms
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def stack(parts: list[torch.Tensor]) -> FloatArray:
    """The rows of all batches, one below the other."""
    if not parts:
        raise ValueError("expected at least one batch, got none")
    return np.ascontiguousarray(torch.cat(parts).numpy())
