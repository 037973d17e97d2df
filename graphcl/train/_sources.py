"""Where the steps of an epoch come from: a set of graphs, one graph, or a loader of batches."""

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, tee
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data, HeteroData

from graphcl._random import fold, torch_seeded
from graphcl.data import ClusterBatches, PackedDataset, RandomWalkBatches
from graphcl.data._recognise import vocabulary_of
from graphcl.distributed import rank, world
from graphcl.methods import Method
from graphcl.methods.base import check_data
from graphcl.train.ahead import losses_ahead
from graphcl.train.ranks import every_rank

__all__ = ["GraphSet", "Loader", "OneGraph", "Source", "Step", "check_features", "check_graphs", "source_of"]


LOOKED_AT = 256  # graphs


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
    """

    unit: str = "graphs"
    steps: int
    size: int
    left_out: int = 0
    first: Data | None = None
    vocab: str | None = None

    @abstractmethod
    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        """The steps of these epochs, from the given one of the first epoch on."""

    def content(self) -> str | None:
        """A hash of some of the data, which a checkpoint keeps; None where they may differ from look to look."""
        return None


class GraphSet(Source):
    """Batches of a packed set, in an order that follows from (seed, epoch); a last batch of one is left out.

    Of several ranks each takes its part of every batch.
    """

    def __init__(self, packed: PackedDataset, batch_size: int, *, single: bool) -> None:
        self.packed, self.batch_size, self.vocab = packed, batch_size, packed.vocab
        self.size, self.least = len(packed), max(1 if single else 2, world())  # a graph for every rank
        rest = len(packed) % batch_size
        self.left_out = rest if rest < self.least else 0
        self.steps = len(packed) // batch_size + (rest >= self.least)
        self.first = packed.batch(torch.arange(min(len(packed), 2)))

    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        whole, ours = tee(self._schedule(seed, epochs, step))
        own = (index.tensor_split(world())[rank()] for index in ours)
        for index, (_, loss) in zip(whole, losses_ahead(method, self.packed, own), strict=True):
            shown = ", ".join(map(str, index[:8].tolist())) + (", ..." if index.numel() > 8 else "")
            yield Step(loss, index.numel(), f"graphs {shown}")

    def content(self) -> str | None:
        if not self.packed.packed:  # a transform may make the graphs anew at every access
            return None
        some = min(self.size, LOOKED_AT)
        return content_of(self.packed.batch(torch.arange(some) * self.size // some))

    def _schedule(self, seed: int, epochs: range, step: int) -> Iterator[Tensor]:
        for epoch in epochs:
            order: Tensor = self.packed.loader(self.batch_size, shuffle=True, seed=seed, epoch=epoch).order
            yield from order.split(self.batch_size)[step if epoch == epochs.start else 0 : self.steps]


class OneGraph(Source):
    """The whole of one graph in every step."""

    unit = "nodes"
    steps = 1

    def __init__(self, data: Data) -> None:
        self.data, self.first, self.size = data, data, data.num_nodes or 0

    def content(self) -> str:
        return content_of(self.data)

    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        for _ in epochs:
            yield Step(lambda: method(self.data), self.size, "the whole graph")


class Loader(Source):
    """The batches of a loader; what it draws from torch's generator, or one of its own, follows from (seed, epoch).

    A loader, or its data set or sampler, is told the epoch if it has ``set_epoch``, as
    :class:`torch.utils.data.DistributedSampler` and :class:`graphcl.data.ClusterBatches` have it.
    Workers start anew with every epoch, persistent ones too. A last batch of one is left out, as of a set. Of several
    ranks each has a loader of its own part of the data.
    """

    def __init__(self, loader: Any, device: torch.device, *, level: str) -> None:
        self.vocab = vocabulary_of(getattr(loader, "dataset", None))
        self.loader, self.device, self.level = loader, device, level
        self.steps = self.size = _length(loader)
        self.unit = "nodes" if level == "node" else "graphs"

    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        for epoch in epochs:
            parts = ("dataset", "sampler", "node_sampler", "link_sampler")
            for part in (self.loader, *(getattr(self.loader, name, None) for name in parts)):
                if hasattr(part, "set_epoch"):
                    part.set_epoch(epoch)
            batches = _drawing_from(_states_for(self.loader, seed, epoch), _with_new_workers(self.loader))
            first = number = step if epoch == epochs.start else 0
            for batch in islice(batches, first, self.steps):
                check_data(batch)
                data = batch.to(self.device)
                if epoch == epochs.start and number == first:
                    self._check_parts(data)
                count, what = self._count(data), f"batch {number + 1} of the loader"
                if count == 1 and number == self.steps - 1 and self._leaves_one_out():
                    self.left_out = 1
                    yield Step(None, count, what)
                else:
                    yield Step(lambda data=data: method(data), count, what)  # type: ignore[misc]
                number += 1
            if number < self.steps:
                raise ValueError(
                    f"expected {self.steps} batches in every epoch, as len(loader) says, got {number} in epoch "
                    f"{epoch + 1}; give the loader the length of what it yields"
                )

    def _check_parts(self, data: Data) -> None:
        """Refuse ranks that were given the same part."""
        if world() == 1:
            return
        # Nodes without features of their own, and small graphs, are told apart by their names alone.
        own = int(content_of(data, "n_id", "input_id", "graph_id", "y"), 16) >> 1
        found = every_rank(torch.tensor(own), self.device).flatten().tolist()
        if len(set(found)) < world():
            raise ValueError(
                "expected a part of the data of its own for every rank, got the same first batch on several; give the "
                "loader sampler=DistributedSampler(dataset), or a NodeLoader "
                "input_nodes=nodes.tensor_split(world())[rank()]"
            )

    def _leaves_one_out(self) -> bool:
        """Whether a batch of one is a remainder."""
        return self.steps > 1 and getattr(self.loader, "batch_size", None) != 1

    def _count(self, data: Any) -> int:
        """Graphs, or seed nodes, on all ranks."""
        if self.level == "graph":
            count = data.num_graphs if isinstance(data, Batch) else 1
        else:
            seeds = data._store.get("batch_size")
            count = seeds if isinstance(seeds, int) else data.num_nodes
        return int(every_rank(torch.tensor(count), self.device).sum())


def _length(loader: Any) -> int:
    try:
        length = len(loader)
    except TypeError as error:  # every DataLoader has __len__, which asks the data set
        raise TypeError(
            f"expected a loader with a length, got one without ({error}); a run is counted in epochs, so give the data "
            "set a __len__"
        ) from error
    if length == 0:
        raise ValueError(
            "expected a loader with batches, got one without any; by drop_last=True a set smaller than a batch has none"
        )
    return length


def _states_for(loader: Any, seed: int, epoch: int) -> list[tuple[Generator, Tensor]]:
    """The generators that a loader draws from, torch's own and any that it was given, and their states of an epoch."""
    with torch_seeded((seed * 0x9E3779B1 + epoch) % 2**63):
        states = {torch.default_generator: torch.get_rng_state()}
    samplers = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    for part in (loader, *samplers, getattr(samplers[1], "sampler", None)):
        own = getattr(part, "generator", None)
        if isinstance(own, Generator) and own not in states:
            key = fold(fold(own.initial_seed(), seed), epoch)
            states[own] = Generator(own.device).manual_seed(int(key) % 2**63).get_state()
    return list(states.items())


