"""Projection heads and predictors: what stands between the embedding and the loss, and is thrown away afterwards."""

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from graphcl._arguments import check_choice
from graphcl.nn._modes import evaluating
from graphcl.nn.norm import norm_layer, normalise_views
from graphcl.nn.prelu import PReLU

__all__ = ["MLPHead", "ShortcutHead", "output_width", "project_views", "projection_head"]

# What maps every row by itself, whatever the other rows are.
_ROW_BY_ROW = (
    nn.Linear,
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    PReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.LayerNorm,
    nn.Identity,
)


def projection_head(
    in_channels: int, hidden_channels: int | None = None, out_channels: int | None = None
) -> nn.Sequential:
    """A two-layer perceptron with ReLU, Xavier-uniform weights and zero biases.

    Args:
        in_channels: The width of the embeddings.
        hidden_channels: The width between; ``in_channels`` by default.
        out_channels: The width of the projection; ``in_channels`` by default.

    Raises:
        ValueError: A width is below 1.

    Example:
        >>> projection_head(96)[2]
        Linear(in_features=96, out_features=96, bias=True)

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020.
    """
    hidden_channels, out_channels = _widths(in_channels, hidden_channels, out_channels)
    lower, upper = nn.Linear(in_channels, hidden_channels), nn.Linear(hidden_channels, out_channels)
    for linear in (lower, upper):
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
    return nn.Sequential(lower, nn.ReLU(), upper)


def _widths(in_channels: int, hidden_channels: int | None, out_channels: int | None) -> tuple[int, int]:
    """The widths between and behind, that in front where none is given."""
    hidden = in_channels if hidden_channels is None else hidden_channels
    out = in_channels if out_channels is None else out_channels
    if min(in_channels, hidden, out) < 1:
        raise ValueError(f"expected widths of at least 1, got {in_channels}, {hidden} and {out}")
    return hidden, out


