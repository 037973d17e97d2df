"""The pairs of nodes that edges join, each once: found by one sort of the edges, or by the names that they carry."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcl._host import BLOCK, ascending, empty_like, in_blocks, where
from graphcl._random import Array, Key, hash_ids, hash_on_host, key_on_host
from graphcl.augment._graph import Graph
from graphcl.augment._select import Count, how_many, places, smallest_k

__all__ = ["Pairs", "code_of", "hash_edges", "width"]


Note = Callable[[slice, Array], None]
"""Takes the unsigned hashes of a slice of edges or pairs; they are overwritten afterwards."""


def code_of(source: Tensor, target: Tensor, *, directed: bool, bits: int = 32) -> Tensor:
    """A name for the pair of ends of each edge: the larger node, then the smaller; source, then target if directed."""
    if source.device.type == "cpu":  # numpy compares and shifts several times as fast
        code = np.empty(source.shape, np.int64)
        code_on_host(source.numpy(), target.numpy(), code, np.empty_like(code), directed=directed, bits=bits)
        return torch.from_numpy(code)
    if not directed:
        source, target = torch.maximum(source, target), torch.minimum(source, target)
    return (source << bits).bitwise_or_(target)


def code_on_host(source: Array, target: Array, out: Array, spare: Array, *, directed: bool, bits: int = 32) -> None:
    """The same into ``out``; ``spare`` has its shape, so that a block of a long column needs no memory of its own."""
    if directed:
        np.bitwise_or(np.left_shift(source, bits, out=out), target, out=out)
        return
    high, low = np.maximum(source, target, out=out), np.minimum(source, target, out=spare)
    np.bitwise_or(np.left_shift(high, bits, out=out), low, out=out)


def hash_edges(graph: Graph, key: Key, note: Note, *, directed: bool) -> None:
    """Hand one hash per edge to ``note``, of (key, graph, pair of ends): block by block, on the host."""
    source, target = graph.edge_index.numpy()
    keys, ptr = key_on_host(graph.keys(key)), graph.ptr.numpy()
    home = None if graph.num_graphs == 1 else graph.edge_batch.numpy()

    def names(part: slice, out: Array, spare: Array) -> Array:
        if home is None:
            code_on_host(source[part], target[part], out, spare, directed=directed)
            return keys
        first = ptr.take(home[part])
        code_on_host(source[part] - first, target[part] - first, out, spare, directed=directed)
        return keys.take(home[part])

    _hash_blocks(graph.num_edges, names, note)


def _hash_blocks(n: int, names: Callable[[slice, Array, Array], Array], note: Note) -> None:
    """Hash what ``names`` writes for each block of range(n) into its second argument, under the keys it returns."""
    memory = np.empty((2, min(BLOCK, n)), np.int64)
    for i in range(0, n, BLOCK):
        part = slice(i, min(i + BLOCK, n))
        code, spare = memory[:, : part.stop - i]
        keys = names(part, code, spare)
        hashes = code.view(np.uint64)
        hash_on_host(hashes, keys, hashes, spare.view(np.uint64))
        note(part, hashes)


def width(graph: Graph) -> int:
    """How many bits a node of the batch needs."""
    return max(graph.num_nodes - 1, 1).bit_length()


@dataclass(frozen=True)
class Pairs:
    """The P distinct pairs joined by the edges of a graph, ordered by graph and within it by number.

    Attributes:
        of: The graph.
        cell: ``[P]`` each pair's code in the batch's numbering, ascending; graphs lie one after another.
        of_edge: ``[E]`` the pair of each edge.
        directed: Whether the two directions of an edge are two pairs.
    """

    of: Graph
    cell: Tensor
    of_edge: Tensor
    directed: bool

    @classmethod
    def find(cls, graph: Graph, *, directed: bool, trust_names: bool = True) -> "Pairs":
        """The pairs of ``graph``, found by sorting its edges, or by the names in ``edge_pair`` where they hold true."""
        named = None if directed or not trust_names else _by_name(graph)
        cell, of_edge = named or _by_sorting(graph, directed=directed)
        return cls(graph, cell, of_edge, directed)

    @cached_property
    def graph(self) -> Tensor:
        """``[P]`` the graph of each pair."""
        if self.of.num_graphs == 1:
            return self.cell.new_zeros(1).expand(self.cell.numel())
        return self.of.batch.index_select(0, self.cell >> width(self.of))

    @cached_property
    def counts(self) -> Tensor:
        """``[G]`` pairs per graph."""
        if self.of.num_graphs == 1:
            return self.cell.new_full((1,), self.cell.numel())
        # A cell begins with its larger node, or its source, and the nodes of a graph with its first one.
        return torch.searchsorted(self.cell, self.of.ptr << width(self.of)).diff()

    @property
    def nodes(self) -> tuple[Tensor, Tensor]:
        """``[P]`` and ``[P]`` the two nodes in the batch's numbering: larger and smaller, or source and target."""
        bits = width(self.of)
        return self.cell >> bits, self.cell & ((1 << bits) - 1)

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """``[P]`` and ``[P]`` the same, numbered within the graph."""
        major, minor = self.nodes
        if self.of.num_graphs == 1:
            return major, minor
        begin = self.of.ptr.index_select(0, self.graph)
        return major.sub_(begin), minor.sub_(begin)

    def hashes(self, key: Key) -> Tensor:
        """``[P]`` one hash per pair, of (key, graph, pair)."""
        keys, bits = self.of.keys(key), width(self.of)
        if self.of.num_graphs == 1 and self.cell.device.type == "cpu":
            cell, salt = self.cell.numpy(), key_on_host(keys)
            out = empty_like(self.cell, cell.size)
            hashes = out.numpy().view(np.uint64)

            def names(part: slice, out: Array, spare: Array) -> Array:
                np.left_shift(np.right_shift(cell[part], bits, out=out), 32, out=out)
                np.bitwise_or(out, np.bitwise_and(cell[part], (1 << bits) - 1, out=spare), out=out)
                return salt

            _hash_blocks(cell.size, names, lambda part, found: hashes.__setitem__(part, found))
            return out
        major, minor = self.ends
        return hash_ids(keys.index_select(0, self.graph), (major << 32).bitwise_or_(minor))

    def choose(self, hashes: Tensor, share: float, count: Count) -> Tensor:
        """``[P]`` true for ``count(share * m)`` of each graph's ``m`` pairs, those with the smallest hashes."""
        return smallest_k(hashes, self.graph, how_many(share, self.counts, count), self.counts)


