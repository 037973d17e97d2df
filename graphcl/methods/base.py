"""What every method is: a module whose call on a graph, or a batch of graphs, gives the loss of one step."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor, nn
from torch_geometric.data import Batch, Data, HeteroData

from graphcl._random import Key, drawing_from, fold, seed_from
from graphcl.augment import Augmentation
from graphcl.augment._foreign import foreign_view
from graphcl.distributed import is_one_batch, joined_rows
from graphcl.nn import Embeddings, GraphEncoder
from graphcl.nn._modes import evaluating
from graphcl.nn.embeddings import batch_and_count, no_encoder

__all__ = [
    "Method",
    "View",
    "ViewMethod",
    "check_data",
    "check_several",
    "check_two_views",
    "graph_rows",
    "graphs_of",
    "num_graphs",
    "view_of",
]

View = Callable[[Data], Data]
"""Signature: (data) -> view. An Augmentation is given a key; any other transform draws as it pleases."""


def check_data(data: object) -> None:
    """Refuse what is not a graph or a batch of graphs."""
    if isinstance(data, Data):
        return
    mend = "make one batch of several graphs: Batch.from_data_list(graphs)"
    if isinstance(data, HeteroData):
        mend = "make its nodes and edges ones of one type: data.to_homogeneous()"
    elif isinstance(data, list | tuple) and len(data) > 1 and isinstance(data[0], Batch):
        mend = "a method makes its views itself, given as views=: take them off the data set's transform"
    raise TypeError(f"expected a torch_geometric Data or Batch, got {type(data).__name__}; {mend}")


def check_several(data: Data) -> int:
    """The number of graphs; a single one is refused, as the others are what a graph is contrasted with.

    Example:
        >>> check_several(Data(x=torch.ones(2, 1)))
        Traceback (most recent call last):
        ...
        ValueError: expected at least 2 graphs to contrast, got 1: the other graphs of the batch are what tells a graph
        apart, and in a batch of one graph there are none. Use a larger batch (drop a last one of a single graph)
    """
    count = num_graphs(data)
    if count < 2 and not is_one_batch():  # other ranks have graphs too
        raise ValueError(
            f"expected at least 2 graphs to contrast, got {count}: the other graphs of the batch are what tells a "
            "graph apart, and in a batch of one graph there are none. Use a larger batch (drop a last one of a single "
            "graph)"
        )
    return count


def check_two_views(views: Sequence[View]) -> None:
    """Refuse any other number of views."""
    if len(views) != 2:
        raise ValueError(f"expected two views, got {len(views)}")


def graph_rows(embeddings: Iterable[Embeddings]) -> list[Tensor]:
    """The graph embeddings of several views, ``[G, D]`` each, of all ranks' graphs where their batches count as one.

    Example:
        >>> [z.shape for z in graph_rows([Embeddings(torch.ones(5, 2), torch.ones(3, 2))])]
        [torch.Size([3, 2])]
    """
    return [joined_rows(each.graph) for each in embeddings]


def num_graphs(data: Data) -> int:
    """The number of graphs in a batch, 1 for a single graph.

    Example:
        >>> num_graphs(Data(x=torch.ones(2, 1)))
        1
    """
    return batch_and_count(data)[1]


def graphs_of(data: Data) -> tuple[Tensor, int]:
    """The graph of each node, ``[N]``, and how many graphs there are.

    Example:
        >>> graphs_of(Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]])))
        (tensor([0, 0]), 1)
    """
    batch, count = batch_and_count(data)
    return data.edge_index.new_zeros(data.num_nodes or 0) if batch is None else batch, count


def view_of(view: View, data: Data, key: Key) -> Data:
    """One view of the data, which it leaves as they are: what is not an augmentation is called on a shallow copy.

    Example:
        >>> def shifted(data):
        ...     data.x = data.x + 1
        ...     return data
        >>> data = Data(x=torch.zeros(1, 1))
        >>> view_of(shifted, data, 0).x.item(), data.x.item()
        (1.0, 0.0)
    """
    found = view.view(data, key) if isinstance(view, Augmentation) else foreign_view(view, data)
    if not isinstance(found, Data):
        raise TypeError(f"expected a view to be a graph or a batch of them, got {type(found).__name__} from {view!r}")
    return found


_DRAWS = -2  # no view has this number: of what else draws in a step, such as a loss that samples


class Method(nn.Module, ABC):
    """A self-supervised method: ``method(data)`` is the loss of one step, ``method.embed(data)`` the embeddings.

    Randomness is keyed by the method's ``seed`` and its ``step``, a buffer that is saved with the weights, so that a
    resumed run goes on as if it had never stopped. A ``generator`` takes the place of both for one call. Losses that
    sample and augmentations called without a generator draw from that key, too; dropout of the network does not, nor
    does what ``torch.utils.checkpoint`` computes once more: draw before it.

    ``torch.compile`` leaves the call of a method as it is; compile a network of your own:
    ``GraphEncoder(torch.compile(gnn))``. Those of :mod:`graphcl.nn` gain nothing by it on a CPU: their sparse products
    and norms are kernels already, at which a compiler breaks its graph.

    Args:
        encoder: From graphs to embeddings.
        seed: The seed of every random choice in the method.

    Attributes:
        level: What is contrasted: graphs, so that a step needs several of them, or nodes, for which one is enough.
        joins_ranks: Whether the loss runs over the graphs of all ranks where their batches count as one
            (:func:`graphcl.distributed.one_batch`), as that of every method of the package does.
    """

    level: ClassVar[Literal["graph", "node"]] = "graph"
    joins_ranks: ClassVar[bool] = False
    step: Tensor

    def __init__(self, encoder: GraphEncoder, *, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(encoder, GraphEncoder):
            raise no_encoder(encoder)
        self.encoder = encoder
        # A NumPy integer would make the checkpoint one that cannot be read; beyond 64 bits no device has numbers.
        self.seed = (operator.index(seed) + 2**63) % 2**64 - 2**63
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._beside = 0  # training calls with a generator, which are not steps

    @torch.compiler.disable  # views are hashes of integers, partly in numpy; a network that is compiled stays so
    def forward(self, data: Data, *, generator: Generator | None = None) -> Tensor:
        """The loss of one step, a scalar."""
        check_data(data)
        self._check_device(data)
        if generator is not None:
            given = seed_from(generator)
            with drawing_from(lambda: fold(given, _DRAWS)):
                loss = self.loss_of(data, given)
            self._beside += self.training
            return loss
        key = self._key()
        with drawing_from(lambda: fold(key, _DRAWS)):
            loss = self.loss_of(data, key)
        self._count_step()
        return loss

    def _check_device(self, data: Data) -> None:
        for name in ("edge_index", "x", "edge_attr", "edge_weight"):
            value = data._store.get(name)
            if isinstance(value, Tensor) and value.device != self.step.device:
                raise ValueError(
                    f"expected data on {self.step.device}, where the method is, got {name} on {value.device}; write "
                    f"data.to({str(self.step.device)!r})"
                )

    def _key(self) -> Key:
        """That of the next step; on a device it stays a tensor: reading it on the host would wait for the queue."""
        return self.key_at(int(self.step) if self.step.device.type == "cpu" else self.step)

    def key_at(self, step: Key) -> Key:
        """The key of a step: all that is random in it follows from this."""
        return fold(self.seed, step)

    @property
    def calls(self) -> int:
        """The number of training calls so far, with a generator and without one; schedules go by it."""
        return int(self.step) + self._beside

    def _count_step(self) -> None:
        if self.training:
            self.step += 1

    @abstractmethod
    def loss_of(self, data: Data, key: Key) -> Tensor:
        """The loss of the step that ``key`` names."""

    @torch.no_grad()
    def embed(self, data: Data) -> Embeddings:
        """Node and graph embeddings of the clean graph, in evaluation mode."""
        check_data(data)
        self._check_device(data)
        with evaluating(self):
            return self.represent(data)

    def represent(self, data: Data) -> Embeddings:
        """What :meth:`embed` returns: here the encoder's output, where a method has more than that to say, that."""
        return self.encoder.encode(data)

    def check_needs(self, data: Data) -> None:
        """Refuse data without what the method needs beside the graph: nothing here; elsewhere labels, a modality.

        ``fit`` asks before the first step, with a part of the set or the one graph.
        """

    def after_step(self) -> None:
        """What has to happen once the optimiser has moved: nothing here; elsewhere moving targets, queues."""


