"""Several views of the same data at once."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import torch
from torch import Generator
from torch_geometric.transforms import BaseTransform

from graphcl._random import Key, fold, seed_from
from graphcl.augment._foreign import foreign_view
from graphcl.augment.base import Augmentation

__all__ = ["Transform", "Views"]

Transform = Callable[[Any], Any]
"""Signature: (data) -> view. An Augmentation is given a key; any other transform draws as it pleases."""


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
        >>> from graphcl.augment import FeatureMask, Identity, NodeDrop
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
