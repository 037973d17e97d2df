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

__all__ = ["Augmentation", "EditAugmentation", "view_in_passes"]


class Augmentation(BaseTransform, ABC):
    """A random change of a graph: ``aug(data, generator=None)`` returns a new ``Data`` or ``Batch``.

    The input is never changed. Every random choice is a hash of (seed, graph, element), so the view of a graph does
    not depend on the batch it lies in: ``generator`` (or torch's default one) supplies the seed and nothing else.
    A graph is named by ``data.graph_id`` where there is one, else by its position in the batch.
    """

    @abstractmethod
    def view(self, data: Data, key: Key) -> Data:
        """The view of ``data`` that belongs to ``key``: the same key, the same view."""

    @property
    def passes(self) -> int:
        """Of how many edits, one after the other, it consists; 0 where it cannot be told as such."""
        return 0

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        """The changes to ``graph`` in one of its ``passes``, where those of the earlier ones have been made."""
        raise TypeError(f"expected an augmentation that consists of edits, got {self!r}")

    @property
    def keyed_by_graph(self) -> bool:
        """Whether ``view(batch, keys)`` takes one key per graph, ``[G]``: a graph's view depends on its own alone."""
        return False

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
    key per graph, ``[G]``, and views of several steps can be made at once. One that draws something for all graphs of a
    call together says so: its ``keyed_by_graph`` is false.

    Example:
        >>> class NodeToss(EditAugmentation):  # a coin for every node but the first
        ...     def edit(self, graph, key):
        ...         return Edit(keep_nodes=(graph.node_hashes(key) > 0) | (graph.local == 0))
        >>> path = Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 3]]), num_nodes=4)
        >>> 1 <= NodeToss()(path).num_nodes <= 4
        True
    """

    @abstractmethod
    def edit(self, graph: Graph, key: Key) -> Edit:
        """The changes to ``graph`` that belong to ``key``."""

    def view(self, data: Data, key: Key) -> Data:
        return view_in_passes(self, data, key)

    @property
    def passes(self) -> int:
        return 1

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        return self.edit(graph, key)

    @property
    def keyed_by_graph(self) -> bool:
        return True


def view_in_passes(augmentation: Augmentation, data: Data, key: Key) -> Data:
    """The view that the edits of an augmentation make, one after the other."""
    for number in range(augmentation.passes):
        graph = Graph.of(data)
        data = apply(data, graph, augmentation.edit_pass(graph, key, number))
    return data
