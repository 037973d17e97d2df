"""Sparse square matrices of many graphs side by side, on the host: what goes into a diffusion and what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcl.augment._graph import Graph

__all__ = ["Array", "Matrices", "runs"]

Array = NDArray[Any]


def runs(begin: Array, counts: Array) -> Array:
    """The positions ``begin[i], begin[i] + 1, ...``, ``counts[i]`` of them, one run after the other."""
    end = counts.cumsum()
    index = np.repeat(begin - end + counts, counts)
    index += np.arange(index.size)
    return index


@dataclass(frozen=True)
class Matrices:
    """The entries of G square matrices, one matrix after the other.

    Attributes:
        sizes: ``[G]`` rows of each matrix.
        counts: ``[G]`` entries of each matrix.
        row, col: ``[M]`` int64, numbered within the matrix; as an edge, its source and its target.
        value: ``[M]`` float64.
    """

    sizes: Array
    counts: Array
    row: Array
    col: Array
    value: Array

    @classmethod
    def of(cls, graph: Graph, weight: Tensor | None) -> "Matrices":
        """The adjacency matrices of the graphs; every edge counts 1 where there is no ``weight`` [E]."""
        ends = graph.local.index_select(0, graph.edge_index.flatten()).view(2, -1).cpu().numpy()
        value = np.ones(graph.num_edges) if weight is None else weight.detach().double().cpu().numpy()
        return cls(graph.sizes.cpu().numpy(), graph.edge_counts.cpu().numpy(), ends[0], ends[1], value)

    @classmethod
    def join(cls, parts: Sequence["Matrices"]) -> "Matrices":
        """All matrices of all ``parts`` (at least one)."""
        columns = zip(*((p.sizes, p.counts, p.row, p.col, p.value) for p in parts))
        return cls(*(np.concatenate(column) for column in columns))

    def pick(self, which: Array) -> "Matrices":
        """The matrices at ``which``, in that order."""
        counts = self.counts[which]
        index = runs((self.counts.cumsum() - self.counts)[which], counts)
        return Matrices(self.sizes[which], counts, self.row[index], self.col[index], self.value[index])

    @property
    def first(self) -> Array:
        """``[M]`` where the rows of an entry's matrix begin, if the rows of all matrices are counted through."""
        return np.repeat(self.sizes.cumsum() - self.sizes, self.counts)

    def edges(self, device: torch.device) -> Tensor:
        """``[2, M]`` the entries as edges, numbered through all graphs."""
        return torch.from_numpy(np.stack([self.row, self.col]) + self.first).to(device)
