"""Reads a set of small graphs as columns, from PyG's own packed storage or from a list of graphs."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.data.collate import collate
from torch_geometric.data.data import BaseData
from torch_geometric.data.separate import separate

from graphcl.data._columns import (
    Column,
    Kind,
    NotPackable,
    check_increment,
    increments_by_graph,
    increments_by_rule,
    kind_of,
)
from graphcl.data.molecule_set import WIDE, MoleculeDataset
from graphcl.errors import DataError

__all__ = ["Columns", "read", "with_id"]


@dataclass(frozen=True)
class Columns:
    """All attributes in PyG's order of keys; a stored ``num_nodes`` has no column of its own (None)."""

    cls: type[Data]
    columns: dict[str, Column | None]
    num_nodes: Tensor | None  # [n] int64 on the CPU; None where PyG cannot tell and adds neither batch nor ptr


def with_id(graph: BaseData, i: int) -> BaseData:
    """A shallow copy of a graph that carries its position in the data set, as ``graph_id`` [1]."""
    if not isinstance(graph, BaseData):
        raise TypeError(
            f"expected graphs (torch_geometric.data.Data), got {type(graph).__name__} at {i}; where a transform of the "
            "data set makes views, take it off: a method makes its own, given as views="
        )
    if "graph_id" in graph:
        raise ValueError(
            "expected graphs without 'graph_id', got one that has it; rename it, or keep it: PackedDataset(graphs), "
            "without graph_id=True, takes it for the graphs' names"
        )
    graph = copy.copy(graph)
    graph.graph_id = torch.tensor([i])
    return graph


def read(dataset: Any, *, graph_id: bool) -> Columns:
    """Read the columns of an ``InMemoryDataset`` or of a list of ``Data``, or raise ``NotPackable`` for any other."""
    if isinstance(dataset, (list, tuple)):
        return _from_list(dataset, graph_id)
    if not isinstance(dataset, InMemoryDataset):
        raise NotPackable(f"{type(dataset).__name__} makes its graphs on access")
    if dataset.transform is not None:
        raise NotPackable("a transform is applied to each graph on access")
    if isinstance(dataset, MoleculeDataset):
        return _widened(_from_slices(dataset, graph_id))
    for name in ("get", "len", "indices", "__getitem__", "__len__"):
        if getattr(type(dataset), name) is not getattr(InMemoryDataset, name):
            raise NotPackable(f"{type(dataset).__name__} overrides {name}()")
    if dataset.len() == 1:  # PyG keeps a set of one graph as that graph, without slices
        return _from_list([dataset.get(i) for i in dataset.indices()], graph_id)
    return _from_slices(dataset, graph_id)


def _from_list(graphs: Sequence[BaseData], graph_id: bool) -> Columns:
    first = graphs[0]
    _check_class(first)
    if graph_id:
        graphs = [with_id(graph, i) for i, graph in enumerate(graphs)]
    kinds = _kinds(graphs[0])
    _check_names(key for key, _ in kinds)
    for i, graph in enumerate(graphs):
        if type(graph) is not type(first) or _kinds(graph) != kinds:
            raise NotPackable(f"graph {i} differs from graph 0 in class, order of keys, data types or shapes")
    data, slices, _ = collate(type(first), graphs, increment=False, add_batch=False)
    columns: dict[str, Column | None] = {}
    for key, kind in kinds:
        columns[key] = None
        if key != "num_nodes":
            start, length = slices[key][:-1], slices[key].diff()
            columns[key] = Column(data[key], start, length, kind.cat_dim, kind.name == "number")
    return _finish(type(first), columns, None, lambda: iter(graphs))


