"""Cuts batches out of columns: which places to gather, and the books that PyG keeps of them."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphcl.data._columns import Column, NotPackable
from graphcl.data._read import Columns

__all__ = ["Plan"]


@dataclass(frozen=True)
class _Cut:
    """One attribute: its value on the device, and which rows of the table tell where to cut and what to add."""

    key: str
    value: Tensor | list[Any]
    dim: int
    group: int
    inc_rows: tuple[int, ...]  # one row for an increment that is a number, none for an object
    inc_shape: tuple[int, ...]
    adds: bool  # False where every increment is zero
    wide: bool  # to become int64 when it is cut out


class Plan:
    """The columns on a device, and one table of counts for all of them.

    Slices, ``ptr`` and increments are running sums of counts per graph, and most of them are equal: as many rows in
    ``edge_attr`` as columns in ``edge_index``, whose ids grow by as many as ``x`` has rows. The table holds each
    distinct count once, so that one look-up and one cumulative sum serve all attributes. Attributes whose graphs lie at
    the same places form a group and share their positions; the first rows are the lengths of the groups.
    """

    def __init__(self, columns: Columns) -> None:
        held = {key: column for key, column in columns.columns.items() if column is not None}
        groups: list[Column] = []
        for column in held.values():
            if _group(groups, column) is None:
                groups.append(column)
        rows = [group.length for group in groups]
        self._keys = list(columns.columns)
        self._template = _template(columns.cls)
        self._nodes = None if columns.num_nodes is None else _row(rows, columns.num_nodes)
        self._cuts = {key: _cut(key, column, groups, rows) for key, column in held.items()}
        self._books = _books(self._cuts)
        self._single = [bool((group.length == 1).all()) for group in groups]
        self._groups = len(groups)
        if not rows:
            raise NotPackable("the graphs have no attributes")
        self._table = torch.stack([group.start for group in groups] + rows)  # on the CPU
        self._device = torch.device("cpu")

    def to(self, device: torch.device) -> "Plan":
        """The same plan with its values on a device; the table stays on the CPU."""
        out = copy.copy(self)
        out._device = device
        out._cuts = {}
        for key, cut in self._cuts.items():
            value = cut.value.to(device).contiguous() if isinstance(cut.value, Tensor) else cut.value
            out._cuts[key] = replace(cut, value=value)
        return out

    def only(self, key: str) -> Batch:
        """The batch of all graphs with one attribute, or none."""
        out = copy.copy(self)
        out._keys, out._nodes = [name for name in self._keys if name == key], None
        out._books = _books({name: self._cuts[name] for name in out._keys})
        return out.cut(torch.arange(self._table.size(1)))

    def cut(self, index: Tensor) -> Batch:
        """The batch of the graphs at ``index`` (int64 [B] on the CPU, each in range)."""
        size = index.numel()
        picked = self._table.index_select(1, index)
        sums = picked.new_zeros(picked.size(0) - self._groups, size + 1)
        torch.cumsum(picked[self._groups :], 1, out=sums[:, 1:])
        totals = sums[:, -1].tolist()
        places = _Places(self, *self._ship(picked, sums), totals)
        books = iter(sums.index_select(0, self._books).unbind())  # copies: nobody else's change when one is changed
        mapping: dict[str, Any] = {}
        slices: dict[str, Tensor] = {}
        incs: dict[str, Tensor | None] = {}
        counts: list[int] | None = None
        for key in self._keys:
            cut = self._cuts.get(key)
            if cut is None:  # a stored num_nodes: PyG keeps the sum, and the list beside it
                assert self._nodes is not None
                counts = picked[self._groups + self._nodes].tolist()
                mapping[key] = totals[self._nodes]
                continue
            slices[key] = next(books)
            incs[key] = _increments(books, cut)
            if isinstance(cut.value, list):
                mapping[key] = [cut.value[i] for i in picked[cut.group].tolist()]
            else:
                mapping[key] = places.take(cut)
        if self._nodes is not None:
            mapping["batch"] = places.batch(self._nodes)
            mapping["ptr"] = places.sums[self._nodes]
        batch = copy.copy(self._template)
        store = batch._store
        store._mapping = mapping
        if counts is not None:
            store._num_nodes = counts
        store._num_graphs, store._slice_dict, store._inc_dict = size, slices, incs
        return batch

    def _ship(self, picked: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Bring the numbers of one batch to the device: one copy from pinned memory, which nobody waits for."""
        if self._device.type == "cpu":
            return picked, sums
        flat = torch.cat([picked.flatten(), sums.flatten()])
        if self._device.type == "cuda":
            flat = flat.pin_memory()
        first, second = torch.split(flat.to(self._device, non_blocking=True), [picked.numel(), sums.numel()])
        return first.view(picked.shape), second.view(sums.shape)


