"""What methods on the embeddings of whole graphs share."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.augment import EdgePerturb, NodeDrop, NodeMask, RandomChoice, RandomWalkSubgraph
from graphcl.methods.base import View, ViewMethod, check_several, check_two_views, graph_rows
from graphcl.nn import GraphEncoder, project_views

__all__ = ["GraphViewMethod", "random4", "two_random_views"]


def random4() -> RandomChoice:
    """One of GraphCL's four augmentations per graph, at the strengths of the authors' TU code.

    Example:
        >>> len(random4().augmentations)
        4
    """
    return RandomChoice(
        [
            NodeDrop(drop=0.1, count="floor"),
            EdgePerturb(drop=0.1, add=0.1, count="floor"),
            NodeMask(mask=0.1, fill="gaussian", count="floor"),
            RandomWalkSubgraph(keep=0.2, count="floor"),
        ]
    )


class GraphViewMethod(ViewMethod):
    """A method that compares the graph embeddings of two views, projected by ``head``.

    Args:
        encoder: From graphs to embeddings.
        views: Two transforms; by default :func:`graphcl.methods.random4` twice.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views.
        TypeError: A view cannot be called.
    """

    joins_ranks = True
    head: nn.Module

    def __init__(self, encoder: GraphEncoder, *, views: Sequence[View] | None = None, seed: int = 0) -> None:
        super().__init__(encoder, views=two_random_views() if views is None else views, seed=seed)
        check_two_views(self.views)

    def contrast(self, views: Sequence[Data]) -> Tensor:
        check_several(views[0])
        z1, z2 = project_views(self.head, graph_rows(self.encode_views(views)))
        return self.compare(z1, z2)

    @abstractmethod
    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        """The loss of the projected graph embeddings of two views, ``[G, D]`` each.

        They are of all ranks' graphs where their batches count as one.
        """


def two_random_views() -> tuple[View, View]:
    """Both views by :func:`graphcl.methods.random4`, as the GraphCL paper describes them.

    Example:
        >>> len(two_random_views())
        2
    """
    return random4(), random4()
