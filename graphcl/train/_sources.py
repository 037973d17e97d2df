"""The steps of a set of graphs and of one graph, and the choice among the kinds of data."""

import copy
from collections.abc import Iterator, Sequence, Sized
from functools import partial
from itertools import tee
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data, HeteroData

from graphcl._random import fold, torch_seeded
from graphcl.data import ClusterBatches, PackedDataset, RandomWalkBatches
from graphcl.distributed import rank, world
from graphcl.methods import Method
from graphcl.methods.base import check_data
from graphcl.train._checks import check_features, check_graphs
from graphcl.train._loader import Loader
from graphcl.train._source import Source, Step, content_of
from graphcl.train.ahead import Cut, losses_ahead

__all__ = ["GraphSet", "OneGraph", "source_of"]

LOOKED_AT = 256  # graphs


class GraphSet(Source):
    """Batches of a packed set, in an order that follows from (seed, epoch); a last batch of one is left out.

    Of several ranks each takes its part of every batch.
    """

    looks_ahead = True

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
        cut = None if self.packed.packed else self._drawing(seed, epochs.start * self.steps + step)
        for index, (_, loss) in zip(whole, losses_ahead(method, self.packed, own, cut=cut), strict=True):
            yield Step(loss, index.numel(), _named(index))

    def _drawing(self, seed: int, first: int) -> Cut:
        """Batches of a set that makes its graphs at every access; torch's generator is seeded by the step for it."""

        def cut(done: int, steps: Sequence[Tensor]) -> Batch:
            graphs: list[Any] = []
            for number, index in enumerate(steps, first + done):
                with torch_seeded(int(fold(fold(seed, number), rank())) % 2**63, self.packed.device):
                    graphs += self.packed.graphs(index)
            return self.packed.collate(graphs)

        return cut

    def content(self) -> str | None:
        if not self.packed.packed:  # a transform may make the graphs anew at every access
            return None
        some = min(self.size, LOOKED_AT)
        return content_of(self.packed.batch(torch.arange(some) * self.size // some))

    def _schedule(self, seed: int, epochs: range, step: int) -> Iterator[Tensor]:
        for epoch in epochs:
            order: Tensor = self.packed.loader(self.batch_size, shuffle=True, seed=seed, epoch=epoch).order
            yield from order.split(self.batch_size)[step if epoch == epochs.start else 0 : self.steps]


def _named(index: Tensor) -> str:
    """The graphs of a batch in words."""
    return "graphs " + ", ".join(map(str, index[:8].tolist())) + (", ..." if index.numel() > 8 else "")


class OneGraph(Source):
    """The whole of one graph in every step."""

    unit = "nodes"
    steps = 1

    def __init__(self, data: Data) -> None:
        self.data, self.first, self.size = data, data, int(data.num_nodes or 0)  # NumPy's numbers are no plain ones

    def content(self) -> str:
        return content_of(self.data)

    def steps_from(self, method: Method, seed: int, epochs: range, step: int) -> Iterator[Step]:
        for _ in epochs:
            yield Step(partial(method, self.data), self.size, "the whole graph")


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
        return OneGraph(copy.copy(data).to(str(device)))  # PyG moves in place
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