def _from_slices(dataset: InMemoryDataset, graph_id: bool) -> Columns:
    data, rows = dataset._data, torch.tensor(list(dataset.indices()))
    _check_class(data)
    keys = [key for key in dataset.slices if key in data]  # the order in which PyG cuts out a graph
    _check_names(keys)
    columns: dict[str, Column | None] = {key: _sliced(data, key, dataset.slices[key], rows) for key in keys}
    counts = data._store.__dict__.get("_num_nodes")
    if counts is not None:
        if "num_nodes" in columns or not isinstance(counts, list) or {type(count) for count in counts} != {int}:
            raise NotPackable("num_nodes is not a list of integers")
        _check_length("num_nodes", len(counts), rows)
        counts = torch.tensor(counts)[rows]
        columns["num_nodes"] = None
    if "num_nodes" in columns and counts is None:
        raise NotPackable("num_nodes has slices of its own")
    if graph_id:
        if "graph_id" in columns:
            with_id(data, 0)  # says why not
        each = torch.arange(len(rows))
        columns["graph_id"] = Column(each, each, torch.ones_like(each))

    def graphs() -> Iterator[Data]:
        # Not `dataset.get`: it would keep a copy of each graph in the data set's cache.
        for i, row in enumerate(rows.tolist()):
            graph = separate(type(data), data, row, dataset.slices, decrement=False)
            yield with_id(graph, i) if graph_id else graph

    return _finish(type(data), columns, counts, graphs)


def _widened(columns: Columns) -> Columns:
    """The columns of a set that keeps atoms and bonds in fewer bytes than its graphs have."""
    held = columns.columns
    return replace(columns, columns={k: replace(c, wide=k in WIDE) if c is not None else c for k, c in held.items()})


def _sliced(data: Data, key: str, slices: Any, rows: Tensor) -> Column:
    """The column of one key of an ``InMemoryDataset``."""
    value = data[key]
    if not isinstance(slices, Tensor) or slices.dim() != 1:
        raise NotPackable(f"'{key}' is nested")
    _check_length(key, len(slices) - 1, rows)
    if isinstance(value, list):
        _check_length(key, len(value), rows)
        kinds = {kind_of(data, key, element) for element in value}
        if len(kinds) > 1 or (kind := kinds.pop()).name == "tensor":
            raise NotPackable(f"'{key}' lists values of several types, or tensors")
        return Column(
            torch.tensor(value) if kind.name == "number" else value,
            rows,
            torch.ones_like(rows),
            number=kind.name == "number",
        )
    kind = kind_of(data, key, value)
    if kind.name != "tensor" or value.dim() == 0:
        raise NotPackable(f"'{key}' is neither a list nor a tensor with a dimension to cut")
    slices = slices.cpu().long()
    column = Column(value, slices[:-1][rows], slices.diff()[rows], kind.cat_dim)
    if column.cat_dim is None and bool((column.length != 1).any()):
        raise NotPackable(f"'{key}' is stacked, but not one value for each graph")
    if bool((column.length < 0).any()) or int(slices.min()) < 0 or int(slices.max()) > value.size(column.dim):
        raise DataError(f"expected rising slices within '{key}' of shape {list(value.shape)}; rebuild the data set")
    return column


def _finish(
    cls: type[Data],
    columns: dict[str, Column | None],
    counts: Tensor | None,
    graphs: Callable[[], Iterable[Data]],
) -> Columns:
    """Add node counts and increments, by PyG's rules where the class is PyG's own and else by asking each graph."""
    rule = increments_by_rule(columns, counts) if cls is Data else None
    num_nodes, incs = rule or increments_by_graph(columns, graphs())
    for key, inc in incs.items():
        column = columns[key]
        assert column is not None
        check_increment(key, column, inc)
        columns[key] = replace(column, inc=inc)
    return Columns(cls, columns, num_nodes)


def _kinds(graph: BaseData) -> list[tuple[str, Kind]]:
    return [(key, kind_of(graph, key, value)) for key, value in graph._store.items()]


def _check_class(graph: Any) -> None:
    if not isinstance(graph, Data) or isinstance(graph, Batch):
        raise NotPackable(f"{type(graph).__name__} is not a single homogeneous graph")


def _check_names(keys: Iterable[str]) -> None:
    for key in {"batch", "ptr"}.intersection(keys):
        raise NotPackable(f"'{key}' is a name that PyG's batches use themselves")


def _check_length(key: str, length: int, rows: Tensor) -> None:
    if length <= int(rows.max()):
        raise DataError(
            f"expected '{key}' of at least {int(rows.max()) + 1} graphs, got {length}; "
            "the data set is incomplete: delete its processed files and load it again"
        )