class ViewMethod(Method):
    """A method whose step makes views of the data and compares them.

    Args:
        encoder: From graphs to embeddings.
        views: Transforms, one per view; :class:`graphcl.augment.Views` of them do as well.
        seed: The seed of every random choice in the method.

    Raises:
        TypeError: A view cannot be called, or is a class; or ``views`` is a single one.
    """

    def __init__(self, encoder: GraphEncoder, *, views: Sequence[View], seed: int = 0) -> None:
        super().__init__(encoder, seed=seed)
        if not isinstance(views, Iterable):
            raise TypeError(f"expected a sequence of transforms, one per view, got {views!r}; write views=(one, other)")
        self.views = tuple(views)
        for view in self.views:
            if isinstance(view, type):
                raise TypeError(f"expected a view to be a transform, got the class {view.__name__}; make one of it")
            if not callable(view):
                raise TypeError(
                    f"expected a view to be a transform of graphs, got {view!r}; for the clean one Identity()"
                )

    @property
    def can_look_ahead(self) -> bool:
        """Whether views of several steps can be made at once, as every graph's view depends on its own key alone."""
        return all(isinstance(view, Augmentation) and view.keyed_by_graph for view in self.views)

    def views_of(self, data: Data, key: Key) -> list[Data]:
        """The views of the step that ``key`` names; with one key per graph, views of several steps side by side."""
        return [view_of(view, data, fold(key, i)) for i, view in enumerate(self.views)]

    def encode_views(self, views: Sequence[Data]) -> list[Embeddings]:
        """The embeddings of the views: here all by the encoder, where a method has one for each view, by that."""
        return self.encoder.encode_views(views)

    @abstractmethod
    def contrast(self, views: Sequence[Data]) -> Tensor:
        """The loss of views of the same graphs, a scalar."""

    def loss_of(self, data: Data, key: Key) -> Tensor:
        return self.contrast(self.views_of(data, key))

    def take_step(self, views: Sequence[Data]) -> Tensor:
        """The loss of the next step, whose views were made beforehand with its key (:meth:`Method.key_at`)."""
        with drawing_from(lambda: fold(self._key(), _DRAWS)):
            loss = self.contrast(views)
        self._count_step()
        return loss
