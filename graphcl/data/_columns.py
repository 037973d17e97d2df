"""One attribute of a set of small graphs as a column: one value for all graphs, and where each graph lies in it.

A column holds what ``Batch.from_data_list`` gives to the letter, or :class:`NotPackable` is raised: only plain tensors,
numbers, and objects that PyG merely lists become columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data.data import BaseData
from torch_geometric.data.storage import N_KEYS
from torch_geometric.typing import SparseTensor, TensorFrame

__all__ = ["Column", "Kind", "NotPackable", "check_increment", "increments_by_graph", "increments_by_rule", "kind_of"]


class NotPackable(Exception):
    """The set has something that only PyG's own collation handles; the message says what."""


@dataclass(frozen=True)
class Column:
    """One attribute of all graphs: graph i is ``value.narrow(dim, start[i], length[i])``, or ``value[start[i]]``."""

    value: Tensor | list[Any]
    start: Tensor  # [n] int64 on the CPU
    length: Tensor  # [n] int64 on the CPU
    cat_dim: int | None = 0  # as PyG names it: None stacks the graphs' values along a new first dimension
    number: bool = False  # each graph holds a Python number, not a tensor
    inc: Tensor | None = None  # [n, ...] int64 on the CPU: what a graph adds to the ids of all graphs after it
    wide: bool = False  # the graphs have int64, the column keeps fewer bytes of it

    @property
    def dim(self) -> int:
        """The dimension along which the graphs' values follow one another."""
        dim = self.cat_dim or 0
        return dim + self.value.dim() if isinstance(self.value, Tensor) and dim < 0 else dim


@dataclass(frozen=True)
class Kind:
    """What two graphs' values of one key must agree in to be one column."""

    name: str
    cat_dim: int | None = 0
    traits: tuple[Any, ...] = ()


def kind_of(graph: BaseData, key: str, value: Any) -> Kind:
    """Sort a value as ``collate`` does, or raise for the branches that are not followed here."""
    if type(value) is Tensor and value.layout == torch.strided and not value.is_nested and not value.requires_grad:
        cat_dim = graph.__cat_dim__(key, value, graph._store)
        if cat_dim is not None and type(cat_dim) is not int:
            raise NotPackable(f"__cat_dim__ of '{key}' is {cat_dim!r}, not one dimension")
        shape = list(value.shape)
        if cat_dim is not None and shape:
            if not -len(shape) <= cat_dim < len(shape):
                raise NotPackable(f"__cat_dim__ of '{key}' is {cat_dim}, but its shape is {shape}")
            shape[cat_dim] = -1
        return Kind("tensor", cat_dim, (value.dtype, value.device, *shape))
    if type(value) in (bool, int, float):
        return Kind("number", traits=(type(value),))
    nested = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    if nested and isinstance(value[0], (Tensor, SparseTensor)):
        raise NotPackable(f"'{key}' is a list of tensors")
    if value is None or isinstance(value, (Tensor, SparseTensor, TensorFrame, Mapping, int, float)):
        raise NotPackable(f"'{key}' is a {type(value).__name__} of a kind that is not packed")
    return Kind("object")


def increments_by_rule(
    columns: dict[str, Column | None], counts: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]] | None:
    """What ``Data.num_nodes`` and ``Data.__inc__`` say of all graphs at once; None where they must see the values."""
    held = {key: c for key, c in columns.items() if c is not None and isinstance(c.value, Tensor)}
    if "num_nodes" in columns and counts is None:
        return None
    if counts is None:
        for key, column in columns.items():
            if key in N_KEYS and column is not None and not column.number:
                counts = column.length if key in held else None
                break
    if counts is None or any("batch" in key for key in held):
        return None
    zero = torch.zeros_like(counts)
    return counts, {key: counts if "index" in key or key == "face" else zero for key in held}


def increments_by_graph(
    columns: dict[str, Column | None], graphs: Iterable[BaseData]
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Ask each graph for its number of nodes and increments, with the values that ``collate`` would show it."""
    held = {key: c for key, c in columns.items() if c is not None and isinstance(c.value, Tensor)}
    counts: list[Any] = []
    incs: dict[str, list[Any]] = {key: [] for key in held}
    for graph in graphs:
        store = graph._store
        if store.can_infer_num_nodes:
            counts.append(store.num_nodes or 0)
        for key, column in held.items():
            value = store[key]
            if not column.number:
                if graph.__cat_dim__(key, value, store) != column.cat_dim:
                    raise NotPackable(f"__cat_dim__ of '{key}' depends on the graph")
                if column.cat_dim is None or value.dim() == 0:
                    value = value.unsqueeze(0)
            try:
                incs[key].append(graph.__inc__(key, value, store))
            except RuntimeError as error:  # PyG looks for the largest number in a batch vector of nothing
                raise NotPackable(f"__inc__ of '{key}' fails for a graph: {error}") from error
    if any(type(count) is not int for count in counts):
        raise NotPackable("num_nodes is not an integer")
    return torch.tensor(counts) if counts else None, {key: _stack(key, inc) for key, inc in incs.items()}


def _stack(key: str, incs: list[Any]) -> Tensor:
    if all(type(inc) is int for inc in incs):
        return torch.tensor(incs)
    traits = {(inc.dtype, inc.device.type, inc.shape) if type(inc) is Tensor else None for inc in incs}
    if traits != {(torch.int64, "cpu", getattr(incs[0], "shape", None))}:
        raise NotPackable(f"__inc__ of '{key}' gives neither integers nor int64 tensors of one shape on the CPU")
    return torch.stack(incs)


def check_increment(key: str, column: Column, inc: Tensor) -> None:
    """Keep to sums that give the data type and shape that PyG's ``value + inc`` gives."""
    value, shape = column.value, tuple(inc.shape[1:])
    assert isinstance(value, Tensor)
    if not shape:
        integral = not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
        fits = integral or not bool(inc.any())
    else:
        padded = (1,) * (value.dim() - len(shape)) + shape
        fits = (
            value.dtype == torch.int64
            and not column.number
            and len(padded) == value.dim()
            and padded[column.dim] == 1
            and all(inner in (1, outer) for inner, outer in zip(padded, value.shape, strict=True))
        )
    if not fits:
        raise NotPackable(f"increments of shape {list(shape)} do not fit '{key}' of type {value.dtype}")
