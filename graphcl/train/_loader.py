"""The steps of a loader of batches, PyG's or any other with a length, the same in every run of one seed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.loader import PrefetchLoader

from graphcl._arguments import plain
from graphcl._random import fold
from graphcl.data._recognise import vocabulary_of
from graphcl.distributed import world
from graphcl.methods import Method
from graphcl.methods.base import check_data
from graphcl.train._source import Source, Step, content_of
from graphcl.train._workers import started, with_new_workers
from graphcl.train.ranks import every_rank

__all__ = ["Loader"]


class Loader(Source):
    """The batches of a loader; what it draws from torch's generator, or one of its own, follows from (seed, epoch).

    A loader, or its data set or samplers, is told the epoch if it has ``set_epoch``, as
    :class:`torch.utils.data.DistributedSampler` and :class:`graphcl.data.ClusterBatches` have it.
    Workers start anew with every epoch, persistent ones too, and end by signals of this process alone. A last batch of
    one is left out, as of a set. Of several ranks each has a loader of its own part of the data. Of PyG's
    ``PrefetchLoader`` the loader within is taken.
    """

    def __init__(self, loader: Any, device: torch.device, *, level: str) -> None:
        if isinstance(loader, PrefetchLoader):  # it hides whatever draws, and moves batches, which are moved anyway
            loader = loader.loader
        self.vocab = vocabulary_of(getattr(loader, "dataset", None))
        self.loader, self.device, self.level = loader, device, level
        self.steps = self.size = _length(loader)
        self.unit = "nodes" if level == "node" else "graphs"

    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        for epoch in epochs:
            parts = ("dataset", "node_sampler", "link_sampler")
            for part in (*_drawing(self.loader), *(getattr(self.loader, name, None) for name in parts)):
                if hasattr(part, "set_epoch"):
                    part.set_epoch(epoch)
            batches = _drawing_from(_states_for(self.loader, seed, epoch), with_new_workers(self.loader))
            first = number = step if epoch == epochs.start else 0
            for batch in islice(batches, first, self.steps):
                check_data(batch)
                data = copy.copy(batch).to(self.device)  # PyG moves in place, and the loader may keep its batches
                if epoch == epochs.start and number == first:
                    self._check_parts(data)
                count, what = self._count(data), f"batch {number + 1} of the loader"
                if count == 1 and number == self.steps - 1 and self._leaves_one_out():
                    self.left_out = 1
                    yield Step(None, count, what)
                else:
                    yield Step(partial(method, data), count, what)
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
            seeds = plain(data._store.get("batch_size"))
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


def _drawing(loader: Any) -> tuple[Any, ...]:
    """The loader and what may choose its batches, whether it was given or made by the loader."""
    batches = getattr(loader, "batch_sampler", None)
    return loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None)


def _states_for(loader: Any, seed: int, epoch: int) -> list[tuple[Generator, Tensor]]:
    """The generators that a loader draws from, torch's own and any that it was given, and their states of an epoch."""
    states = {torch.default_generator: Generator().manual_seed((seed * 0x9E3779B1 + epoch) % 2**63).get_state()}
    for part in _drawing(loader):
        own = getattr(part, "generator", None)
        if isinstance(own, Generator) and own not in states:
            key = fold(fold(own.initial_seed(), seed), epoch)
            states[own] = Generator(own.device).manual_seed(int(key) % 2**63).get_state()
    return list(states.items())


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
        batches = started(loader)
    while True:
        with own_state():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
