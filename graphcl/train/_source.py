"""What every source of steps has in common, and a hash that tells the data of a run again."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl.methods import Method

__all__ = ["Source", "Step", "content_of"]


@dataclass(frozen=True)
class Step:
    """A step that has not been taken.

    Attributes:
        loss: Its call takes the step and returns the loss; None where the batch is left out.
        size: How many graphs, or nodes, the loss is a mean over.
        what: The data, in words, for a message.
    """

    loss: Callable[[], Tensor] | None
    size: int
    what: str


class Source(ABC):
    """The steps of a run, epoch by epoch.

    Attributes:
        unit: What the speed is counted in.
        steps: Steps per epoch.
        size: Graphs, nodes or batches; a checkpoint keeps it.
        left_out: Graphs that take no part in an epoch.
        first: Some of the data, where they can be looked at without taking a step.
        vocab: The index table of molecules, where it is known.
        looks_ahead: Whether views of later steps may be made before those steps are asked for.
    """

    unit: str = "graphs"
    steps: int
    size: int
    left_out: int = 0
    first: Data | None = None
    vocab: str | None = None
    looks_ahead: bool = False

    @abstractmethod
    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        """The steps of these epochs, from the given one of the first epoch on."""

    def content(self) -> str | None:
        """A hash of some of the data, which a checkpoint keeps; None where they may differ from look to look."""
        return None


def content_of(data: Data, *more: str) -> str:
    """A hash of the features and edges of a graph, or of a batch, and of more of its attributes where it has them."""
    found = hashlib.sha256()
    for name in ("x", "edge_index", "edge_attr", *more):
        value = data.get(name)
        if isinstance(value, Tensor) and value.layout == torch.strided:
            plain = value.detach().as_subclass(Tensor).cpu().contiguous()
            found.update(f"{name} {plain.dtype} {list(plain.shape)}".encode())
            found.update(plain.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]
