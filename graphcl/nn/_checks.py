"""Checks of what encoders are made with and called with."""

import torch
from torch import Tensor

from graphcl._arguments import check_whole

__all__ = ["check_edges", "check_features", "check_sizes", "count_graphs"]


def check_features(x: Tensor, in_channels: int, dtype: torch.dtype) -> None:
    """Refuse what is not ``[N, in_channels]`` in the precision of the weights, which autocast sees to by itself."""
    if x.layout != torch.strided:
        raise TypeError(f"expected dense features, got x as a {x.layout} tensor; write data.x = data.x.to_dense()")
    if x.dim() != 2 or x.size(1) != in_channels:
        raise ValueError(f"expected x of shape [N, {in_channels}], got {list(x.shape)}")
    if x.dtype != dtype and (torch.float64 in (x.dtype, dtype) or not torch.is_autocast_enabled(x.device.type)):
        raise TypeError(f"expected x of {dtype}, as the weights are, got {x.dtype}; write data.x = data.x.to({dtype})")


def check_edges(edge_index: Tensor) -> None:
    """Refuse what is no list of edges ``[2, E]``: of an ``[E, 2]`` two edges would be taken for all."""
    if edge_index.layout != torch.strided:
        raise TypeError(
            f"expected edge_index as a list of edges [2, E], got a {edge_index.layout} matrix; leave out "
            "ToSparseTensor, or write torch_geometric.utils.to_edge_index(adj_t.t())[0]"
        )
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"expected edge_index of shape [2, E], got {list(edge_index.shape)}; of [E, 2] write edge_index.t()"
        )
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool:
        raise TypeError(f"expected edge_index of whole numbers, got {edge_index.dtype}; write edge_index.long()")


def count_graphs(batch: Tensor) -> int:
    """The number of graphs that a batch vector tells of, the last of them not empty."""
    return int(batch.max()) + 1 if batch.numel() else 0


def check_sizes(**sizes: int) -> None:
    """Refuse widths and depths that are no whole numbers of at least 1."""
    for name, value in sizes.items():
        check_whole(name, value, least=1)
