"""Message-passing encoders of the package's own. Any PyG model does as well; see :class:`GraphEncoder`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._arguments import check_choice
from graphcl.nn._cache import remember
from graphcl.nn._fused import fused_layers, is_fusible, is_plain, maps_first
from graphcl.nn.norm import BatchNorm, norm_layer, normalise_views
from graphcl.nn.sparse import SparseSum

__all__ = ["GIN", "EdgeEncoder", "JointEncoder"]


class JointEncoder(nn.Module, ABC):
    """A node encoder that can take several views in one pass and keep their normalisation apart."""

    out_channels: int

    @abstractmethod
    def forward(self, x: Tensor, edge_index: Tensor, *, splits: Sequence[int] | None = None) -> Tensor:
        """``[N, out_channels]`` from ``x`` ``[N, F]``; ``splits`` are the numbers of nodes of the views in it.

        An encoder that can use edge weights takes them as ``edge_weight`` ``[E]``, as PyG's do.
        """


class EdgeEncoder(nn.Module, ABC):
    """A node encoder that reads edge features, too, and can take several views in one pass as a JointEncoder can."""

    out_channels: int

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        *,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
        splits: Sequence[int] | None = None,
        graph_splits: Sequence[int] | None = None,
    ) -> Tensor:
        """``[N, out_channels]``; ``batch`` tells the graphs apart, the splits count the nodes and graphs of views."""


class GIN(JointEncoder):
    r"""Graph isomorphism network, the outputs of all layers concatenated.

    .. math:: h^{l+1}_i = \mathrm{norm}(\mathrm{ReLU}(\mathrm{MLP}^l(h^l_i + \sum_{j \to i} h^l_j)))

    Two-layer perceptrons; weights Xavier-uniform and biases zero, as in the code of InfoGraph and GraphCL. Neighbours
    are summed by a sparse product (:class:`graphcl.nn.SparseSum`).

    Args:
        in_channels: F, the width of ``x``.
        hidden_channels: The width of every layer.
        num_layers: L; the output is ``[N, L * hidden_channels]``.
        norm: ``"batch"``, ``"layer"`` or ``"none"``.

    Raises:
        ValueError: An argument is not positive or ``norm`` unknown; at the call, ``x`` has another width.
        TypeError: At the call, ``x`` is of another type than the weights, or ``edge_index`` holds no whole numbers.
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

    def forward(self, x: Tensor, edge_index: Tensor, *, splits: Sequence[int] | None = None) -> Tensor:
        check_features(x, self.in_channels, next((p.dtype for p in self.parameters()), x.dtype))
        check_edges(edge_index)
        neighbours = _neighbours(edge_index, x.size(0))
        layers: Any = list(zip(self.lower, self.upper, self.norms, strict=True))
        if is_fusible(x, layers):
            return fused_layers(x, neighbours, layers, [x.size(0)] if splits is None else list(splits))
        outputs = []
        for lower, upper, norm in layers:
            x = upper(_sum_and_map(neighbours, lower, x).relu()).relu()
            x = normalise_views(norm, x, splits)
            outputs.append(x)
        return torch.cat(outputs, 1)


def _neighbours(edge_index: Tensor, num_nodes: int) -> SparseSum:
    return remember((edge_index,), ("sum", num_nodes), lambda: SparseSum.adjacency(edge_index, num_nodes))


def _sum_and_map(neighbours: SparseSum, linear: nn.Module, x: Tensor) -> Tensor:
    if is_plain(linear, nn.Linear) and maps_first(linear.weight):
        return neighbours.plus_self(F.linear(x, linear.weight)) + linear.bias
    mapped: Tensor = linear(neighbours.plus_self(x))
    return mapped


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
    """Refuse widths and depths below 1."""
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"expected {name} of at least 1, got {value}")
