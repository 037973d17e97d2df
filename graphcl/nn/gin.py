"""The graph isomorphism network, with weights on the edges or without."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._arguments import check_choice
from graphcl.nn._cache import remember
from graphcl.nn._checks import check_edges, check_features, check_sizes
from graphcl.nn._fused import fused_layers, is_fusible, is_plain, maps_first
from graphcl.nn.base import JointEncoder
from graphcl.nn.gcn import weighted_adjacency
from graphcl.nn.norm import BatchNorm, norm_layer, normalise_views
from graphcl.nn.sparse import SparseSum
from graphcl.nn.weighted import SparseMatrix

__all__ = ["GIN"]


class GIN(JointEncoder):
    r"""Graph isomorphism network, the outputs of all layers concatenated.

    .. math:: h^{l+1}_i = \mathrm{norm}(\mathrm{ReLU}(\mathrm{MLP}^l(h^l_i + \sum_{j \to i} w_{ji} h^l_j)))

    Two-layer perceptrons; weights Xavier-uniform and biases zero, as in the code of InfoGraph and GraphCL. Neighbours
    are summed by a sparse product (:class:`graphcl.nn.SparseSum`); where edges have weights w, other than 1 each,
    gradients flow to them.

    Args:
        in_channels: F, the width of ``x``.
        hidden_channels: The width of every layer.
        num_layers: L; the output is ``[N, L * hidden_channels]``.
        norm: ``"batch"``, ``"layer"`` or ``"none"``.

    Raises:
        ValueError: An argument is not positive or ``norm`` unknown; at the call, ``x`` has another width, or
            ``edge_weight`` is not one number per edge.
        TypeError: A size is no whole number; at the call, ``x`` is of another type than the weights, or ``edge_index``
            holds no whole numbers.
        IndexError: At the call, an edge ends at a node that is not there; on a CPU, a GPU is not asked.

    Example:
        >>> encoder = GIN(4, hidden_channels=8, num_layers=2)
        >>> encoder(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
        torch.Size([3, 16])

    Source: Xu, Hu, Leskovec, Jegelka, "How Powerful are Graph Neural Networks?", ICLR 2019, with eps = 0.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        *,
        norm: Literal["batch", "layer", "none"] = "batch",
    ) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, hidden_channels=hidden_channels, num_layers=num_layers)
        check_choice("norm", norm, ("batch", "layer", "none"))
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.num_layers = num_layers
        self.norm = norm
        self.out_channels = num_layers * hidden_channels
        widths = [in_channels] + [hidden_channels] * (num_layers - 1)
        self.lower = nn.ModuleList(nn.Linear(width, hidden_channels) for width in widths)
        self.upper = nn.ModuleList(nn.Linear(hidden_channels, hidden_channels) for _ in widths)
        self.norms = nn.ModuleList(norm_layer(norm, hidden_channels) for _ in widths)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for linear in [*self.lower, *self.upper]:
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        for norm in self.norms:
            if isinstance(norm, BatchNorm | nn.LayerNorm):
                norm.reset_parameters()

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, *, splits: Sequence[int] | None = None
    ) -> Tensor:
        check_features(x, self.in_channels, next((p.dtype for p in self.parameters()), x.dtype))
        check_edges(edge_index)
        neighbours = _neighbours(edge_index, x.size(0), edge_weight, torch.promote_types(x.dtype, torch.float32))
        layers: Any = list(zip(self.lower, self.upper, self.norms, strict=True))
        if isinstance(neighbours, SparseSum) and is_fusible(x, layers):
            return fused_layers(x, neighbours, layers, [x.size(0)] if splits is None else list(splits))
        outputs = []
        for lower, upper, norm in layers:
            x = upper(_sum_and_map(neighbours, lower, x).relu()).relu()
            x = normalise_views(norm, x, splits)
            outputs.append(x)
        return torch.cat(outputs, 1)


def _neighbours(
    edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None, dtype: torch.dtype
) -> SparseSum | SparseMatrix:
    if edge_weight is not None:
        return weighted_adjacency(edge_index, num_nodes, edge_weight, dtype=dtype)
    return remember((edge_index,), ("sum", num_nodes), lambda: SparseSum.adjacency(edge_index, num_nodes))


def _sum_and_map(neighbours: SparseSum | SparseMatrix, linear: nn.Module, x: Tensor) -> Tensor:
    if is_plain(linear, nn.Linear) and maps_first(linear.weight):
        return neighbours.plus_self(F.linear(x, linear.weight)) + linear.bias
    mapped: Tensor = linear(neighbours.plus_self(x))
    return mapped
