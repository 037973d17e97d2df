"""MVGRL for graphs: nodes of one structural view against summaries of the other."""

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, fold
from graphcl.augment import PPRDiffusion
from graphcl.distributed import joined_groups, joined_rows
from graphcl.losses import NodeGraphJSD
from graphcl.methods.base import Method, View, graphs_of, view_of
from graphcl.methods.mvgrl import check_second
from graphcl.nn import Embeddings, GraphEncoder, ShortcutHead
from graphcl.nn._redrawn import redrawn
from graphcl.nn._signature import check_takes_weights

__all__ = ["MVGRLGraph"]


class MVGRLGraph(Method):
    r"""Maximise the mutual information of the nodes of one view and the graphs of another: edges, and diffusion.

    .. math:: L = \mathrm{JSD}(f(h^1), g(s^2)) + \mathrm{JSD}(f(h^2), g(s^1))

    with node embeddings h and graph embeddings s of the two views, each by an encoder of its own, and shared heads f
    and g; :func:`graphcl.losses.functional.node_graph_jsd` has the estimator. ``embed`` adds the embeddings of
    both encoders up.

    Args:
        encoder: From graphs to embeddings of the first view.
        second: The second view's encoder, of the same width; its network has to take edge weights, as
            :class:`graphcl.nn.GIN` does. By default a copy of ``encoder``, drawn anew by ``reset_parameters``; a GCN's
            normalises the weights by degree, where :class:`MVGRL` takes them as they are.
        diffusion: From the graph to the second view, edges with ``edge_weight``; no node may be dropped.
        node_head: f; :class:`graphcl.nn.ShortcutHead` with PReLU by default.
        graph_head: g; the same by default.
        loss: From nodes ``[N, D]``, graphs ``[G, D]`` and the graph of each node to a scalar.
        seed: Kept for views of your own: the default one draws nothing.

    Raises:
        ValueError: The second network takes no edge weights, or has another width, or the first cannot be drawn anew;
            at the call, the batch holds fewer than two graphs.
        TypeError: ``second`` is not a GraphEncoder.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> MVGRLGraph(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Hassani, Khasahmadi, "Contrastive Multi-View Representation Learning on Graphs", ICML 2020, with the
    Jensen-Shannon estimator.
    Differs from the authors' code: diffusion weights below 0.01 are left out; the loss is larger by the constant 4 log
    2, and its means run over the nodes alone, not over the rows that pad small graphs, too; ``embed`` adds what the
    encoders give, where theirs adds what the heads make of it.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        second: GraphEncoder | None = None,
        diffusion: View | None = None,
        node_head: nn.Module | None = None,
        graph_head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        width = encoder.out_channels
        self.second = redrawn(encoder, "second=") if second is None else second
        check_second(encoder, self.second)
        check_takes_weights(self.second.gnn)
        self.diffusion = PPRDiffusion(alpha=0.2, threshold=0.01) if diffusion is None else diffusion
        self.node_head = ShortcutHead(width, activation=nn.PReLU()) if node_head is None else node_head
        self.graph_head = (
            ShortcutHead(encoder.graph_channels, width, activation=nn.PReLU()) if graph_head is None else graph_head
        )
        self.loss = NodeGraphJSD() if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        first, second = self._encode(data, key)
        batch, _ = joined_groups(graphs_of(data)[0], first.graph.size(0))
        first, second = (Embeddings(*map(joined_rows, each)) for each in (first, second))
        loss: Tensor = self.loss(self.node_head(first.node), self.graph_head(second.graph), batch)
        other: Tensor = self.loss(self.node_head(second.node), self.graph_head(first.graph), batch)
        return loss + other

    def _encode(self, data: Data, key: Key) -> tuple[Embeddings, Embeddings]:
        return self.encoder.encode(data), self.second.encode(view_of(self.diffusion, data, fold(key, 0)))

    def represent(self, data: Data) -> Embeddings:
        """The sum of both encoders' embeddings of the clean graph and its diffusion."""
        first, second = self._encode(data, fold(self.seed, 0))
        return Embeddings(first.node + second.node, first.graph + second.graph)