def _by_sorting(graph: Graph, *, directed: bool) -> tuple[Tensor, Tensor]:
    """The distinct cells, ascending, and which of them each edge has."""
    bits = width(graph)
    if graph.device.type != "cpu" or graph.num_edges == 0:
        return torch.unique(code_of(*graph.edge_index, directed=directed, bits=bits), return_inverse=True)
    low = places(graph.num_edges)
    if graph.num_edges > 2 * BLOCK or 2 * bits + low > 63:
        place, ordered = _ordered(code_of(*graph.edge_index, directed=directed, bits=bits))
    else:
        place, ordered = _packed(graph, directed=directed, bits=bits, low=low)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    np.not_equal(ordered.numpy()[1:], ordered.numpy()[:-1], out=fresh.numpy()[1:])
    cell = ordered.index_select(0, where(fresh))
    rank = fresh.cumsum(0).sub_(1)
    return cell, empty_like(rank, rank.numel()).scatter_(0, place, rank)


def _ordered(cell: Tensor) -> tuple[Tensor, Tensor]:
    """The edges in the order of their cells, and those cells."""
    if ascending(cell):  # as directed edges often are
        return torch.arange(cell.numel()), cell
    ordered, place = cell.sort(stable=True)
    return place, ordered


def _packed(graph: Graph, *, directed: bool, bits: int, low: int) -> tuple[Tensor, Tensor]:
    """The same of fewer edges: cell and edge go into one number, which numpy sorts faster than torch finds an order."""
    packed = code_of(*graph.edge_index, directed=directed, bits=bits).numpy()
    np.bitwise_or(np.left_shift(packed, low, out=packed), np.arange(packed.size), out=packed)
    packed.sort()
    return torch.from_numpy(packed & ((1 << low) - 1)), torch.from_numpy(packed >> low)


def _by_name(graph: Graph) -> tuple[Tensor, Tensor] | None:
    """The same without sorting, or ``None`` where the names of the pairs are missing or no longer true.

    Whatever has happened to the graph since they were given: they are true if and only if all edges of a name lie in
    one cell and the cells of rising names rise.
    """
    names, bits = graph.edge_pair, width(graph)
    if names is None or names.numel() == 0:
        return None
    cell = _recall(graph.edge_index, names)
    if cell is not None:
        return cell, names
    least, most = (int(value) for value in torch.stack(torch.aminmax(names)).tolist())
    if least < 0:
        return None
    size = most + 1
    if graph.num_graphs > 1:
        last = graph.ptr.new_full((graph.num_graphs,), -1).scatter_reduce_(0, graph.edge_batch, names, "amax")
        size = int((last + 1).sum())
    if size > 8 * names.numel():  # few edges are left of many, or these are no names: sorting is as fast
        return None
    if graph.num_graphs > 1:
        names = names + (last.cumsum(0) - last + torch.arange(graph.num_graphs, device=last.device))[graph.edge_batch]
    table = empty_like(names, size).fill_(-1)
    columns = (*graph.edge_index, names)
    for src, dst, name in zip(*(torch.split(c, BLOCK if c.device.type == "cpu" else c.numel()) for c in columns)):
        table.scatter_(0, name, code_of(src, dst, directed=False, bits=bits))
    same = in_blocks(
        lambda src, dst, name: table.index_select(0, name) == code_of(src, dst, directed=False, bits=bits), *columns
    )
    if not bool(same.all()):
        return None
    used = table >= 0
    complete = bool(used.all())
    if not complete:  # a view has dropped edges, and their names with them
        table = table.index_select(0, where(used))
        names = (used.cumsum(0) - 1).index_select(0, names)
    if not bool((table[1:] > table[:-1]).all()):
        return None
    if complete and graph.num_graphs == 1 and graph.edge_rows is None:
        _remember(graph.edge_index, names, table)
    return table, names


# A large graph is looked at for every view, always through the same two tensors: what they were found to say is kept
# as long as both live and neither was written to, by the version that torch counts for autograd.
_known: dict[int, tuple[Any, Any, tuple[int, int], Tensor]] = {}


def _recall(edge_index: Tensor, names: Tensor) -> Tensor | None:
    edges_ref, names_ref, versions, cell = _known.get(id(names), (None, None, (0, 0), names))
    if edges_ref is None or edges_ref() is not edge_index or names_ref() is not names:
        return None
    return cell if versions == (edge_index._version, names._version) else None


def _remember(edge_index: Tensor, names: Tensor, cell: Tensor) -> None:
    if edge_index.is_inference() or names.is_inference():  # torch counts no versions of these
        return
    place = id(names)

    def forget(_: Any) -> None:
        _known.pop(place, None)

    refs = (weakref.ref(edge_index, forget), weakref.ref(names, forget))
    _known[place] = (*refs, (edge_index._version, names._version), cell)
