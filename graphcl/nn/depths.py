"""Node embeddings by depth: what a network says of a node after each of its layers."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl.nn._signature import inner, takes_weights
from graphcl.nn._stack import Stack
from graphcl.nn.base import JointEncoder
from graphcl.nn.gin import GIN

__all__ = ["Depth", "UnitDepths", "depths_of"]


class Depth(NamedTuple):
    """The columns of a node embedding that hold what is known of its neighbourhood up to ``steps`` away."""

    steps: int
    columns: slice


class UnitDepths(JointEncoder):
    r"""One vector of length 1 per node and depth: its features, then the output of every layer.

    .. math:: z_i = \frac{x_i}{|x_i|} \,\Big\|\, \frac{h^1_i}{|h^1_i|} \,\Big\|\, \dots \,\Big\|\, \frac{h^L_i}{|h^L_i|}

    With the sum as readout a graph becomes, depth by depth, a sketch of how often each rooted subtree occurs in it:
    where the vectors of different subtrees are orthogonal, the dot product of two graphs is the Weisfeiler-Lehman
    subtree kernel.

    Args:
        gnn: The package's :class:`GIN`, or :class:`GCN`, :class:`SAGE` or :class:`GAT` with ``jk="cat"``.

    Raises:
        TypeError: The network does not give out all of its layers.

    Example:
        >>> encoder = UnitDepths(GIN(4, hidden_channels=8, num_layers=2))
        >>> encoder(torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]])).norm(dim=1).square().round()
        tensor([3., 3., 3.], grad_fn=<RoundBackward0>)

    Source: Xu, Hu, Leskovec, Jegelka, "How Powerful are Graph Neural Networks?", ICLR 2019, whose readout too takes in
    the features beside all layers.
    Differs from the paper: vectors of length 1.
    """

    def __init__(self, gnn: JointEncoder) -> None:
        super().__init__()
        widths = _widths(gnn)
        if not widths:
            raise TypeError(
                f"expected a network that gives out all of its layers (GIN, or GCN, SAGE or GAT with jk='cat'), got "
                f"{type(gnn).__name__}"
            )
        self.gnn = gnn
        self.supports_edge_weight = takes_weights(gnn)  # by the name that PyG's models have for it
        self.widths = widths
        self.out_channels = sum(self.widths)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, *, splits: Sequence[int] | None = None
    ) -> Tensor:
        options = {} if edge_weight is None else {"edge_weight": edge_weight}
        rows = self.gnn(x, edge_index, splits=splits, **options)
        # Lengths in the precision of the features, under autocast too: a sum over nodes adds up what is off in each.
        blocks = [x, *rows.to(x.dtype).split(self.widths[1:], 1)]
        return torch.cat([F.normalize(block, dim=1) for block in blocks], 1)


def depths_of(gnn: nn.Module) -> list[Depth]:
    """The depths in the output of a network; one that gives out its last layer alone has a single one.

    A network that does not say how many layers it has (``num_layers``, as PyG's models do) is taken to have three.

    Example:
        >>> [(depth.steps, depth.columns.start, depth.columns.stop) for depth in depths_of(GIN(4, 8, 2))]
        [(1, 0, 8), (2, 8, 16)]
    """
    gnn = inner(gnn)  # of a compiled network the layers are not
    first, widths = (0, gnn.widths) if isinstance(gnn, UnitDepths) else (1, _widths(gnn)[1:])
    if not widths:
        steps = getattr(gnn, "num_layers", None)
        return [Depth(steps if isinstance(steps, int) else 3, slice(None))]
    ends = list(accumulate(widths))
    return [Depth(first + i, slice(end - width, end)) for i, (end, width) in enumerate(zip(ends, widths, strict=True))]


def _widths(gnn: nn.Module) -> list[int]:
    """The width of the features and of every layer; nothing where the layers are not given out."""
    if isinstance(gnn, GIN):
        return [gnn.in_channels] + [gnn.hidden_channels] * gnn.num_layers
    return [gnn.in_channels, *gnn.widths] if isinstance(gnn, Stack) and gnn.jk == "cat" else []
