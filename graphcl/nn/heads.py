"""Projection heads: what stands between the embedding and the loss, and is thrown away afterwards."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["project_views", "projection_head"]

# What maps every row by itself, whatever the other rows are.
_ROW_BY_ROW = (nn.Linear, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.LayerNorm, nn.Identity)


def projection_head(
    in_channels: int, hidden_channels: int | None = None, out_channels: int | None = None
) -> nn.Sequential:
    """A two-layer perceptron with ReLU, Xavier-uniform weights and zero biases.

    Args:
        in_channels: The width of the embeddings.
        hidden_channels: The width between; ``in_channels`` by default.
        out_channels: The width of the projection; ``in_channels`` by default.

    Example:
        >>> projection_head(96)[2]
        Linear(in_features=96, out_features=96, bias=True)

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, section 3.2.
    """
    hidden_channels, out_channels = hidden_channels or in_channels, out_channels or in_channels
    lower, upper = nn.Linear(in_channels, hidden_channels), nn.Linear(hidden_channels, out_channels)
    for linear in (lower, upper):
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
    return nn.Sequential(lower, nn.ReLU(), upper)


def project_views(head: nn.Module, views: Sequence[Tensor]) -> list[Tensor]:
    """``[head(z) for z in views]``, in one pass where the head maps each row by itself.

    Anything else (BatchNorm, dropout, a head of your own) sees one view at a time.

    Args:
        head: From ``[N, D]`` to ``[N, D']``.
        views: Embeddings of one width, ``[N_i, D]``.

    Example:
        >>> [tuple(z.shape) for z in project_views(projection_head(4, 4, 2), [torch.ones(3, 4), torch.ones(5, 4)])]
        [(3, 2), (5, 2)]
    """
    parts = head if isinstance(head, nn.Sequential) else [head]
    if not all(type(part) in _ROW_BY_ROW for part in parts) or head._forward_hooks:
        return [head(z) for z in views]
    return list(head(torch.cat(list(views))).split([z.size(0) for z in views]))
