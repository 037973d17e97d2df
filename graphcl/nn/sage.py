"""GraphSAGE with the mean over neighbours."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._twice import gradients_again, is_first, is_looked_into
from graphcl.nn._cache import remember
from graphcl.nn._fused import LARGE, is_plain
from graphcl.nn._stack import Activation, Jump, Norm, Stack, is_mapped_first, layer_widths
from graphcl.nn.gcn import weighted_adjacency
from graphcl.nn.weighted import Pattern, SparseMatrix

__all__ = ["SAGE", "mean_adjacency"]


def mean_adjacency(
    edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None, *, dtype: torch.dtype = torch.float32
) -> SparseMatrix:
    """The mean over the incoming edges of each node, by their weights; zero where these sum to zero, or are none.

    Without weights it is found again while the same ``edge_index`` is used and has not changed, as far as torch counts
    changes.

    Args:
        edge_index: ``[2, E]`` int64.
        num_nodes: N.
        edge_weight: ``[E]`` or ``[E, 1]``; gradients flow to it, through the sums as well. 1 each by default.
        dtype: Of the values.

    Example:
        >>> mean_adjacency(torch.tensor([[0, 1], [2, 2]]), 3)(torch.tensor([[1.0], [4.0], [9.0]])).squeeze(1)
        tensor([0.0000, 0.0000, 2.5000])
    """

    if edge_weight is not None:
        matrix = weighted_adjacency(edge_index, num_nodes, edge_weight, dtype=dtype)
        total = matrix.pattern.from_rows.T(matrix.value[:, None])
        share = matrix.pattern.from_rows(total.masked_fill(total == 0, torch.inf).reciprocal())
        return SparseMatrix(matrix.pattern, matrix.value * share.squeeze(1))

    def make() -> SparseMatrix:
        pattern = Pattern.adjacency(edge_index, num_nodes)
        share = pattern.ptr.diff().clamp(min=1).to(dtype).reciprocal()
        return SparseMatrix(pattern, share.index_select(0, pattern.row))

    return remember((edge_index,), ("mean", num_nodes, dtype), make)


class SAGE(Stack):
    r"""GraphSAGE with mean aggregation; equal to PyG's ``SAGEConv`` layers with the same weights.

    .. math:: h^{l+1}_i = \mathrm{act}(\mathrm{norm}(W^l_1 \, \mathrm{mean}_{j \to i} h^l_j + b^l + W^l_2 h^l_i))

    The neighbours are sorted once per call for all layers (:func:`mean_adjacency`). Where edges have weights, the mean
    is by them, which PyG's knows nothing of. Weights and biases are drawn as those of ``nn.Linear``, as in PyG.

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
        act_last: Whether the last layer has a norm and an activation too; PyG's models end without.

    Raises:
        ValueError: An argument is out of range or unknown; at the call, ``x`` has another width, or ``edge_weight`` is
            not one number per edge.
        TypeError: A size is no whole number; at the call, ``x`` is of another type than the weights, or ``edge_index``
            holds no whole numbers.
        IndexError: At the call, an edge ends at a node that is not there; on a CPU, a GPU is not asked.

    Example:
        >>> SAGE(4, 8, 2)(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
        torch.Size([3, 8])

    Source: Hamilton, Ying, Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017, algorithm 1.
    Differs from the paper: all neighbours rather than a sample, and no normalisation of the rows to length 1.
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

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, *, splits: Sequence[int] | None = None
    ) -> Tensor:
        self.check(x, edge_index)
        return self.run(x, mean_adjacency(edge_index, x.size(0), edge_weight, dtype=x.dtype), splits)


class _Convolution(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(in_channels, out_channels)
        self.root = nn.Linear(in_channels, out_channels, bias=False)

    def reset_parameters(self) -> None:
        self.neighbours.reset_parameters()
        self.root.reset_parameters()

    def forward(self, x: Tensor, mean: SparseMatrix) -> Tensor:
        if not (is_plain(self.neighbours, nn.Linear) and is_plain(self.root, nn.Linear)):
            summed: Tensor = self.neighbours(mean(x)) + self.root(x)
            return summed
        weight, bias = self.neighbours.weight, self.neighbours.bias
        mapped_first = is_mapped_first(x, weight)
        if not mapped_first and bias is not None and not mean.value.requires_grad and _is_plain_training(x, weight):
            return _Sum.apply(x, weight, self.root.weight, bias, mean)  # type: ignore[no-untyped-call]
        own = F.linear(x, self.root.weight, bias)
        if mapped_first:
            return own + mean(F.linear(x, weight))
        if torch.is_autocast_enabled(x.device.type):  # which knows nothing of what is done in place
            return torch.addmm(own, mean(x), weight.T)
        return own.addmm_(mean(x), weight.T)  # what is its own alone


def _is_plain_training(x: Tensor, weight: Tensor) -> bool:
    """Whether a gradient on a CPU is asked for, and nothing reads or casts what runs."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or is_looked_into():
        return False
    return x.dtype == weight.dtype and weight.dtype in (torch.float32, torch.float64)


class _Sum(torch.autograd.Function):
    """Both maps and the mean as one step; of a large graph the gradient takes the place of what was kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, root: Tensor, bias: Tensor, mean: SparseMatrix) -> Tensor:
        averaged = mean(x.detach())
        ctx.mean, ctx.once = mean, [True] if averaged.numel() > LARGE else None
        ctx.save_for_backward(x, weight, root, bias, averaged)
        return torch.addmm(bias, x, root.T).addmm_(averaged, weight.T)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        *inputs, averaged = ctx.saved_tensors
        if torch.is_grad_enabled() or not is_first(ctx.once):  # a second derivative is wanted, or the first once more
            with torch.enable_grad():
                found = gradients_again(partial(_formula, mean=ctx.mean), inputs, grad)
            return *(g if g is None or torch.is_grad_enabled() else g.detach() for g in found), None
        x, weight, root, _ = inputs
        of_x = None
        wanted = ctx.needs_input_grad
        of_weight = grad.T @ averaged if wanted[1] else None
        if wanted[0]:
            room = torch.empty_like(averaged) if ctx.once is None else averaged.data
            of_x = ctx.mean.back(torch.mm(grad, weight, out=room)).addmm_(grad, root)
        return of_x, of_weight, grad.T @ x if wanted[2] else None, grad.sum(0) if wanted[3] else None, None


def _formula(x: Tensor, weight: Tensor, root: Tensor, bias: Tensor, *, mean: SparseMatrix) -> Tensor:
    return mean(x) @ weight.T + F.linear(x, root, bias)
