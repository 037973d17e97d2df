"""GAE: tell the edges of a graph from pairs of nodes that no edge joins; a baseline without views."""

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl._random import Key
from graphcl.augment._graph import Graph
from graphcl.augment.edge_add import add_edges
from graphcl.distributed import joined_rows
from graphcl.methods.base import Method
from graphcl.nn import GraphEncoder

__all__ = ["GAE"]


class GAE(Method):
    r"""Graph autoencoder: the inner product of two nodes' embeddings says whether an edge joins them.

    .. math:: L = -\frac1{2E} \Big[ \sum_{(i, j) \in \mathcal E} \log \sigma(z_i^\top z_j)
        + \sum_{(i, j) \in \mathcal N} \log (1 - \sigma(z_i^\top z_j)) \Big]

    In every step as many absent pairs as there are edges are drawn for the negatives, each from the pairs of one graph
    that no edge joins, and in both directions. All edges of a loader's batch count, those between its seeds and others;
    pairs that only edges which were not sampled join are absent there.

    Args:
        encoder: From graphs to node embeddings; the paper's is a two-layer GCN of widths 32 and 16 with ReLU between
            and nothing after the last.
        loss: From the scores of edges and of absent pairs to a scalar; :class:`graphcl.losses.DGIBCE`, which is the
            binary cross entropy, by default.
        seed: The seed of the absent pairs.

    Raises:
        ValueError: At the call, the data have no edges, or no absent pairs.

    Example:
        >>> import torch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> GAE(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Kipf, Welling, "Variational Graph Auto-Encoders", NIPS Workshop on Bayesian Deep Learning 2016, the
    non-probabilistic model.
    Differs from the paper: as many negatives as edges in place of all pairs with weighted edges.
    """

    level = "node"
    joins_ranks = True

    def __init__(self, encoder: GraphEncoder, *, loss: nn.Module | None = None, seed: int = 0) -> None:
        super().__init__(encoder, seed=seed)
        self.loss = losses.DGIBCE() if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        z = self.encoder.encode(data).node
        absent = add_edges(Graph.of(data), key, add=1.0).new_edges
        absent = data.edge_index[:, :0] if absent is None else absent
        real, false = (joined_rows((z[source] * z[target]).sum(1)) for source, target in (data.edge_index, absent))
        if real.size(0) == 0 or false.size(0) == 0:  # of all ranks: the part of one may be without
            raise ValueError(
                f"expected edges to restore and pairs without one, got {data.edge_index.size(1)} edges between "
                f"{data.num_nodes} nodes; leave out graphs that have no edges or all"
            )
        return self.loss(real, false)
