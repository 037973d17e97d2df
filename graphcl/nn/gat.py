"""The graph attention network, its softmax over the sorted edges."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl.nn._checks import check_sizes
from graphcl.nn._loops import Looped
from graphcl.nn._stack import Activation, Jump, Norm, Stack, layer_widths
from graphcl.nn.weighted import SparseMatrix

__all__ = ["GAT"]


class GAT(Stack):
    r"""Graph attention network; equal to PyG's ``GATConv`` layers with the same weights.

    .. math::
        h^{l+1}_i = \mathrm{act}\Big(\mathrm{norm}\Big(\sum_{j} \alpha_{ij} W^l h^l_j + b^l\Big)\Big), \quad
        \alpha_{ij} = \mathrm{softmax}_j \, \mathrm{LeakyReLU}(a_s \cdot W^l h^l_j + a_t \cdot W^l h^l_i)

    over the edges j -> i and one self-loop (a node's own are replaced), for each head. Edges are sorted once per call
    for all layers, and the same edges once. Weights are Xavier-uniform, biases zero, as in PyG. Weights that edges have
    (``edge_weight``) are left out, as in PyG: the attention weighs them by itself.

    Args:
        in_channels: F, the width of ``x``.
        hidden_channels: The width of every layer: of all heads together, or with ``concat=False`` of each.
        num_layers: L.
        heads: How many.
        concat: Put the heads side by side; without it their mean is taken.
        negative_slope: That of the LeakyReLU.
        out_channels: The width of the last layer; ``hidden_channels`` by default. Not with ``jk="cat"``.
        activation: ``"elu"``, ``"relu"``, ``"prelu"`` (one slope for each layer), ``"rrelu"`` (a random slope in
            training) or ``"none"``.
        norm: ``"batch"``, ``"layer"`` or ``"none"``, before the activation.
        jk: The output: that of the ``"last"`` layer, or of all concatenated, ``"cat"``.
        dropout: The probability of zeroing what a layer hands to the next, in training; drawn by torch.
        act_last: Whether the last layer has a norm and an activation too; PyG's models end without.

    Raises:
        ValueError: An argument is out of range or unknown, or ``heads`` does not divide a width that they share; at
            the call, ``x`` has another width.
        TypeError: A size is no whole number; at the call, ``x`` is of another type than the weights, or ``edge_index``
            holds no whole numbers.
        IndexError: At the call, an edge ends at a node that is not there; on a CPU, a GPU is not asked.

    Example:
        >>> GAT(4, 8, 2, heads=2)(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
        torch.Size([3, 8])

    Source: Velickovic, Cucurull, Casanova, Romero, Lio, Bengio, "Graph Attention Networks", ICLR 2018, section 2.1.
    Differs from the paper: no dropout on the attention itself.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 128,
        num_layers: int = 2,
        *,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        out_channels: int | None = None,
        activation: Activation = "elu",
        norm: Norm = "none",
        jk: Jump = "last",
        dropout: float = 0.0,
        act_last: bool = True,
    ) -> None:
        check_sizes(heads=heads)
        widths = layer_widths(in_channels, hidden_channels, num_layers, out_channels, jk)
        for width in widths:
            if concat and width % heads:
                raise ValueError(f"expected a width that {heads} heads can share, got {width}; or use concat=False")
        convs = [
            _Attention(a, b // heads if concat else b, heads, concat, negative_slope)
            for a, b in zip([in_channels, *widths], widths, strict=False)
        ]
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
        self.heads = heads
        self.concat = concat

    def forward(self, x: Tensor, edge_index: Tensor, *, splits: Sequence[int] | None = None) -> Tensor:
        self.check(x, edge_index)
        return self.run(x, Looped.of(edge_index, x.size(0)), splits)


class _Attention(nn.Module):
    def __init__(self, in_channels: int, width: int, heads: int, concat: bool, negative_slope: float) -> None:
        super().__init__()
        self.heads, self.concat, self.negative_slope = heads, concat, negative_slope
        self.weight = nn.Parameter(torch.empty(heads * width, in_channels))
        self.source = nn.Parameter(torch.empty(heads, width))
        self.target = nn.Parameter(torch.empty(heads, width))
        self.bias = nn.Parameter(torch.empty(heads * width if concat else width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for parameter in (self.weight, self.source, self.target):
            nn.init.xavier_uniform_(parameter)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, looped: Looped) -> Tensor:
        pattern, weight = looped.pattern, self.weight.unflatten(0, (self.heads, -1))
        # a . (W h) = (W' a) . h: one number a head, without another tensor of the features' size.
        attention = torch.stack([self.source, self.target]).unsqueeze(-2) @ weight
        source, target = F.linear(x, attention.flatten(0, 2)).split(self.heads, 1)
        score = F.leaky_relu(pattern.from_cols(source) + pattern.from_rows(target), self.negative_slope)
        mixed = SparseMatrix(pattern, edge_softmax(score, looped))(F.linear(x, self.weight))
        return (mixed if self.concat else mixed.unflatten(1, (self.heads, -1)).mean(1)) + self.bias


def edge_softmax(score: Tensor, looped: Looped) -> Tensor:
    """``[E + N, H]``: the softmax of ``score`` over each row's entries, for each head; 0 where there is no edge."""
    pattern = looped.pattern
    score = score.float() if score.dtype.itemsize < 4 else score
    score = score.masked_fill(looped.void[:, None], -torch.inf)
    # Every row has its self-loop, so that its maximum is finite.
    top = torch.segment_reduce(score.detach(), "max", offsets=pattern.ptr.long(), axis=0, unsafe=True)
    value = (score - pattern.from_rows(top)).exp()
    return value / pattern.from_rows(pattern.from_rows.T(value))
