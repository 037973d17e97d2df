"""Supervised contrast of nodes: those of one class attract each other, where the class may be known."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import losses
from graphcl.distributed import joined_rows
from graphcl.methods.base import View
from graphcl.methods.grace import edge_and_feature_drop, elu_head
from graphcl.methods.nodes import NodeMethod, align
from graphcl.nn import GraphEncoder, project_views

__all__ = ["NodeSupCon"]


class NodeSupCon(NodeMethod):
    """Pull both views of all training nodes of a class together and away from those of other classes.

    Labels are read where ``data.train_mask`` allows it and nowhere else. Nodes outside of it lend their messages and
    take no part in the loss, neither as positives nor as negatives; nor does a node whose label is below 0.

    Args:
        encoder: From graphs to node embeddings.
        views: Two transforms; :func:`edge_and_feature_drop` with the probabilities of :class:`GRACE` by default.
        head: From node embeddings to what is compared; :func:`elu_head` by default.
        loss: From ``[2K, D]`` embeddings and ``[2K]`` labels to a scalar; :class:`graphcl.losses.SupCon` at temperature
            0.1 by default.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views; at the call, labels or ``train_mask`` are missing or not one per
            node, or no training node is in both views.
        TypeError: A view cannot be called; at the call, labels that are not whole numbers.

    Example:
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> graph.y, graph.train_mask = torch.arange(10) % 2, torch.arange(10) < 4
        >>> NodeSupCon(GraphEncoder(GIN(10)))(graph).shape
        torch.Size([])

    Source: Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, "Supervised Contrastive Learning",
    NeurIPS 2020, equation 2, on the views of Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation
    Learning", ICML Workshop on Graph Representation Learning and Beyond 2020.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        views: Sequence[View] | None = None,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        usual = (edge_and_feature_drop(0.2, 0.3), edge_and_feature_drop(0.4, 0.4))
        super().__init__(encoder, views=usual if views is None else views, seed=seed)
        self.head = elu_head(encoder.out_channels) if head is None else head
        self.loss = losses.SupCon(temperature=0.1) if loss is None else loss

    def contrast(self, views: Sequence[Data]) -> Tensor:
        labels = joined_rows(align(views, [_known_labels(view) for view in views])[0])
        known = (labels >= 0).nonzero().flatten()
        if known.numel() == 0:
            of_a_loader = "give the loader training nodes alone, NodeLoader(..., input_nodes=data.train_mask)"
            mend = of_a_loader if "seed_mask" in views[0] else "set data.train_mask"
            raise ValueError(
                f"expected training nodes with labels in both views, got none; {mend}, or let the views keep more of "
                "the graph"
            )
        nodes = [z.index_select(0, known) for z in self.encode_aligned(views)]
        z1, z2 = project_views(self.head, nodes)
        return self.loss(torch.cat([z1, z2]), labels.index_select(0, known).repeat(2))

    def check_needs(self, data: Data) -> None:
        _known_labels(data)


def _known_labels(data: Data) -> Tensor:
    """``[N]`` the labels of training nodes, and -1 for all others."""
    y, train = data._store.get("y"), data._store.get("train_mask")
    for name, value in (("y", y), ("train_mask", train)):
        if not isinstance(value, Tensor) or value.shape != (data.num_nodes,):
            got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"expected data.{name} with one entry for each of {data.num_nodes} nodes, got {got}; of several splits "
                "choose one, and to use all labels set data.train_mask to ones"
            )
    if y.is_floating_point() or y.dtype == torch.bool:
        raise TypeError(f"expected labels y of whole numbers, got {y.dtype}; write data.y.long()")
    return y.long().masked_fill(~train.bool(), -1)