def _with_new_workers(loader: Any) -> Any:
    """The loader, or where its workers outlive an epoch a copy without any: no checkpoint could hold their state."""
    if not (isinstance(loader, DataLoader) and loader.persistent_workers):
        return loader
    copied = copy.copy(loader)
    copied._iterator = None
    return copied


def _drawing_from(states: list[tuple[Generator, Tensor]], loader: Any) -> Iterator[Any]:
    """The loader's batches, drawn with states of its generators that nothing else moves."""

    @contextmanager
    def own_state() -> Iterator[None]:
        nonlocal states
        others = [generator.get_state() for generator, _ in states]
        for generator, state in states:
            generator.set_state(state)
        try:
            yield
            states = [(generator, generator.get_state()) for generator, _ in states]
        finally:
            for (generator, _), other in zip(states, others, strict=True):
                generator.set_state(other)

    with own_state():
        batches = iter(loader)
    while True:
        with own_state():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def source_of(data: Any, method: type[Method], batch_size: int, device: torch.device) -> Source:
    """The source that suits the data, a graph, a loader of batches or a set of graphs, for a kind of method.

    Raises:
        ValueError: Too few graphs or nodes, no features, or features that are not finite.
        TypeError: A loader without a length, or graphs of several types of nodes.
    """
    single = method.level == "node"
    if single and isinstance(data, RandomWalkBatches | ClusterBatches):
        data = DataLoader(data, batch_size=None)  # each is a step as it is; put together, nodes would come twice
    if isinstance(data, HeteroData):
        check_data(data)
    if isinstance(data, Data):
        if not single and isinstance(data, Batch):
            raise ValueError(
                f"expected a set of graphs for {method.__name__}, got one batch of {data.num_graphs}, which fit would "
                "have to take apart; write batch.to_data_list()"
            )
        if not single:
            raise ValueError(
                f"expected several graphs for {method.__name__}, which contrasts graphs, got one; use a set of "
                "graphs, or a method that contrasts nodes, such as GRACE"
            )
        check_features(data)
        if world() > 1:
            raise ValueError(
                f"expected a set of graphs, or a loader, to divide between {world()} ranks, got one graph; give each "
                "rank a NodeLoader with input_nodes=nodes.tensor_split(world())[rank()], or train in one process"
            )
        return OneGraph(data.to(str(device)))
    if not isinstance(data, PackedDataset) and not hasattr(data, "__getitem__"):
        if not (hasattr(data, "__iter__") and isinstance(data, Sized)):
            raise TypeError(f"expected graphs, one graph, or a loader with a length, got {type(data).__name__}")
        return Loader(data, device, level=method.level)
    if single and not isinstance(data, PackedDataset) and len(data) == 1:
        return source_of(data[0], method, batch_size, device)
    if isinstance(data, list | tuple) and data and isinstance(data[0], Batch):
        raise TypeError(
            "expected a list of graphs, got one of batches; if each is a step, give "
            "torch.utils.data.DataLoader(batches, batch_size=None), else the graphs: batch.to_data_list()"
        )
    packed = data if isinstance(data, PackedDataset) else PackedDataset(data, graph_id=True)
    packed = packed.to(device)
    check_graphs(packed, batch_size, single=single)
    if min(len(packed), batch_size) < world():
        raise ValueError(
            f"expected at least one graph of every batch for each of {world()} ranks, got {len(packed)} graphs in "
            f"batches of {batch_size}; batch_size counts the graphs of all ranks"
        )
    return GraphSet(packed, batch_size, single=single)