class MLPHead(nn.Module):
    """Linear maps with BatchNorm and ReLU between them: projectors and predictors of BYOL, SwAV, Barlow Twins, VICReg.

    Given views side by side it keeps their statistics apart, like :class:`graphcl.nn.BatchNorm`. A map in front of
    BatchNorm has no bias, as the norm would take it away.

    Args:
        in_channels: The width of the embeddings.
        hidden_channels: The width between; ``in_channels`` by default.
        out_channels: The width of the projection; ``in_channels`` by default.
        num_layers: The number of linear maps.
        norm: ``"batch"``, ``"layer"`` or ``"none"``.
        last_bias: Whether the last map has a bias; losses that centre every dimension have no use for one.

    Raises:
        ValueError: A width or ``num_layers`` is below 1, or ``norm`` unknown; at the call, a view has one row only.

    Example:
        >>> head = MLPHead(4, 16, 2)
        >>> head(torch.randn(5, 4), [3, 2]).shape  # two views
        torch.Size([5, 2])

    Source: Grill, Strub, Altche, Tallec, Richemond, et al., "Bootstrap Your Own Latent: A New Approach to
    Self-Supervised Learning", NeurIPS 2020, section 3.3.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int | None = None,
        out_channels: int | None = None,
        *,
        num_layers: int = 2,
        norm: Literal["batch", "layer", "none"] = "batch",
        last_bias: bool = True,
    ) -> None:
        super().__init__()
        hidden_channels, out_channels = _widths(in_channels, hidden_channels, out_channels)
        if num_layers < 1:
            raise ValueError(f"expected num_layers of at least 1, got {num_layers}")
        check_choice("norm", norm, ("batch", "layer", "none"))
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        between = zip(widths[:-2], widths[1:-1], strict=True)
        self.inner = nn.ModuleList(nn.Linear(a, b, bias=norm != "batch") for a, b in between)
        self.norms = nn.ModuleList(norm_layer(norm, width) for width in widths[1:-1])
        self.last = nn.Linear(widths[-2], widths[-1], bias=last_bias)
        self.norm = norm

    def forward(self, z: Tensor, splits: Sequence[int] | None = None) -> Tensor:
        """``[N, out_channels]`` from ``[N, in_channels]``; ``splits`` are the numbers of rows of the views in it."""
        if self.norm == "batch" and self.training and len(self.norms):
            _check_rows([z.size(0)] if splits is None else splits)
        for linear, norm in zip(self.inner, self.norms, strict=True):
            z = linear(z)
            z = torch.relu(normalise_views(norm, z, splits))
        return self.last(z)


def _check_rows(sizes: Sequence[int]) -> None:
    if min(sizes) < 2:
        raise ValueError(
            f"expected at least 2 rows in every view for the BatchNorm of the head, got {min(sizes)}. Use a larger "
            "batch (drop a last one of a single graph), or a head with norm='layer'"
        )


class ShortcutHead(nn.Module):
    r"""The projection head of InfoGraph and MVGRL: a perceptron with a linear shortcut.

    .. math:: f(z) = (\sigma \circ W_3 \circ \sigma \circ W_2 \circ \sigma \circ W_1)(z) + W_0 z

    Args:
        in_channels: The width of the embeddings.
        out_channels: The width of all that follows; ``in_channels`` by default.
        activation: The non-linearity; each of the three is a copy of it. ReLU (InfoGraph) by default, MVGRL has
            ``nn.PReLU()``.

    Example:
        >>> ShortcutHead(4, 8)(torch.ones(3, 4)).shape
        torch.Size([3, 8])

    Source: Sun, Hoffmann, Verma, Tang, "InfoGraph: Unsupervised and Semi-supervised Graph-Level Representation Learning
    via Mutual Information Maximization", ICLR 2020, and Hassani, Khasahmadi, "Contrastive Multi-View Representation
    Learning on Graphs", ICML 2020, both in their code.
    """

    def __init__(
        self, in_channels: int, out_channels: int | None = None, *, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        _, out_channels = _widths(in_channels, None, out_channels)
        activation = nn.ReLU(inplace=True) if activation is None else activation
        layers: list[nn.Module] = []
        for width in (in_channels, out_channels, out_channels):
            layers += [nn.Linear(width, out_channels), copy.deepcopy(activation)]
        self.block = nn.Sequential(*layers)
        self.shortcut = nn.Linear(in_channels, out_channels)

    def forward(self, z: Tensor) -> Tensor:
        return self.block(z) + self.shortcut(z)


def project_views(head: nn.Module, views: Sequence[Tensor]) -> list[Tensor]:
    """The projections of several views, ``[head(z) for z in views]``, in one pass where that gives the same.

    That is where the head maps each row by itself, or keeps the views apart (:class:`MLPHead`). Anything else (another
    BatchNorm, dropout, a head of your own) sees one view at a time.

    Args:
        head: From ``[N, D]`` to ``[N, D']``.
        views: Embeddings of one width, ``[N_i, D]``.

    Example:
        >>> [tuple(z.shape) for z in project_views(projection_head(4, 4, 2), [torch.ones(3, 4), torch.ones(5, 4)])]
        [(3, 2), (5, 2)]
    """
    sizes = [z.size(0) for z in views]
    if type(head) is MLPHead and not head._forward_hooks:
        return list(head(torch.cat(list(views)), sizes).split(sizes))
    parts = head if type(head) is nn.Sequential else [head]
    if not all(type(part) in _ROW_BY_ROW for part in parts) or head._forward_hooks:
        return [head(z) for z in views]
    return list(head(torch.cat(list(views))).split(sizes))


def output_width(head: nn.Module, in_channels: int) -> int:
    """The width of what a head makes of embeddings of a width.

    Example:
        >>> output_width(nn.Linear(4, 2), 4)
        2
    """
    weight = next(head.parameters(), torch.empty(0))
    with evaluating(head), torch.no_grad():
        return int(head(weight.new_zeros(1, in_channels)).size(1))
