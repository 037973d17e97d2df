"""Which tiles of the matrix of pairs are visited, and what is barred in each."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._pairs import Pairs

__all__ = ["Plan", "Strip", "Tile", "is_symmetric", "make_plan"]


class Tile(NamedTuple):
    """Columns ``start:stop`` of a strip."""

    start: int
    stop: int
    diagonal: bool  # of a triangle: pairs of the strip's rows among themselves
    listed: tuple[int, int]  # which of the plan's listed pairs lie in the tile
    exclude: tuple[int, ...]  # which lists of groups must be compared here
    only: bool  # whether the groups of ``only`` must be compared here


class Strip(NamedTuple):
    """Rows ``start:stop`` and the tiles in which they meet keys."""

    start: int
    stop: int
    tiles: list[Tile]


@dataclass(frozen=True)
class Plan:
    """All strips. ``triangle``: each unordered pair is visited once and counts for both of its rows."""

    triangle: bool
    strips: list[Strip]
    pairs: Pairs
    listed: Tensor = field(repr=False)  # [2, L] rows and columns of single barred pairs, sorted by tile

    def bar(self, scores: Tensor, strip: Strip, tile: Tile, value: float) -> None:
        """Writes ``value`` where pairs of the tile do not count."""
        low, high = tile.listed
        if low < high:
            rows, columns = self.listed[:, low:high]
            place = (rows - strip.start) * (tile.stop - tile.start) + (columns - tile.start)
            scores.view(-1).index_fill_(0, place, value)
        for groups in tile.exclude:
            own = self.pairs.exclude_query[groups, strip.start : strip.stop, None]
            scores.masked_fill_(own == self.pairs.exclude_key[groups, tile.start : tile.stop], value)
        if tile.only:
            own = self.pairs.only_query[0, strip.start : strip.stop, None]
            scores.masked_fill_(own != self.pairs.only_key[0, tile.start : tile.stop], value)


def make_plan(m: int, n: int, pairs: Pairs, *, triangle: bool, rows: int, columns: int) -> Plan:
    """Cuts M x N pairs into tiles of at most ``rows`` x ``columns`` and finds what is barred in each.

    Groups that share few pairs (the own index, duplicates) become a list of pairs; of the others, each tile is asked by
    the least and greatest group of its rows and columns whether it can share any, so that sorted groups (graphs of a
    batch, negatives of the own graph alone) touch the tiles along the diagonal and no others.

    Args:
        m: Number of queries.
        n: Number of keys.
        pairs: What does not count.
        triangle: Wanted for the pairs of one set of rows; given up where what is barred is not symmetric.
        rows: Height of a tile.
        columns: Width of a tile, a multiple of ``rows``.
    """
    triangle = triangle and is_symmetric(pairs, n)
    dense, listed = _split(pairs, m, n)
    block = torch.div(listed[0], rows, rounding_mode="floor") * n + listed[1]
    block, order = block.sort()
    cuts = _cut(m, n, triangle, rows, columns)
    keep, exclude, only = _compare(cuts, pairs, dense, rows, columns)
    cuts, exclude, only = cuts[keep], exclude[:, keep], only[keep]
    first = (cuts[:, 0] // rows * n)[:, None] + cuts[:, 2:4]
    bounds = torch.searchsorted(block, first.to(block.device)).tolist()
    lists = exclude.T.tolist()
    strips: list[Strip] = []
    for (a, b, c, d), bound, flags, restrict in zip(cuts.tolist(), bounds, lists, only.tolist(), strict=True):
        if not strips or strips[-1].start != a:
            strips.append(Strip(a, b, []))
        needed = tuple(e for e, flag in zip(dense, flags, strict=True) if flag)
        strips[-1].tiles.append(Tile(c, d, triangle and a == c, (bound[0], bound[1]), needed, restrict))
    return Plan(triangle, strips, pairs, listed[:, order])


def is_symmetric(pairs: Pairs, n: int) -> bool:
    queries, keys = (*pairs.exclude_query, *pairs.only_query), (*pairs.exclude_key, *pairs.only_key)
    for query_group, key_group in zip(queries, keys, strict=True):
        # A row of two different groups (some mark "no group" so) does no harm where neither meets another row's.
        odd = query_group != key_group
        if torch.isin(query_group[odd], key_group).any() or torch.isin(key_group[odd], query_group).any():
            return False
    forth, back = pairs.skip[0] * n + pairs.skip[1], pairs.skip[1] * n + pairs.skip[0]
    return torch.equal(torch.unique(forth), torch.unique(back))


def _split(pairs: Pairs, m: int, n: int) -> tuple[list[int], Tensor]:
    """The lists of groups that must be compared tile by tile, and the others (with ``skip``) as single pairs."""
    dense, single = [], [pairs.skip]
    for e, (query_group, key_group) in enumerate(zip(pairs.exclude_query, pairs.exclude_key, strict=True)):
        sorted_keys, order = key_group.sort(stable=True)
        low = torch.searchsorted(sorted_keys, query_group)
        count = torch.searchsorted(sorted_keys, query_group, right=True) - low
        total = int(count.sum())
        if total > 16 * (m + n):
            dense.append(e)
            continue
        row = torch.repeat_interleave(count, output_size=total)
        within = torch.arange(total, device=row.device) - (count.cumsum(0) - count)[row]
        single.append(torch.stack([row, order[low[row] + within]]))
    return dense, torch.cat(single, 1)


def _cut(m: int, n: int, triangle: bool, rows: int, columns: int) -> Tensor:
    """``[T, 4]`` first and last row, first and last column of every tile, strip by strip."""
    cuts = []
    for a in range(0, m, rows):
        b = min(a + rows, m)
        if triangle:
            cuts.append((a, b, a, b))
        cuts += [(a, b, c, min(c + columns, n)) for c in range(b if triangle else 0, n, columns)]
    return torch.tensor(cuts, dtype=torch.int64).reshape(-1, 4)


def _compare(cuts: Tensor, pairs: Pairs, dense: list[int], rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which tiles hold pairs that count ``[T]``, need each list of groups ``[E, T]``, and need ``only`` ``[T]``."""
    keep = torch.ones(len(cuts), dtype=torch.bool)
    exclude = torch.zeros(len(dense), len(cuts), dtype=torch.bool)
    only = torch.zeros(len(cuts), dtype=torch.bool)
    for position, e in enumerate(dense):
        apart, alike = _overlap(cuts, pairs.exclude_query[e], pairs.exclude_key[e], rows, columns)
        keep &= ~alike
        exclude[position] = ~apart
    for query_group, key_group in zip(pairs.only_query, pairs.only_key, strict=True):
        apart, alike = _overlap(cuts, query_group, key_group, rows, columns)
        keep &= ~apart
        only = ~alike
    return keep, exclude, only


def _overlap(cuts: Tensor, query_group: Tensor, key_group: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Tiles whose rows and columns certainly share no group, and tiles in which all pairs share one."""
    low, high = _extremes(query_group, rows)
    first = cuts[:, 0] // rows
    row_low, row_high = low[first], high[first]
    low, high = _extremes(key_group, rows)
    first, last = cuts[:, 2] // rows, (cuts[:, 3] - 1) // rows
    column_low, column_high = low[first], high[first]
    for step in range(1, columns // rows):
        block = (first + step).minimum(last)
        column_low, column_high = column_low.minimum(low[block]), column_high.maximum(high[block])
    apart = (row_high < column_low) | (column_high < row_low)
    alike = (row_low == row_high) & (column_low == column_high) & (row_low == column_low)
    return apart, alike


def _extremes(group: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Least and greatest group of every ``size`` rows, on the host."""
    if not len(group):
        return torch.zeros(0, dtype=group.dtype), torch.zeros(0, dtype=group.dtype)
    missing = -len(group) % size
    blocks = torch.cat([group, group[-1:].expand(missing)]).view(-1, size)
    return blocks.amin(1).cpu(), blocks.amax(1).cpu()
