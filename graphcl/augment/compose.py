"""Augmentations made of augmentations: none at all, one after the other, one of several, perhaps one, several views."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, overload

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphcl._random import Key, fold, randint, seed_from, upper_bits
from graphcl.augment._apply import apply
from graphcl.augment._edit import Edit, merge
from graphcl.augment._foreign import foreign_view
from graphcl.augment._graph import Graph
from graphcl.augment._select import check_share
from graphcl.augment.base import Augmentation, EditAugmentation

__all__ = ["Compose", "Identity", "RandomApply", "RandomChoice", "Views"]

Transform = Callable[[Any], Any]
"""Signature: (data) -> view. An Augmentation is given a key; any other transform draws as it pleases."""


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
        self.augmentations = _checked(augmentations, "Augmentation", lambda member: isinstance(member, Augmentation))

    def view(self, data: Data | HeteroData, key: Key) -> Data | HeteroData:
        for i, augmentation in enumerate(self.augmentations):
            data = augmentation.view(data, fold(key, i))
        return data


class RandomChoice(Augmentation):
    """Apply one of several augmentations, chosen independently for each graph of a batch.

    Each member sees only the graphs that drew it, and the batch is rebuilt once: as often as the longest member has
    steps, where members are compositions.

    Args:
        augmentations: At least one. Each has to say its changes as an edit (:class:`EditAugmentation`, as all views of
            molecules do), or to be a Compose, RandomChoice or RandomApply of such.
        p: How likely each is: one number per augmentation, not negative; only their ratios count. ``None``: all alike.

    Raises:
        ValueError: There is no augmentation; ``p`` has another length, a negative number, or a sum of zero.
        TypeError: A member cannot share a pass with others; ``p`` is no list of numbers.

    Example:
        >>> from graphcl.augment import EdgePerturb, NodeDrop
        >>> RandomChoice([NodeDrop(drop=0.1), EdgePerturb(drop=0.1, add=0.1)], p=[0.7, 0.3]).p
        [0.7, 0.3]

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 ("random4"
    in the authors' code).
    """

    def __init__(self, augmentations: Sequence[Augmentation], *, p: Sequence[float] | Tensor | None = None) -> None:
        self.augmentations = _checked(augmentations, _EDITS, _is_made_of_edits)
        self.p = None if p is None else _check_weights(p, len(self.augmentations))

    def view(self, data: Data, key: Key) -> Data:
        return _view(self, data, key)


class RandomApply(Augmentation):
    """Apply an augmentation to each graph of a batch with probability ``p``; the other graphs stay as they are.

    Args:
        augmentation: What to apply; as for :class:`RandomChoice`.
        p: The probability that it is, within [0, 1].

    Raises:
        ValueError: ``p`` lies outside [0, 1].
        TypeError: The augmentation cannot share a pass with others.

    Example:
        >>> from graphcl.augment import NodeDrop
        >>> RandomApply(Compose([NodeDrop(drop=0.1), Identity()]), p=0.8).p
        0.8
    """

    def __init__(self, augmentation: Augmentation, p: float = 0.5) -> None:
        (self.augmentation,) = _checked([augmentation], _EDITS, _is_made_of_edits)
        self.p = check_share("p", p)

    def view(self, data: Data, key: Key) -> Data:
        return _view(self, data, key)


class Views(BaseTransform, Sequence[Transform]):
    """Two or more views of the same data: ``views(data)`` is a tuple with one view per transform.

    Each :class:`Augmentation` gets a key of its own, so that two equal ones make different views; any other transform
    (PyG's, or a function) is called on a shallow copy and draws from wherever it draws. The input is never changed.
    As the ``transform`` of a data set it makes the data set's items tuples, which PyG's loaders turn into one batch per
    view. It is a sequence of its transforms, so that a method takes it as its ``views``.

    Args:
        transforms: At least two, from data to a view of it.

    Raises:
        ValueError: There are fewer than two.
        TypeError: One of them cannot be called, or is a class.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from graphcl.augment import FeatureMask, NodeDrop
        >>> data = Data(x=torch.ones(4, 2), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> clean, dropped, masked = Views(Identity(), NodeDrop(drop=0.5), FeatureMask(mask=0.5))(data)
        >>> clean.num_nodes, dropped.num_nodes, masked.num_nodes
        (4, 2, 4)
    """

    def __init__(self, *transforms: Transform) -> None:
        if len(transforms) < 2:
            raise ValueError(
                f"expected at least two transforms, one per view, got {len(transforms)}; write Views(first, second)"
            )
        for transform in transforms:
            if not callable(transform) or isinstance(transform, type):
                raise TypeError(f"expected transforms that can be called with data, got {transform!r}")
        self.transforms = transforms

    @torch.compiler.disable  # as in Augmentation
    def __call__(self, data: Any, *, generator: Generator | None = None) -> tuple[Any, ...]:
        return self.view(data, seed_from(generator))

    def forward(self, data: Any) -> Any:
        return self(data)

    def view(self, data: Any, key: Key) -> tuple[Any, ...]:
        """The views that belong to ``key``, the one in place i to ``fold(key, i)``."""
        return tuple(
            transform.view(data, fold(key, i)) if isinstance(transform, Augmentation) else foreign_view(transform, data)
            for i, transform in enumerate(self.transforms)
        )

    def __len__(self) -> int:
        return len(self.transforms)

    @overload
    def __getitem__(self, index: int) -> Transform: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Transform]: ...

    def __getitem__(self, index: int | slice) -> Transform | Sequence[Transform]:
        return self.transforms[index]

    def __repr__(self) -> str:
        return f"Views({', '.join(map(repr, self.transforms))})"


# --- several members in one pass --------------------------------------------------------------------------------------
#
# Graphs that drew different members are edited together: in pass 0 each by the first step of its member, in pass 1 by
# the second, until the longest composition is through. A graph's choice is a hash of its name and so the same in every
# pass; nothing is cut apart or joined but masks and indices.


def _view(augmentation: Augmentation, data: Data, key: Key) -> Data:
    for number in range(_passes(augmentation)):
        graph = Graph.of(data)
        data = apply(data, graph, _edit(augmentation, graph, key, number))
    return data


def _passes(augmentation: Augmentation) -> int:
    """How many edits, one after the other, an augmentation consists of."""
    if isinstance(augmentation, Compose):
        return sum(map(_passes, augmentation.augmentations))
    if isinstance(augmentation, RandomChoice):
        return max(map(_passes, augmentation.augmentations))
    return _passes(augmentation.augmentation) if isinstance(augmentation, RandomApply) else 1


def _edit(augmentation: Augmentation, graph: Graph, key: Key, number: int) -> Edit:
    """The changes to ``graph`` in the given pass; those of earlier passes have been made."""
    if isinstance(augmentation, Compose):
        for i, member in enumerate(augmentation.augmentations):
            if number < _passes(member):
                return _edit(member, graph, fold(key, i), number)
            number -= _passes(member)
    elif isinstance(augmentation, RandomChoice):
        choice = _choose(graph.keys(key), augmentation.p, len(augmentation.augmentations))
        return _edit_parts(augmentation.augmentations, choice, graph, key, number)
    elif isinstance(augmentation, RandomApply):
        choice = _choose(graph.keys(key), [augmentation.p, 1 - augmentation.p], 2)
        return _edit_parts([augmentation.augmentation, Identity()], choice, graph, key, number)
    elif isinstance(augmentation, EditAugmentation) and number == 0:
        return augmentation.edit(graph, key)
    return Edit()


def _edit_parts(members: list[Augmentation], choice: Tensor, graph: Graph, key: Key, number: int) -> Edit:
    """Each member's changes to the graphs that chose it."""
    parts = graph.split(choice, len(members))
    edits = []
    for i, (member, (part, _, _)) in enumerate(zip(members, parts)):
        own = key[choice == i] if isinstance(key, Tensor) and key.dim() > 0 else key
        edits.append(_edit(member, part, fold(own, i + 1), number))
    return merge(graph, ((edit, nodes, edges) for edit, (_, nodes, edges) in zip(edits, parts)))


def _choose(hashes: Tensor, p: list[float] | None, count: int) -> Tensor:
    """``[G]`` one of ``count`` numbers per hash, with probabilities in the ratios of ``p``."""
    if p is None:
        return randint(hashes, count)
    sums = list(accumulate(p))
    # Compared as whole numbers, as in `below`; the last bound is that of all numbers.
    bounds = torch.tensor([int(s / sums[-1] * 2.0**53) for s in sums[:-1]], dtype=torch.int64, device=hashes.device)
    return torch.searchsorted(bounds, upper_bits(hashes), right=True)


# --- checks -----------------------------------------------------------------------------------------------------------

_EDITS = "EditAugmentation, or of Compose, RandomChoice and RandomApply of such"


def _is_made_of_edits(augmentation: Any) -> bool:
    if isinstance(augmentation, Compose):
        return all(map(_is_made_of_edits, augmentation.augmentations))
    return isinstance(augmentation, EditAugmentation | RandomChoice | RandomApply)


def _checked(augmentations: Sequence[Augmentation], kind: str, test: Callable[[Any], bool]) -> list[Augmentation]:
    if not isinstance(augmentations, Sequence):
        raise TypeError(f"expected a list of augmentations, got {augmentations!r}; write [first, second]")
    if not augmentations:
        raise ValueError("expected at least one augmentation, got none")
    for augmentation in augmentations:
        if not test(augmentation):
            other = kind == "Augmentation" and isinstance(augmentation, BaseTransform)
            mend = "; torch_geometric.transforms.Compose chains transforms of any kind" if other else ""
            raise TypeError(f"expected instances of {kind}, got {augmentation!r}{mend}")
    return list(augmentations)


def _check_weights(p: Sequence[float] | Tensor, count: int) -> list[float]:
    given = p.tolist() if isinstance(p, Tensor) else p
    try:
        weights = [float(weight) for weight in given]
    except (TypeError, ValueError):  # a single number, or words
        raise TypeError(f"expected p as one number for each of {count} augmentations, got {p!r}") from None
    if len(weights) != count:
        raise ValueError(f"expected one number in p for each of {count} augmentations, got {len(weights)}")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or sum(weights) == 0:
        raise ValueError(f"expected p of numbers that are finite, not negative and not all zero, got {weights}")
    return weights
