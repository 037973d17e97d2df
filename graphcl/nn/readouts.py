"""Readouts: from the embeddings of a graph's nodes to one of the graph."""

from collections.abc import Callable

from torch import Tensor

from graphcl.nn.sparse import SparseSum

__all__ = ["Readout", "max_readout", "mean_readout", "sum_readout"]

Readout = Callable[[Tensor, Tensor, int], Tensor]
"""Signature: (x [N, D], batch [N], num_graphs) -> [num_graphs, D]. A graph without nodes gives zeros."""


def sum_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sum over each graph's nodes.

    Example:
        >>> import torch
        >>> sum_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([2., 1.])
    """
    return SparseSum.membership(batch, num_graphs)(x)


def mean_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The mean over each graph's nodes.

    Example:
        >>> import torch
        >>> mean_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([1., 1.])
    """
    ones = x.new_ones(x.size(0), 1)
    members = SparseSum.membership(batch, num_graphs)
    return members(x) / members(ones).clamp(min=1)


def max_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The maximum over each graph's nodes, per channel.

    Example:
        >>> import torch
        >>> max_readout(torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([3., 2.])
    """
    index = batch[:, None].expand_as(x)
    return x.new_zeros(num_graphs, x.size(1)).scatter_reduce(0, index, x, "amax", include_self=False)
