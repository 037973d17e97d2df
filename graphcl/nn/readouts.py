"""Readouts: from the embeddings of a graph's nodes to one of the graph."""

from collections.abc import Callable

import torch
from torch import Tensor

from graphcl.nn.sparse import SparseSum

__all__ = ["Readout", "max_readout", "mean_readout", "sum_readout"]

Readout = Callable[[Tensor, Tensor, int], Tensor]
"""Signature: (x [N, D], batch [N], num_graphs) -> [num_graphs, D]. A graph without nodes gives zeros."""


def sum_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sum over each graph's nodes.

    Example:
        >>> sum_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([2., 1.])
    """
    return SparseSum.of(batch, torch.arange(x.size(0), device=x.device), num_graphs, x.size(0))(x)


def mean_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The mean over each graph's nodes.

    Example:
        >>> mean_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([1., 1.])
    """
    counts = torch.zeros(num_graphs, dtype=torch.int64, device=x.device).scatter_add_(0, batch, torch.ones_like(batch))
    return sum_readout(x, batch, num_graphs) / counts.clamp(min=1).to(x.dtype)[:, None]


def max_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The maximum over each graph's nodes, per channel.

    Example:
        >>> max_readout(torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([3., 2.])
    """
    index = batch[:, None].expand_as(x)
    return x.new_zeros(num_graphs, x.size(1)).scatter_reduce(0, index, x, "amax", include_self=False)