class _Places:
    """Where the graphs of one batch lie, by group, worked out on the device when first asked for."""

    def __init__(self, plan: Plan, picked: Tensor, sums: Tensor, totals: list[int]) -> None:
        self.sums = sums  # [rows, B + 1]
        self._starts, self._counts = picked[: plan._groups], picked[plan._groups :]
        self._offsets = self._starts - sums[: plan._groups, :-1]
        self._single, self._totals = plan._single, totals
        self._found: dict[int, tuple[Tensor | None, Tensor]] = {}

    def take(self, cut: _Cut) -> Tensor:
        """The values of the chosen graphs, with their ids counted on from graph to graph."""
        owner, index = self._find(cut.group)
        assert isinstance(cut.value, Tensor)
        if cut.dim == 1 and cut.value.dim() == 2:  # edge_index: twice as fast on a CPU as index_select
            value = cut.value.gather(1, index.expand(cut.value.size(0), -1))
        else:
            value = cut.value.index_select(cut.dim, index)
        value = value.long() if cut.wide else value
        if not cut.adds:
            return value
        if not cut.inc_shape:
            inc = self.sums[cut.inc_rows[0], :-1]
            inc = inc if owner is None else inc.index_select(0, owner)
            return value.add_(inc.view(-1, *[1] * (value.dim() - cut.dim - 1)))
        inc = torch.stack([self.sums[row, :-1] for row in cut.inc_rows])  # [numbers of one increment, B]
        inc = inc if owner is None else inc.index_select(1, owner)
        shape = [1] * (value.dim() - len(cut.inc_shape)) + list(cut.inc_shape)
        del shape[cut.dim]  # of size 1: the places of the batch take this dimension
        return value.add_(inc.reshape(*shape, -1).movedim(-1, cut.dim))

    def batch(self, row: int) -> Tensor:
        """The graph to which each node belongs, int64 [N]."""
        if row in self._found:
            owner = self._found[row][0]
            if owner is not None:
                return owner
        return torch.repeat_interleave(self._counts[row], output_size=self._totals[row])

    def _find(self, group: int) -> tuple[Tensor | None, Tensor]:
        """The graph that owns each place of the batch (None: one place each), and its place in the column."""
        if group not in self._found:
            if self._single[group]:
                self._found[group] = None, self._starts[group]
            else:
                total = self._totals[group]
                owner = torch.repeat_interleave(self._counts[group], output_size=total)
                index = self._offsets[group].index_select(0, owner)
                self._found[group] = owner, index.add_(torch.arange(total, device=index.device))
        return self._found[group]


def _group(groups: list[Column], column: Column) -> int | None:
    for i, group in enumerate(groups):
        if torch.equal(group.start, column.start) and torch.equal(group.length, column.length):
            return i
    return None


def _row(rows: list[Tensor], counts: Tensor) -> int:
    """The row that holds these counts, added where there is none yet."""
    for i, row in enumerate(rows):
        if torch.equal(row, counts):
            return i
    rows.append(counts)
    return len(rows) - 1


def _cut(key: str, column: Column, groups: list[Column], rows: list[Tensor]) -> _Cut:
    group = _group(groups, column)
    assert group is not None
    inc = column.inc
    if inc is None:
        return _Cut(key, column.value, column.dim, group, (), (), False, column.wide)
    numbers = inc.flatten(1).unbind(1) if inc.dim() > 1 else (inc,)
    inc_rows = tuple(_row(rows, number.contiguous()) for number in numbers)
    return _Cut(key, column.value, column.dim, group, inc_rows, tuple(inc.shape[1:]), bool(inc.any()), column.wide)


def _books(cuts: dict[str, _Cut]) -> Tensor:
    """The rows of sums that PyG's books hold for each attribute in turn: its slices, then its increments."""
    return torch.tensor([row for cut in cuts.values() for row in (cut.group, *cut.inc_rows)], dtype=torch.int64)


def _increments(books: Iterator[Tensor], cut: _Cut) -> Tensor | None:
    """What PyG notes in ``_inc_dict``: the sum over the graphs before, int64 [B, ...]; None for an object."""
    sums = [next(books)[:-1] for _ in cut.inc_rows]
    if cut.inc_shape:
        return torch.stack(sums, 1).view(-1, *cut.inc_shape)
    return sums[0] if sums else None


def _template(cls: type[Data]) -> Batch:
    """An empty batch to copy: the class that PyG derives for ``cls``, whose constructor is slow."""
    template: Batch = Batch(_base_cls=cls)
    plain = Batch(_base_cls=Data)
    for part, expected in ((template, plain), (template._store, plain._store)):
        if part.__dict__.keys() != expected.__dict__.keys():
            raise NotPackable(f"{cls.__name__}() sets attributes of its own")
    if len(template._store) > 0:
        raise NotPackable(f"{cls.__name__}() sets attributes of its own")
    return template
