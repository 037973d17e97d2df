"""What the package's own encoders are: networks that can take several views in one pass."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["EdgeEncoder", "JointEncoder"]


class JointEncoder(nn.Module, ABC):
    """A node encoder that can take several views in one pass and keep their normalisation apart."""

    out_channels: int

    @abstractmethod
    def forward(self, x: Tensor, edge_index: Tensor, *, splits: Sequence[int] | None = None) -> Tensor:
        """``[N, out_channels]`` from ``x`` ``[N, F]``; ``splits`` are the numbers of nodes of the views in it.

        An encoder that can use edge weights takes them as ``edge_weight`` ``[E]``, as PyG's do.
        """


class EdgeEncoder(nn.Module, ABC):
    """A node encoder that reads edge features, too, and can take several views in one pass as a JointEncoder can."""

    out_channels: int

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        *,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
        splits: Sequence[int] | None = None,
        graph_splits: Sequence[int] | None = None,
    ) -> Tensor:
        """``[N, out_channels]``; ``batch`` tells the graphs apart, the splits count the nodes and graphs of views."""
