"""The graph convolutional network, its normalised adjacency made once for all layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl.nn._cache import remember
from graphcl.nn._features import linear
from graphcl.nn._loops import Looped, edge_weights
from graphcl.nn._stack import Activation, Jump, Norm, Stack, is_mapped_first, layer_widths
from graphcl.nn.weighted import Pattern, SparseMatrix

__all__ = ["GCN", "normalised_adjacency", "weighted_adjacency"]


def normalised_adjacency(
    edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None, *, dtype: torch.dtype = torch.float32
) -> SparseMatrix:
    r"""The symmetrically normalised adjacency with self-loops, from sources to targets.

    .. math:: D^{-1/2} A D^{-1/2}, \quad D_{ii} = \sum_j A_{ij}

    A[i, j] is the weight of the edges j -> i; A[i, i] the weight of the node's own self-loop (the last, if it has
    several), and 1 where it has none: as PyG's ``gcn_norm``. A node whose weights sum to zero takes part in nothing; as
    there, one whose weights sum to less gives NaN.
    Without weights the result is found again while the same ``edge_index`` is used and has not changed, as far as torch
    counts changes: write no others into it through ``.data`` or the memory of a NumPy array.

    Args:
        edge_index: ``[2, E]`` int64.
        num_nodes: N.
        edge_weight: ``[E]`` or ``[E, 1]``; gradients flow to it, through the degrees as well. 1 each by default.
        dtype: Of the values.

    Example:
        >>> matrix = normalised_adjacency(torch.tensor([[0, 1], [1, 0]]), 3)
        >>> matrix(torch.eye(3))
        tensor([[0.5000, 0.5000, 0.0000],
                [0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 1.0000]])

    Source: Kipf, Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017, section 2.
    """
    if edge_weight is None:
        name = ("gcn", num_nodes, dtype)
        return remember((edge_index,), name, lambda: _normalised(Looped.of(edge_index, num_nodes), None, dtype))
    return _normalised(Looped.of(edge_index, num_nodes), edge_weights(edge_weight, edge_index.size(1)), dtype)


def _normalised(looped: Looped, edge_weight: Tensor | None, dtype: torch.dtype) -> SparseMatrix:
    pattern, value = looped.pattern, looped.weights(edge_weight, dtype)
    degree = pattern.from_rows.T(value[:, None]).squeeze(1)
    isolated = degree == 0
    scale = degree.masked_fill(isolated, 1).rsqrt().masked_fill(isolated, 0)[:, None]
    value = pattern.from_rows(scale).squeeze(1) * value * pattern.from_cols(scale).squeeze(1)
    return SparseMatrix(pattern, value)


def weighted_adjacency(
    edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None, *, dtype: torch.dtype = torch.float32
) -> SparseMatrix:
    """The adjacency matrix itself, from sources to targets: A[i, j] is the weight of the edges j -> i.

    Args:
        edge_index: ``[2, E]`` int64.
        num_nodes: N.
        edge_weight: ``[E]`` or ``[E, 1]``; gradients flow to it. 1 each by default.
        dtype: Of the values.

    Example:
        >>> weighted_adjacency(torch.tensor([[0, 1], [1, 2]]), 3, torch.tensor([0.5, 2.0]))(torch.eye(3))
        tensor([[0.0000, 0.0000, 0.0000],
                [0.5000, 0.0000, 0.0000],
                [0.0000, 2.0000, 0.0000]])
    """
    pattern = remember((edge_index,), ("pattern", num_nodes), lambda: Pattern.adjacency(edge_index, num_nodes))
    if edge_weight is None:
        return SparseMatrix(pattern, torch.ones_like(pattern.col, dtype=dtype))
    weight = edge_weights(edge_weight, edge_index.size(1)).to(dtype)
    return SparseMatrix(pattern, weight.index_select(0, pattern.pair))


class GCN(Stack):
    r"""Graph convolutional network; equal to PyG's ``GCNConv`` layers with the same weights.

    .. math:: h^{l+1} = \mathrm{act}(\mathrm{norm}(D^{-1/2} A D^{-1/2} h^l W^l + b^l))

    The matrix (:func:`normalised_adjacency`) is made once per call for all layers, and once per ``edge_index`` where
    there are no weights; so is what is read of wide, sparse features. Weights are Xavier-uniform, biases zero, as in
    PyG.

    Args:
        in_channels: F, the width of ``x``.
        hidden_channels: The width of every layer.
        num_layers: L.
        out_channels: The width of the last layer; ``hidden_channels`` by default. Not with ``jk="cat"``.
        activation: ``"relu"``, ``"prelu"`` (one slope for each layer), ``"rrelu"`` (a random slope in training),
            ``"elu"`` or ``"none"``.
        norm: ``"batch"``, ``"layer"`` or ``"none"``, before the activation.
        jk: The output: that of the ``"last"`` layer, or of all concatenated, ``"cat"``.
        dropout: The probability of zeroing what a layer hands to the next, in training; drawn by torch.
        act_last: Whether the last layer has a norm and an activation too, as in the code of GRACE and BGRL; PyG's
            models end without.
        normalise: Without it, the edges with their weights are the matrix, no self-loops added
            (:func:`weighted_adjacency`): for edges that are a diffusion, or have been normalised before.

    Raises:
        ValueError: An argument is out of range or unknown; at the call, ``x`` has another width, or ``edge_weight`` is
            not one number per edge.
        TypeError: A size is no whole number; at the call, ``x`` is of another type than the weights, or ``edge_index``
            holds no whole numbers.
        IndexError: At the call, an edge ends at a node that is not there; on a CPU, a GPU is not asked.

    Example:
        >>> encoder = GCN(4, 8, 2, activation="prelu")
        >>> encoder(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]]), torch.tensor([1.0, 0.5])).shape
        torch.Size([3, 8])

    Source: Kipf, Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017, equation 2.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 128,
        num_layers: int = 2,
        *,
        out_channels: int | None = None,
        activation: Activation = "relu",
        norm: Norm = "none",
        jk: Jump = "last",
        dropout: float = 0.0,
        act_last: bool = True,
        normalise: bool = True,
    ) -> None:
        widths = layer_widths(in_channels, hidden_channels, num_layers, out_channels, jk)
        convs = [_Convolution(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)]
        super().__init__(
            convs,
            in_channels,
            widths,
            activation=activation,
            norm=norm,
            jk=jk,
            dropout=dropout,
            act_last=act_last,
        )
        self.normalise = normalise

    def adjacency(
        self, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None, dtype: torch.dtype
    ) -> SparseMatrix:
        """The matrix of all layers."""
        make = normalised_adjacency if self.normalise else weighted_adjacency
        return make(edge_index, num_nodes, edge_weight, dtype=dtype)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, *, splits: Sequence[int] | None = None
    ) -> Tensor:
        self.check(x, edge_index)
        dtype = torch.promote_types(x.dtype, torch.float32)  # degrees beyond 256 are no numbers of bfloat16's
        return self.run(x, self.adjacency(edge_index, x.size(0), edge_weight, dtype), splits)


class _Convolution(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, adjacency: SparseMatrix) -> Tensor:
        if is_mapped_first(x, self.weight):
            return adjacency(linear(x, self.weight)) + self.bias
        return F.linear(adjacency(x), self.weight, self.bias)
