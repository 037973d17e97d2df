"""GraphMAE: restore the features of masked nodes; not contrastive, and the yardstick for what is."""

import copy
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl._arguments import plain
from graphcl._random import Key, below, fold, randint
from graphcl.augment._graph import Graph
from graphcl.augment._select import check_share, how_many, smallest_k
from graphcl.distributed import mean_over_ranks
from graphcl.methods.base import Method
from graphcl.methods.nodes import mark_seeds
from graphcl.nn import GCN, GraphEncoder

__all__ = ["GraphMAE", "scaled_cosine_error"]


def scaled_cosine_error(found: Float[Tensor, "n d"], wanted: Float[Tensor, "n d"], power: float) -> Float[Tensor, " n"]:
    r"""GraphMAE's reconstruction error :math:`(1 - \cos(x_i, z_i))^\gamma` of each row, small for what is nearly right.

    A row of zeros, as a decoder whose bias is still 0 makes of a node with masked neighbours only, has a cosine of 0
    and no gradient, which near such a row has no bound.

    Example:
        >>> scaled_cosine_error(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [-1.0, 0.0]]), 3)
        tensor([1., 8.])

    Source: Hou, Liu, Cen, Dong, Yang, Wang, Tang, "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022.
    """
    wide = torch.promote_types(torch.float32, torch.promote_types(found.dtype, wanted.dtype))
    found, wanted = found.to(wide), wanted.to(wide)
    empty = (found == 0).all(1)
    cosine = F.cosine_similarity(found.masked_fill(empty[:, None], 1), wanted, dim=1).masked_fill(empty, 0)
    return (1 - cosine).clamp(min=0).pow(power)


class GraphMAE(Method):
    r"""Mask the features of some nodes and restore them from the embeddings of the others.

    .. math:: L = \frac1{|M|} \sum_{i \in M} \Big( 1 - \frac{x_i^\top z_i}{\lVert x_i \rVert \lVert z_i \rVert}
        \Big)^\gamma

    for the masked nodes M, their features x and what the decoder makes of them, z. The encoder sees a learned token in
    place of their features, or now and then another node's features; before the decoder, a layer of message passing,
    their embeddings are masked once more, by zeros. Of a loader's batch the masked seeds count.

    Args:
        encoder: From graphs to node embeddings; the authors' on Cora is a two-layer GAT of width 512 with PReLU.
        decoder: From embeddings and ``edge_index`` to features; a GCN layer by default.
        in_channels: The width of the features; by default the ``in_channels`` of the encoder's network.
        mask: The share of each graph's nodes that are masked.
        replace: The probability that a masked node gets another node's features instead of the token.
        power: gamma of at least 1.
        seed: The seed of the masks.

    Raises:
        ValueError: A share lies outside [0, 1], ``power`` is below 1, or the width of the features is not to be found.

    Example:
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GraphMAE(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Hou, Liu, Cen, Dong, Yang, Wang, Tang, "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022.
    Differs from the authors' code: the share is of each graph's nodes, not of the batch's, and rounded, not cut off;
    each masked node is replaced with the given probability, not an exact number, by any node of its own graph, where
    there no node stands in for two; the decoder is a GCN and not a GAT layer unless one is given.
    """

    level: ClassVar[Literal["graph", "node"]] = "node"

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        decoder: nn.Module | None = None,
        in_channels: int | None = None,
        mask: float = 0.5,
        replace: float = 0.05,
        power: float = 3.0,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        width = encoder.out_channels
        if in_channels is None:
            in_channels = getattr(encoder.gnn, "in_channels", None)
        in_channels = plain(in_channels)
        if not isinstance(in_channels, int) or in_channels < 1:  # -1 is a width that is not known yet
            raise ValueError(
                f"expected {type(encoder.gnn).__name__} to have an integer in_channels, got {in_channels!r}; "
                "say how wide the features are: in_channels=data.num_features"
            )
        if not power >= 1:
            raise ValueError(f"expected power of at least 1, got {power}")
        self.mask, self.replace, self.power = check_share("mask", mask), check_share("replace", replace), power
        self.token = nn.Parameter(torch.zeros(in_channels))
        self.to_decoder = nn.Linear(width, width, bias=False)
        self.decoder = self._default_decoder(width, in_channels) if decoder is None else decoder

    def _default_decoder(self, width: int, in_channels: int) -> nn.Module:
        return GCN(width, in_channels, 1, act_last=False)

    def loss_of(self, data: Data, key: Key) -> Tensor:
        data = mark_seeds(data)
        view, masked = self.masked(data, key)
        hidden = self.to_decoder(self.encoder.encode(view).node).masked_fill(masked[:, None], 0)
        cost = scaled_cosine_error(self.decoder(hidden, data.edge_index), data.x, self.power)
        seeds = data._store.get("seed_mask")
        counted = masked if seeds is None else masked & seeds
        return mean_over_ranks(cost.masked_fill(~counted, 0).sum() / counted.sum().clamp(min=1), counted.sum())

    def masked(self, data: Data, key: Key) -> tuple[Data, Tensor]:
        """The view that the encoder sees, and which nodes are masked in it."""
        if not isinstance(data._store.get("x"), Tensor):
            raise ValueError("expected node features x, got none; choose features when loading (features='constant')")
        if data.x.shape[1:] != self.token.shape:
            raise ValueError(f"expected x of shape [N, {self.token.numel()}], got {list(data.x.shape)}")
        graph = Graph.of(data)
        hashes = graph.node_hashes(fold(key, 0))
        masked = smallest_k(hashes, graph.batch, how_many(self.mask, graph.sizes, "round"), graph.sizes)
        replaced = masked & below(graph.node_hashes(fold(key, 1)), self.replace)
        within = randint(graph.node_hashes(fold(key, 2)), graph.sizes.index_select(0, graph.batch))
        other = graph.ptr.index_select(0, graph.batch) + within
        x = data.x if data.x.is_floating_point() else data.x.float()
        view = copy.copy(data)
        view.x = torch.where(masked[:, None], self.token.to(x.dtype), x)
        view.x = torch.where(replaced[:, None], x.index_select(0, other), view.x)
        return view, masked