def check_graphs(packed: PackedDataset, batch_size: int, *, single: bool = False) -> None:
    """Refuse what cannot be trained on: too few graphs in a batch, no features, features that are not finite.

    Args:
        packed: The graphs.
        batch_size: Graphs per step.
        single: Whether a batch of one graph will do, as where nodes are contrasted.
    """
    if not single and (len(packed) < 2 or batch_size < 2):
        raise ValueError(
            f"expected at least 2 graphs in a batch to contrast, got {min(len(packed), batch_size)}: the other graphs "
            "of the batch are the negatives. Use a set of several graphs and a larger batch_size; for one large graph, "
            "a node-level method"
        )
    bad = 0
    for index in torch.arange(len(packed)).split(4096):
        batch = packed.batch(index)
        bad += _bad_values(_features(batch))
        _check_edges(batch, int(index[0]))
    if bad:
        raise ValueError(_not_finite(bad))


def check_features(data: Data) -> None:
    """Refuse a graph without features, with features that are not finite, fewer than two nodes, or edges elsewhere."""
    x = _features(data)
    if bad := _bad_values(x):
        raise ValueError(_not_finite(bad))
    if x.size(0) < 2:
        raise ValueError(f"expected at least 2 nodes to contrast, got {x.size(0)}")
    _check_edges(data, None)


def _features(data: Data) -> Tensor:
    check_data(data)
    x = data._store.get("x")
    if x is None:
        raise ValueError(
            "expected node features x, got none; load the set with features='constant' or 'degree', or give "
            "graphs of your own some (torch_geometric.transforms.Constant)"
        )
    for name, value in (("x", x), ("edge_index", data._store.get("edge_index"))):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"expected {name} to be a tensor, got {type(value).__name__}; if the graphs hold arrays, write "
                f"data.{name} = torch.from_numpy(data.{name})"
            )
    features: Tensor = x
    if features.layout != torch.strided:
        raise TypeError(f"expected dense features x, got {features.layout}; write data.x = data.x.to_dense()")
    if features.requires_grad:  # no optimiser has them, and what they were made by has one backward pass in it
        raise ValueError(
            "expected features x that are given, got some that require a gradient, which nothing here would train; "
            "write data.x = data.x.detach(), and put what is learned of them into the network"
        )
    return features


def _check_edges(data: Data, first: int | None) -> None:
    """Refuse edges to nodes that are not their graph's, which in a batch would be another graph's."""
    edges = data._store.get("edge_index")
    if edges is None or edges.layout != torch.strided or edges.shape[:1] != (2,) or edges.numel() == 0:
        return
    if first is None or not isinstance(data, Batch):
        low, high = torch.zeros_like(edges[0]), torch.full_like(edges[0], data.num_nodes or 0)
    else:
        home = torch.repeat_interleave(data._slice_dict["edge_index"].diff().to(edges.device))
        low, high = data.ptr.index_select(0, home), data.ptr.index_select(0, home + 1)
    stray = ((edges < low) | (edges >= high)).any(0)
    if bool(stray.any()):
        at = int(stray.int().argmax())
        start, size = int(low[at]), int(high[at] - low[at])
        where = "the graph" if first is None else f"graph {first + int(home[at])}"
        raise ValueError(
            f"expected edges between the {size} nodes of {where}, numbered from 0, got the edge "
            f"{(edges[:, at] - start).tolist()}; mend edge_index, or give x a row for every node"
        )


def _bad_values(x: Tensor) -> int:
    return int((~torch.isfinite(x)).sum()) if x.is_floating_point() else 0


def _not_finite(count: int) -> str:
    return (
        f"expected finite node features, got {count} NaN or infinite values in x; "
        "replace them before training (torch.nan_to_num, or drop the column)"
    )
