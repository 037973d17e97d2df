"""None at all, or several augmentations one after the other."""

from collections.abc import Sequence

from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphcl._random import Key, fold
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import Augmentation, EditAugmentation

__all__ = ["Compose", "Identity", "members"]


class Identity(EditAugmentation):
    """Return the graph as it is: the clean view.

    Example:
        >>> Identity()
        Identity()
    """

    def edit(self, graph: Graph, key: Key) -> Edit:
        return Edit()


class Compose(Augmentation):
    """Apply several augmentations, one after the other, each with a random key of its own.

    Args:
        augmentations: At least one augmentation, for ``Data`` or for ``HeteroData``.

    Raises:
        ValueError: There is none.
        TypeError: One of them is not an :class:`Augmentation`.

    Example:
        >>> from graphcl.augment import FeatureNoise
        >>> Compose([Identity(), FeatureNoise(std=0.2)])
        Compose(augmentations=[Identity(), FeatureNoise(std=0.2)])
    """

    def __init__(self, augmentations: Sequence[Augmentation]) -> None:
        self.augmentations = members(augmentations)

    def view(self, data: Data | HeteroData, key: Key) -> Data | HeteroData:
        for i, augmentation in enumerate(self.augmentations):
            data = augmentation.view(data, fold(key, i))
        return data

    @property
    def passes(self) -> int:
        each = [member.passes for member in self.augmentations]
        return sum(each) if all(each) else 0

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        for i, member in enumerate(self.augmentations):
            if number < member.passes:
                return member.edit_pass(graph, fold(key, i), number)
            number -= member.passes
        return Edit()

    @property
    def keyed_by_graph(self) -> bool:
        return all(member.keyed_by_graph for member in self.augmentations)


def members(augmentations: Sequence[Augmentation], *, edits: bool = False) -> list[Augmentation]:
    """The augmentations, or an error if there is none or one is of another kind: with ``edits``, not made of edits."""
    if not isinstance(augmentations, Sequence):
        raise TypeError(f"expected a list of augmentations, got {augmentations!r}; write [first, second]")
    if not augmentations:
        raise ValueError("expected at least one augmentation, got none")
    kind = "EditAugmentation, or of Compose, RandomChoice and RandomApply of such" if edits else "Augmentation"
    for augmentation in augmentations:
        if not isinstance(augmentation, Augmentation) or (edits and not augmentation.passes):
            other = not edits and isinstance(augmentation, BaseTransform)
            mend = "; torch_geometric.transforms.Compose chains transforms of any kind" if other else ""
            raise TypeError(f"expected instances of {kind}, got {augmentation!r}{mend}")
    return list(augmentations)
