"""Results per graph, found again by what the graph is: a cache that cannot mistake one graph for another."""

import threading

import numpy as np
import torch

from graphcl._random import Key, fold, hash_ids
from graphcl.augment._matrices import Array, Matrices, runs

__all__ = ["Cache", "names"]


def names(a: Matrices, key: Key) -> Array:
    """``[G, 2]`` 128 bits per matrix: a hash of its size and of every entry in its place; no loop over graphs."""
    size, count, row, col = (torch.from_numpy(column) for column in (a.sizes, a.counts, a.row, a.col))
    value = torch.from_numpy(a.value.view(np.int64))
    place = torch.from_numpy(runs(np.zeros_like(a.counts), a.counts))
    end = torch.from_numpy(a.counts.cumsum())
    columns = []
    for half in (fold(key, 0), fold(key, 1)):
        mixed = hash_ids(hash_ids(hash_ids(hash_ids(half, place), row), col), value)
        # int64 wraps, and differences of wrapped sums are the sums of the runs.
        total = torch.cat([mixed.new_zeros(1), mixed.cumsum(0)])
        columns.append(hash_ids(hash_ids(hash_ids(half, total[end] - total[end - count]), size), count))
    return torch.stack(columns, 1).numpy()


class Cache:
    """Matrices under their names, up to ``limit`` bytes; the least recently used go first.

    All entries lie in three arrays, so that reading and writing many matrices takes a few operations. Several threads
    may share it: places move as matrices come and go, so who has found one must hold the ``lock`` until it is read.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lock = threading.RLock()
        self.clock = 0
        self.name = np.empty((0, 2), dtype=np.int64)  # ascending in the first half
        self.size = self.begin = self.count = self.used = np.empty(0, dtype=np.int64)
        self.fill = 0
        self.row = self.col = np.empty(0, dtype=np.int32)
        self.value = np.empty(0)

    ENTRY, MATRIX = 4 + 4 + 8, 6 * 8

    @property
    def nbytes(self) -> int:
        """What it holds, in bytes."""
        return self.fill * self.ENTRY + self.size.size * self.MATRIX

    def find(self, name: Array) -> Array:
        """``[G]`` where the matrices with these names are; -1 for those that are not here."""
        if not self.size.size:
            return np.full(name.shape[0], -1)
        at = np.minimum(np.searchsorted(self.name[:, 0], name[:, 0]), self.size.size - 1)
        return np.where((self.name[at] == name).all(1), at, -1)

    def recall(self, name: Array) -> tuple[Array, Matrices]:
        """``[G]`` which of the names are here, and the matrices of those that are."""
        with self.lock:
            at = self.find(name)
            return at >= 0, self.read(at[at >= 0])

    def read(self, at: Array) -> Matrices:
        """The matrices at the places that :meth:`find` gave."""
        self.clock += 1
        self.used[at] = self.clock
        count = self.count[at]
        index = runs(self.begin[at], count)
        row, col = (column[index].astype(np.int64) for column in (self.row, self.col))
        return Matrices(self.size[at], count, row, col, self.value[index])

    def write(self, name: Array, s: Matrices) -> None:
        """Keep matrices under their (distinct) names, those that are not here yet."""
        with self.lock:
            new = np.flatnonzero(self.find(name) < 0)  # another thread may have brought some in the meantime
            self._write(name[new], s if new.size == s.sizes.size else s.pick(new))

    def _write(self, name: Array, s: Matrices) -> None:
        need = s.row.size * self.ENTRY + s.sizes.size * self.MATRIX
        if need > self.limit:
            return
        if self.nbytes + need > self.limit:
            self._forget(min(self.limit // 2, self.limit - need))
        self.clock += 1
        self._append(s)
        name = np.concatenate([self.name, name])
        order = np.argsort(name[:, 0], kind="stable")
        self.name = name[order]
        begin = self.fill - s.row.size + s.counts.cumsum() - s.counts
        used = np.full(s.sizes.size, self.clock)
        more = zip((self.size, self.begin, self.count, self.used), (s.sizes, begin, s.counts, used))
        self.size, self.begin, self.count, self.used = (np.concatenate(pair)[order] for pair in more)

    def _append(self, s: Matrices) -> None:
        old, self.fill = self.fill, self.fill + s.row.size
        if self.fill > self.row.size:
            # Room for as much again: over time each entry is moved about once.
            room = min(max(2 * self.fill, 1 << 12), max(self.fill, self.limit // self.ENTRY))
            self.row, self.col, self.value = (
                np.concatenate([column[:old], np.empty(room - old, column.dtype)])
                for column in (self.row, self.col, self.value)
            )
        new = slice(old, self.fill)
        self.row[new], self.col[new], self.value[new] = s.row, s.col, s.value

    def _forget(self, target: int) -> None:
        """Leave only the most recently used matrices that fit into ``target`` bytes."""
        latest = np.argsort(-self.used, kind="stable")
        fits = (self.count[latest] * self.ENTRY + self.MATRIX).cumsum() <= target
        stay = np.sort(latest[fits])
        index = runs(self.begin[stay], self.count[stay])
        self.row, self.col, self.value = self.row[index], self.col[index], self.value[index]
        self.fill = index.size
        self.name, self.size, self.count, self.used = (
            column[stay] for column in (self.name, self.size, self.count, self.used)
        )
        self.begin = self.count.cumsum() - self.count
