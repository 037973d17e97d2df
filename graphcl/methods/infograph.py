"""InfoGraph: a graph's summary knows its own nodes from those of other graphs."""

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key
from graphcl.distributed import joined_groups, joined_rows
from graphcl.losses import NodeGraphJSD
from graphcl.methods.base import Method, graphs_of
from graphcl.nn import GraphEncoder, ShortcutHead

__all__ = ["InfoGraph"]


class InfoGraph(Method):
    r"""Maximise the mutual information of a graph's embedding and those of its nodes; no augmentation.

    .. math:: L = \frac1N \sum_i \mathrm{sp}(-\langle f(h_i), g(s_{b(i)}) \rangle)
        + \frac1{N(G - 1)} \sum_i \sum_{k \ne b(i)} \mathrm{sp}(\langle f(h_i), g(s_k) \rangle)

    with :math:`\mathrm{sp}(x) = \log(1 + e^x)`, the embeddings h of the N nodes, s of the G graphs, and b(i) the graph
    of node i: the Jensen-Shannon estimator. The nodes of all other graphs of the batch are the negatives.

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``, all layers joined.
        node_head: f, from node embeddings to what is compared; :class:`graphcl.nn.ShortcutHead` by default.
        graph_head: g, the same for graph embeddings.
        loss: From nodes ``[N, D]``, graphs ``[G, D]`` and the graph of each node to a scalar.
        seed: Of what ``loss`` draws, if it does; the method itself draws nothing.

    Raises:
        ValueError: At the call, the batch holds fewer than two graphs.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> InfoGraph(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Sun, Hoffmann, Verma, Tang, "InfoGraph: Unsupervised and Semi-supervised Graph-Level Representation Learning
    via Mutual Information Maximization", ICLR 2020.
    Differs from the authors' code: the loss is larger by the constant 2 log 2; no prior on the embeddings (off there);
    the heads begin with the weights that torch draws, not with Xavier-uniform ones.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        node_head: nn.Module | None = None,
        graph_head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        width = encoder.out_channels
        self.node_head = ShortcutHead(width) if node_head is None else node_head
        self.graph_head = ShortcutHead(encoder.graph_channels, width) if graph_head is None else graph_head
        self.loss = NodeGraphJSD() if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        node, graph = self.encoder.encode(data)
        owner, _ = joined_groups(graphs_of(data)[0], graph.size(0))
        return self.loss(self.node_head(joined_rows(node)), self.graph_head(joined_rows(graph)), owner)
