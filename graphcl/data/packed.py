"""Small graphs packed on a device: a batch is cut out by index arithmetic instead of collating Python objects."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.data.data import BaseData

from graphcl._arguments import check_seed
from graphcl.data._columns import NotPackable
from graphcl.data._plan import Plan
from graphcl.data._read import read, with_id
from graphcl.data._recognise import vocabulary_of

__all__ = ["PackedDataset", "PackedLoader", "shuffled"]


class PackedDataset:
    """A set of small graphs on one device, from which batches are cut.

    ``packed.batch(index)`` equals ``Batch.from_data_list([dataset[i] for i in index])`` in every field, the
    bookkeeping behind ``to_data_list()`` included, at a small part of its cost: the attributes of all graphs lie one
    after another (PyG's ``InMemoryDataset`` already keeps them so, and its memory is shared, not copied, where device
    and layout allow), the positions of the chosen ones are computed for all graphs at once, and one gather per
    attribute fetches them. Counts are kept on the CPU, so that cutting a batch never waits for the device.

    Subsets (``dataset[10:20]``), classes with their own ``__inc__`` and ``__cat_dim__``, stored ``num_nodes``, strings
    and numbers are all followed. What is not: a ``transform`` (it makes each graph anew), heterogeneous graphs,
    nested, sparse or ragged attributes, and data sets that make their graphs on access. Those are collated by PyG
    graph by graph, with the same result; ``packed.packed`` tells which way is taken and ``packed.reason`` why. The
    data set must not be changed afterwards.

    Args:
        dataset: An ``InMemoryDataset``, a list of ``Data``, or any sequence of graphs.
        device: Where the graphs lie and the batches are made.
        graph_id: Adds the attribute ``graph_id`` (int64 [G]) to every batch: each graph's position in ``dataset``.

    Raises:
        TypeError: ``dataset`` is not a sequence of graphs.
        ValueError: ``dataset`` is empty, has its own ``graph_id``, or is a list of molecules of two index tables.
        DataError: The data set's slices do not fit its values.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
        >>> pair = Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> packed = PackedDataset([path, pair])
        >>> packed.batch([1, 0])
        DataBatch(x=[5, 1], edge_index=[2, 6], batch=[5], ptr=[3])
        >>> [batch.num_graphs for batch in packed.loader(1, shuffle=True, seed=0)]
        [1, 1]
    """

    def __init__(self, dataset: Any, *, device: torch.device | str = "cpu", graph_id: bool = False) -> None:
        self._num_graphs = _count(dataset)
        self._device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0"
        self._graph_id = graph_id
        self.vocab: str | None = vocabulary_of(dataset)  # the index table of molecules
        self._source: Any = None
        self._plan: Plan | None = None
        self.reason = ""
        try:
            self._plan = Plan(read(dataset, graph_id=graph_id)).to(self._device)
        except NotPackable as reason:
            self.reason = str(reason)
            self._source = dataset

    def batch(self, index: Tensor | NDArray[Any] | Sequence[int]) -> Batch:
        """Cut out the graphs at ``index``, in that order.

        Args:
            index: Positions in the data set (negative ones count from its end, repeats are allowed), or a mask of
                ``len(self)`` booleans. Best a tensor on the CPU: one that lies on the device has to be waited for.

        Returns:
            The batch, on ``self.device``.

        Raises:
            ValueError: ``index`` is empty or has more than one dimension, or the graphs differ too much to be collated.
            TypeError: ``index`` does not hold integers or booleans.
            IndexError: ``index`` points outside the data set.
        """
        if self._plan is None:
            return self.collate(self.graphs(index))
        return self._plan.cut(_positions(index, self._num_graphs))

    def graphs(self, index: Tensor | NDArray[Any] | Sequence[int]) -> list[Any]:
        """The graphs at ``index`` as the source gives them, for :meth:`collate`."""
        return [self._graph(i) for i in _positions(index, self._num_graphs).tolist()]

    def collate(self, graphs: list[Any]) -> Batch:
        """One batch of graphs of the source, by PyG's own collation, on ``self.device``.

        Raises:
            ValueError: The graphs differ too much.
        """
        try:
            batch: Batch = Batch.from_data_list(graphs)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"expected graphs that PyG can collate, got {type(error).__name__}: {error}; {self.reason}. Give all "
                f"graphs the same attributes, of one type and width"
            ) from error
        return batch.to(self._device)

    def batches(self, batch_size: int, *, order: Tensor | None = None, drop_last: bool = False) -> "PackedLoader":
        """The batches of one pass over the graphs in the given order (int64 [n]; default: as they lie)."""
        return PackedLoader(self, batch_size, order=order, drop_last=drop_last)

    def loader(
        self, batch_size: int, *, shuffle: bool = False, seed: int = 0, epoch: int = 0, drop_last: bool = False
    ) -> "PackedLoader":
        """The batches of one epoch; with ``shuffle`` their order depends on ``seed`` and ``epoch`` alone."""
        order = None
        if shuffle:
            # PyTorch's CPU generator uses the low 32 bits of its seed: an odd factor keeps all seeds apart in them.
            generator = torch.Generator().manual_seed((check_seed(seed) * 0x9E3779B1 + int(epoch)) % 2**63)
            order = shuffled(self._num_graphs, generator=generator)
        return PackedLoader(self, batch_size, order=order, drop_last=drop_last)

    def to(self, device: torch.device | str) -> "PackedDataset":
        """The same set on another device; this one stays where it is."""
        out = copy.copy(self)
        out._device = torch.empty(0, device=device).device
        out._plan = None if self._plan is None else self._plan.to(out._device)
        return out

    @property
    def packed(self) -> bool:
        """Whether batches are cut by index arithmetic; if not, PyG collates them and ``reason`` says why."""
        return self._plan is not None

    @property
    def device(self) -> torch.device:
        """Where the batches are made."""
        return self._device

    @property
    def num_graphs(self) -> int:
        """The number of graphs, also ``len(self)``."""
        return self._num_graphs

    @property
    def num_features(self) -> int:
        """The number of features per node; 0 for a set without ``x``."""
        return int(self.batch([0]).num_node_features)

    @property
    def y(self) -> Any:
        """The labels of all graphs, as the batch of all graphs has them; AttributeError where there are none."""
        batch = self.batch(range(self._num_graphs)) if self._plan is None else self._plan.only("y")
        if "y" not in batch:
            raise AttributeError("this data set has no labels 'y'")
        return batch.y

    def __len__(self) -> int:
        return self._num_graphs

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._num_graphs} graphs, device='{self._device}', packed={self.packed})"

    def _graph(self, i: int) -> Any:
        return with_id(self._source[i], i) if self._graph_id else self._source[i]


class PackedLoader:
    """One pass over a :class:`PackedDataset` in batches; it can be gone through again and has a length.

    Args:
        dataset: The packed graphs.
        batch_size: Graphs per batch; the last batch holds the rest.
        order: Positions of the graphs in the order in which they come, int64 [n]; default: as they lie.
        drop_last: Leaves out a last batch that is not full.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> packed = PackedDataset([Data(x=torch.full((1, 1), float(i))) for i in range(5)])
        >>> [batch.x.flatten().tolist() for batch in PackedLoader(packed, 2, order=torch.tensor([4, 2, 0]))]
        [[4.0, 2.0], [0.0]]
    """

    def __init__(
        self, dataset: PackedDataset, batch_size: int, *, order: Tensor | None = None, drop_last: bool = False
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.order = torch.arange(len(dataset)) if order is None else _positions(order, len(dataset))
        self.drop_last = drop_last

    def __len__(self) -> int:
        full, rest = divmod(len(self.order), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Batch]:
        for i in range(len(self)):
            yield self.dataset.batch(self.order[i * self.batch_size : (i + 1) * self.batch_size])


def shuffled(n: int, *, generator: torch.Generator) -> Tensor:
    """A random order of ``n`` graphs, int64 [n], drawn from a CPU generator.

    Example:
        >>> import torch
        >>> sorted(shuffled(4, generator=torch.Generator().manual_seed(0)).tolist())
        [0, 1, 2, 3]
    """
    return torch.randperm(n, generator=generator)


def _count(dataset: Any) -> int:
    if isinstance(dataset, BaseData) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(f"expected a data set or a list of graphs, got {type(dataset).__name__}; write [graph] for one")
    if isinstance(dataset, (str, Mapping)):
        raise TypeError(
            f"expected a data set or a list of graphs, got {dataset!r:.60}; load(NAME) gives one by its name"
        )
    if len(dataset) == 0:
        raise ValueError("expected at least one graph, got an empty data set")
    if isinstance(dataset, (list, tuple)):
        for i, graph in enumerate(dataset):
            if not isinstance(graph, BaseData):
                raise TypeError(
                    f"expected graphs (torch_geometric.data.Data), got {type(graph).__name__} at {i}; those of "
                    "networkx become such by torch_geometric.utils.from_networkx"
                )
    return len(dataset)


def _positions(index: Tensor | NDArray[Any] | Sequence[int], n: int) -> Tensor:
    """Check an index or mask and return positions in 0..n-1, int64 [B] on the CPU."""
    positions = index.cpu() if isinstance(index, Tensor) else torch.tensor(index)
    if positions.dim() != 1:
        raise ValueError(f"expected an index of one dimension, got shape {list(positions.shape)}; write [i] for one")
    if positions.dtype == torch.bool:
        if len(positions) != n:
            raise IndexError(f"expected a mask of {n} entries, one for each graph, got {len(positions)}")
        positions = positions.nonzero().flatten()
    if positions.numel() == 0:
        raise ValueError("expected at least one graph, got an empty index; PyG has no batch of no graphs")
    if positions.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8):
        raise TypeError(f"expected integers or booleans as index, got {positions.dtype}")
    positions = positions.long()
    low, high = (int(bound) for bound in torch.aminmax(positions))
    if low < -n or high >= n:
        raise IndexError(f"graph {high if high >= n else low} is out of range for a set of {n} graphs")
    return positions if low >= 0 else torch.where(positions < 0, positions + n, positions)
