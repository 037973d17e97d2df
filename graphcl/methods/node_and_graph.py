"""Contrast of graphs and of their nodes in one objective."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl.augment import Compose, EdgeDrop, NodeMask
from graphcl.distributed import joined_rows
from graphcl.losses import InfoNCE
from graphcl.methods.base import View, ViewMethod, check_several, check_two_views, graph_rows
from graphcl.methods.nodes import align
from graphcl.nn import GraphEncoder, project_views, projection_head

__all__ = ["NodeAndGraph"]


class NodeAndGraph(ViewMethod):
    r"""GraphCL on the graphs plus GRACE on the nodes of the same two views.

    .. math:: L = L_{\mathrm{graph}}(g(s^1), g(s^2)) + w \, L_{\mathrm{node}}(f(h^1), f(h^2))

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; edges dropped and features masked by default, each at 0.2. Nodes are matched by ``n_id``.
        weight: w, at least 0.
        graph_head: g; :func:`graphcl.nn.projection_head` by default.
        node_head: f; the same by default.
        graph_loss: From two ``[G, D]`` tensors to a scalar; that of :class:`GraphCL` by default.
        node_loss: From two ``[N, D]`` tensors to a scalar; GRACE at temperature 0.5 over all nodes of the batch by
            default, whose memory is linear in N.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views, or ``weight`` is negative; at the call, the batch holds fewer than
            two graphs.
        TypeError: A view cannot be called.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> NodeAndGraph(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: the sum of You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020,
    and Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        weight: float = 1.0,
        graph_head: nn.Module | None = None,
        node_head: nn.Module | None = None,
        graph_loss: nn.Module | None = None,
        node_loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        usual = Compose([EdgeDrop(drop=0.2), NodeMask(mask=0.2, fill="gaussian")])
        super().__init__(encoder, views=(usual, usual) if views is None else views, seed=seed)
        check_two_views(self.views)
        if not weight >= 0:
            raise ValueError(f"expected weight >= 0 (of the nodes' loss), got {weight!r}")
        self.weight = weight
        self.graph_head = projection_head(encoder.graph_channels) if graph_head is None else graph_head
        self.node_head = projection_head(encoder.out_channels) if node_head is None else node_head
        self.graph_loss = InfoNCE(temperature=0.2, positive_in_denominator=False) if graph_loss is None else graph_loss
        self.node_loss = losses.GRACE(temperature=0.5) if node_loss is None else node_loss

    def contrast(self, views: Sequence[Data]) -> Tensor:
        check_several(views[0])
        first, second = self.encoder.encode_views(views)
        nodes = [joined_rows(z) for z in align(views, [first.node, second.node])]
        graph: Tensor = self.graph_loss(*project_views(self.graph_head, graph_rows([first, second])))
        node: Tensor = self.node_loss(*project_views(self.node_head, nodes))
        return graph + self.weight * node
