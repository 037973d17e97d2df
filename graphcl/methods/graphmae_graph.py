"""GraphMAE for graphs: restore masked node features; the yardstick that contrasts nothing."""

import copy

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, hash_ids
from graphcl.methods.base import Method
from graphcl.nn import GIN, GraphEncoder

__all__ = ["GraphMAEGraph", "scaled_cosine_error"]


def scaled_cosine_error(found: Tensor, wanted: Tensor, *, alpha: float = 2.0) -> Tensor:
    r"""How far the restored features point from the true ones, easy ones counting less.

    .. math:: L = \frac1M \sum_i (1 - \cos(\hat x_i, x_i))^\alpha

    Args:
        found: ``[M, F]`` restored.
        wanted: ``[M, F]`` true.
        alpha: At least 1; larger ones look at the hard nodes.

    Example:
        >>> scaled_cosine_error(torch.eye(2), -torch.eye(2), alpha=2.0)
        tensor(4.)

    Source: Hou, Liu, Cen, Dong, Yang, Wang, Tang, "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022,
    equation 2.
    """
    wide = torch.promote_types(torch.float32, found.dtype)
    cosine = torch.cosine_similarity(found.to(wide), wanted.to(wide), dim=1)
    return (1 - cosine).clamp(min=0).pow(alpha).mean()


class GraphMAEGraph(Method):
    """Hide the features of some nodes, and restore them from the embeddings of the others.

    The hidden nodes get a learned token before the encoder, and zeros before the decoder, which is a network of its
    own. Graph embeddings take no part in the loss; they are a readout of what the encoder has learned.

    Args:
        encoder: From graphs to embeddings.
        in_channels: F, the width of the features; read from the network (``in_channels``) by default.
        mask: The share of the nodes of a batch that are hidden, in (0, 1).
        alpha: Of :func:`scaled_cosine_error`.
        decoder: ``(h [N, D], edge_index) -> [N, F]``; a layer of GIN and a linear map by default.
        seed: The seed of the masks.

    Raises:
        ValueError: A number is out of range, or the network does not tell its ``in_channels``.

    Example:
        >>> from torch_geometric.data import Batch
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphMAEGraph(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Hou, Liu, Cen, Dong, Yang, Wang, Tang, "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022,
    equations 1 and 2, with the settings for graph classification.
    Differs from the paper: no masked node keeps its features or gets another node's (off there for graphs); a linear
    map follows the GIN decoder.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        in_channels: int | None = None,
        mask: float = 0.5,
        alpha: float = 2.0,
        decoder: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        if not 0 < mask < 1:
            raise ValueError(f"expected mask within (0, 1), got {mask!r}")
        if not alpha >= 1:
            raise ValueError(f"expected alpha of at least 1, got {alpha!r}")
        width = encoder.out_channels
        features = getattr(encoder.gnn, "in_channels", None) if in_channels is None else in_channels
        if not isinstance(features, int):
            raise ValueError(
                f"expected in_channels, as {type(encoder.gnn).__name__} does not tell; give it to the method"
            )
        self.mask, self.alpha = mask, alpha
        self.token = nn.Parameter(torch.zeros(1, features))
        self.between = nn.Linear(width, width, bias=False)
        self.decoder = _Decoder(width, features) if decoder is None else decoder

    def loss_of(self, data: Data, key: Key) -> Tensor:
        x = data.x if data.x.is_floating_point() else data.x.float()
        count = max(1, round(self.mask * x.size(0)))
        hidden = hash_ids(key, torch.arange(x.size(0), device=x.device)).argsort()[:count]
        masked = copy.copy(data)
        masked.x = x.index_copy(0, hidden, self.token.to(x.dtype).expand(count, -1))
        h = self.between(self.encoder.encode(masked).node).index_fill(0, hidden, 0)
        restored = self.decoder(h, data.edge_index)
        return scaled_cosine_error(restored.index_select(0, hidden), x.index_select(0, hidden), alpha=self.alpha)


class _Decoder(nn.Module):
    """A layer of GIN and a linear map."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gin = GIN(in_channels, in_channels, 1, norm="none")
        self.last = nn.Linear(in_channels, out_channels)

    def forward(self, h: Tensor, edge_index: Tensor) -> Tensor:
        x: Tensor = self.last(self.gin(h, edge_index))
        return x
