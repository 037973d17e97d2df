"""What the encoders share: layers one after another, each with a norm and an activation, and what becomes of them."""

from abc import ABC
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._arguments import check_choice
from graphcl.nn._checks import check_edges, check_features, check_sizes
from graphcl.nn.base import JointEncoder
from graphcl.nn.norm import BatchNorm, norm_layer, normalise_views
from graphcl.nn.prelu import PReLU

__all__ = ["Activation", "Jump", "Norm", "Stack", "is_mapped_first", "layer_widths"]

Activation = Literal["relu", "prelu", "rrelu", "elu", "none"]
Norm = Literal["batch", "layer", "none"]
Jump = Literal["last", "cat"]

_ACTIVATIONS = {"relu": nn.ReLU, "prelu": PReLU, "rrelu": nn.RReLU, "elu": nn.ELU, "none": nn.Identity}


class Stack(JointEncoder, ABC):
    """Convolutions of one kind over one structure per call. A subclass makes both; :meth:`run` does the rest.

    Args:
        convs: Modules from (x, structure) to the next x, each with ``reset_parameters``.
        in_channels: The width of ``x``.
        widths: The width that each of ``convs`` gives.
    """

    def __init__(
        self,
        convs: Sequence[nn.Module],
        in_channels: int,
        widths: Sequence[int],
        *,
        activation: Activation,
        norm: Norm,
        jk: Jump,
        dropout: float,
        act_last: bool,
    ) -> None:
        super().__init__()
        for name, value, words in (("activation", activation, Activation), ("norm", norm, Norm), ("jk", jk, Jump)):
            check_choice(name, value, get_args(words))
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout within [0, 1), got {dropout!r}")
        self.in_channels = in_channels
        self.num_layers = len(convs)
        self.norm = norm
        self.activation = activation
        self.jk = jk
        self.dropout = dropout
        self.act_last = act_last
        self.widths = list(widths)
        self.out_channels = sum(widths) if jk == "cat" else widths[-1]
        self.convs = nn.ModuleList(convs)
        dressed = widths if act_last else widths[:-1]
        self.norms = nn.ModuleList(norm_layer(norm, width) for width in dressed)
        self.activations = nn.ModuleList(_ACTIVATIONS[activation]() for _ in dressed)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for conv in self.convs:
            conv.reset_parameters()  # type: ignore[operator]
        for norm in self.norms:
            if isinstance(norm, BatchNorm | nn.LayerNorm):
                norm.reset_parameters()
        for activation in self.activations:
            if isinstance(activation, PReLU):
                activation.reset_parameters()

    def check(self, x: Tensor, edge_index: Tensor) -> None:
        """Refuse what is not ``[N, in_channels]`` in the precision of the weights, and what is no list of edges."""
        check_features(x, self.in_channels, next((p.dtype for p in self.parameters()), x.dtype))
        check_edges(edge_index)

    def run(self, x: Tensor, structure: Any, splits: Sequence[int] | None) -> Tensor:
        """The layers' outputs, the last one or all side by side."""
        outputs = []
        for i, conv in enumerate(self.convs):
            if i > 0:
                x = F.dropout(x, self.dropout, self.training)
            x = conv(x, structure)
            if i < len(self.norms):
                x = self.activations[i](normalise_views(self.norms[i], x, splits))
            outputs.append(x)
        return torch.cat(outputs, 1) if self.jk == "cat" else x


def layer_widths(
    in_channels: int, hidden_channels: int, num_layers: int, out_channels: int | None, jk: Jump
) -> list[int]:
    """The widths that the layers give; refuses what does not go together."""
    check_sizes(in_channels=in_channels, hidden_channels=hidden_channels, num_layers=num_layers)
    if out_channels is None:
        return [hidden_channels] * num_layers
    check_sizes(out_channels=out_channels)
    if jk == "cat":
        raise ValueError(
            f"expected no out_channels with jk='cat', got {out_channels}; the output is as wide as all layers together"
        )
    return [hidden_channels] * (num_layers - 1) + [out_channels]


def is_mapped_first(x: Tensor, weight: Tensor) -> bool:
    """Whether a layer maps its features before it sums them, which commute: the sum costs by the width, each way.

    Going back, what was mapped before always needs the sum; what was summed before only if something lies below.
    """
    width_out, width_in = weight.shape
    if not torch.is_grad_enabled():
        return width_in > width_out
    return width_in * (1 + x.requires_grad) > width_out * (1 + (weight.requires_grad or x.requires_grad))
