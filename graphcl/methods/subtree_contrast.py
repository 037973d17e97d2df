"""Contrast of rooted subtrees: nodes that look alike are one, all others are pushed apart, depth by depth."""

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._arguments import check_whole
from graphcl._random import Key, hash_ids
from graphcl.distributed import joined_rows
from graphcl.losses import InfoNCE
from graphcl.methods.base import Method
from graphcl.nn import EdgeEncoder, GraphEncoder, depths_of, rooted_subtrees

__all__ = ["SubtreeContrast"]


class SubtreeContrast(Method):
    r"""Contrast nodes with different rooted subtrees, at every depth of the network, without augmentations.

    .. math:: L = \sum_l \frac1n \sum_i \Big( \log \sum_{j:\, c^l_j \ne c^l_i} e^{\cos(h^l_i, h^l_j) / \tau}
        - \frac1\tau \Big)

    Here :math:`h^l` is the output of layer l and :math:`c^l` the number of a node's rooted subtree of l steps
    (:func:`graphcl.nn.rooted_subtrees`). Message passing gives nodes of one subtree one embedding, so positives agree
    from the start, and no view can be wrong about what a graph may lose. What an untrained network lacks is that
    *different* subtrees are far apart: its embeddings share a few directions. Summed over the nodes of a graph, vectors
    that are spread out sketch the counts of its subtrees, as the Weisfeiler-Lehman kernel compares them, in a fixed
    number of dimensions, and for graphs that were never seen.

    Args:
        encoder: From graphs to embeddings. Networks that give out all of their layers (:class:`graphcl.nn.GIN`, others
            with ``jk="cat"``, :class:`graphcl.nn.UnitDepths`) are contrasted layer by layer; of others the one output
            is, at a depth of ``num_layers``.
        loss: From two ``[n, D]`` tensors and ``exclude=[groups]`` to a scalar; InfoNCE at temperature 0.2, with the
            positive outside of the denominator, by default.
        num_nodes: n, how many nodes of the batch a step compares at most, drawn anew each time.
        seed: The seed of that draw.

    Raises:
        ValueError: ``num_nodes`` is below 2; at the call, the features hold NaN, or there are fewer than two nodes.
        TypeError: ``num_nodes`` is not a whole number.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN, UnitDepths
        >>> path = Data(x=torch.ones(4, 3), edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]))
        >>> SubtreeContrast(GraphEncoder(UnitDepths(GIN(3))))(Batch.from_data_list([path] * 4)).shape
        torch.Size([])

    Source: of this package. The loss is that of van den Oord, Li, Vinyals, "Representation Learning with Contrastive
    Predictive Coding", 2018, equation 4, as Yeh, Hong, Hsu, Liu, Chen, LeCun, "Decoupled Contrastive Learning", ECCV
    2022, have it; what counts as the same node is from Shervashidze, Schweitzer, van Leeuwen, Mehlhorn, Borgwardt,
    "Weisfeiler-Lehman Graph Kernels", JMLR 2011.
    """

    joins_ranks = True

    def __init__(
        self, encoder: GraphEncoder, *, loss: nn.Module | None = None, num_nodes: int = 1024, seed: int = 0
    ) -> None:
        super().__init__(encoder, seed=seed)
        self.depths = depths_of(encoder.gnn)
        self.num_nodes = check_whole("num_nodes", num_nodes, 2)
        self.loss = InfoNCE(temperature=0.2, positive_in_denominator=False) if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        nodes = joined_rows(self.encoder.encode_views([data])[0].node)
        if nodes.size(0) < 2:
            raise ValueError(f"expected at least 2 nodes to tell apart, got {nodes.size(0)}: use a larger batch")
        edges = isinstance(self.encoder.gnn, EdgeEncoder) or self.encoder.edge_attr
        subtrees = rooted_subtrees(data, self.depths[-1].steps, edge_attr=edges and data.edge_attr is not None)
        subtrees = joined_rows(subtrees.T).T
        order = hash_ids(key, torch.arange(nodes.size(0), device=nodes.device)).argsort()
        drawn = order[: self.num_nodes]
        nodes, subtrees = nodes[drawn], subtrees[:, drawn]
        losses = []
        for steps, columns in self.depths:
            if steps == 0:
                continue  # the features themselves, which no training moves
            z = nodes[:, columns]
            losses.append(self.loss(z, z, exclude=[subtrees[steps]]))
        return torch.stack(losses).sum()
