"""What every augmentation is: a PyG transform, keyed, that returns a new graph."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Generator
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from graphcl._random import Key, seed_from
from graphcl.augment._apply import apply
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph

__all__ = ["Augmentation", "EditAugmentation"]


class Augmentation(BaseTransform, ABC):
    """A random change of a graph: ``aug(data, generator=None)`` returns a new ``Data`` or ``Batch``.

    The input is never changed. Every random choice is a hash of (seed, graph, element), so the view of a graph does
    not depend on the batch it lies in: ``generator`` (or torch's default one) supplies the seed and nothing else.
    A graph is named by ``data.graph_id`` where there is one, else by its position in the batch.
    """

    @abstractmethod
    def view(self, data: Data, key: Key) -> Data:
        """The view of ``data`` that belongs to ``key``: the same key, the same view."""

    @torch.compiler.disable  # hashes of integers, partly in numpy: nothing for a compiler
    def __call__(self, data: Data | HeteroData, *, generator: Generator | None = None) -> Data | HeteroData:
        return self.view(data, seed_from(generator))

    def forward(self, data: Any) -> Any:
        return self(data)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"


class EditAugmentation(Augmentation):
    """An augmentation that says what to change as an edit, so that it can share a pass with others.

    What it draws, it draws by the names that ``graph.keys(key)`` gives to the graphs; then ``key`` may as well hold one
    key per graph, ``[G]``, and views of several steps can be made at once.
    """

    @abstractmethod
    def edit(self, graph: Graph, key: Key) -> Edit:
        """The changes to ``graph`` that belong to ``key``."""

    def view(self, data: Data, key: Key) -> Data:
        graph = Graph.of(data)
        return apply(data, graph, self.edit(graph, key))
