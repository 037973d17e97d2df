"""Projection heads: what stands between the embedding and the loss, and is thrown away afterwards."""

from torch import nn

__all__ = ["projection_head"]


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
