"""GraphMAE for graphs: restore masked node features; the yardstick that contrasts nothing."""

from torch import Tensor, nn

from graphcl.methods.graph_mae import GraphMAE
from graphcl.nn import GIN, GraphEncoder

__all__ = ["GraphMAEGraph"]


class GraphMAEGraph(GraphMAE):
    """:class:`GraphMAE` with the settings for sets of graphs.

    Graph embeddings take no part in the loss; they are a readout of what the encoder has learned about nodes.

    Args:
        encoder: From graphs to embeddings.
        decoder: ``(h [N, D], edge_index) -> [N, F]``; a layer of GIN and a linear map by default.
        in_channels: F, the width of the features; read from the network (``in_channels``) by default.
        mask: The share of each graph's nodes that are masked.
        replace: The probability that a masked node gets another node's features instead of the token.
        power: gamma of at least 1.
        seed: The seed of the masks.

    Raises:
        ValueError: A number is out of range, or the network does not tell its ``in_channels``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphMAEGraph(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Hou, Liu, Cen, Dong, Yang, Wang, Tang, "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022.
    Differs from the authors' code: as :class:`GraphMAE` does in what is masked; a linear map follows the GIN decoder;
    one set of defaults, where theirs differ from data set to data set (mask 0.25 to 0.75, replace 0 or 0.1, power 1 or
    2).
    """

    level = "graph"

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        decoder: nn.Module | None = None,
        in_channels: int | None = None,
        mask: float = 0.5,
        replace: float = 0.0,
        power: float = 2.0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            encoder, decoder=decoder, in_channels=in_channels, mask=mask, replace=replace, power=power, seed=seed
        )

    def _default_decoder(self, width: int, in_channels: int) -> nn.Module:
        return _Decoder(width, in_channels)


class _Decoder(nn.Module):
    """A layer of GIN and a linear map."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gin = GIN(in_channels, in_channels, 1, norm="none")
        self.last = nn.Linear(in_channels, out_channels)

    def forward(self, h: Tensor, edge_index: Tensor) -> Tensor:
        return self.last(self.gin(h, edge_index))
