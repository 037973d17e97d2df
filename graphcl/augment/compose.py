"""Augmentations made of augmentations: none at all, one after the other, one of several."""

from collections.abc import Sequence
from typing import TypeVar

from torch_geometric.data import Data

from graphcl._random import Key, fold, randint
from graphcl.augment._edit import Edit, merge
from graphcl.augment._graph import Graph
from graphcl.augment.base import Augmentation, EditAugmentation

__all__ = ["Compose", "Identity", "RandomChoice"]


class Identity(EditAugmentation):
    """The graph as it is: the clean view.

    Example:
        >>> Identity()
        Identity()
    """

    def edit(self, graph: Graph, key: Key) -> Edit:
        return Edit()


class Compose(Augmentation):
    """Several augmentations, one after the other, each with a key of its own.

    Args:
        augmentations: At least one augmentation.

    Example:
        >>> from graphcl.augment import NodeDrop
        >>> Compose([Identity(), NodeDrop(drop=0.1)])
        Compose(augmentations=[Identity(), NodeDrop(drop=0.1, remove=True, count='round')])
    """

    def __init__(self, augmentations: Sequence[Augmentation]) -> None:
        self.augmentations = _checked(augmentations, Augmentation)

    def view(self, data: Data, key: Key) -> Data:
        for i, augmentation in enumerate(self.augmentations):
            data = augmentation.view(data, fold(key, i))
        return data


class RandomChoice(EditAugmentation):
    """One of several augmentations, chosen uniformly and independently for each graph of a batch.

    Each member sees only the graphs that drew it, and the batch is rebuilt once.

    Args:
        augmentations: At least one; all of them say their changes as an edit (Identity, NodeDrop, NodeMask, EdgeDrop,
            EdgePerturb, RandomWalkSubgraph, RandomChoice).

    Example:
        >>> from graphcl.augment import EdgePerturb, NodeDrop
        >>> RandomChoice([NodeDrop(drop=0.1), EdgePerturb(drop=0.1, add=0.1)]).augmentations[0]
        NodeDrop(drop=0.1, remove=True, count='round')

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020 ("random4" in the authors' code).
    """

    def __init__(self, augmentations: Sequence[EditAugmentation]) -> None:
        self.augmentations = _checked(augmentations, EditAugmentation)

    def edit(self, graph: Graph, key: Key) -> Edit:
        choice = randint(graph.keys(key), len(self.augmentations))
        parts = graph.split(choice, len(self.augmentations))
        edits = [a.edit(part, fold(key, i + 1)) for i, (a, (part, _, _)) in enumerate(zip(self.augmentations, parts))]
        return merge(graph, ((edit, nodes, edges) for edit, (_, nodes, edges) in zip(edits, parts)))


A = TypeVar("A")


def _checked(augmentations: Sequence[A], kind: type) -> list[A]:
    if not augmentations:
        raise ValueError("expected at least one augmentation, got none")
    for augmentation in augmentations:
        if not isinstance(augmentation, kind):
            raise TypeError(f"expected instances of {kind.__name__}, got {augmentation!r}")
    return list(augmentations)
