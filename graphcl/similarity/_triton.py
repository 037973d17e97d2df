"""The kernels of Triton: sums over strips of pairs, and gradients over strips of pairs.

Imports Triton, so it is imported only inside the functions of :mod:`graphcl.similarity.triton`.

The names are those of the launches: ``Q [M, NC * BD]`` and ``K [N, NC * BD]`` are rows so scaled that their product
is an exponent of two (with ``SHIFT``, times ``MU``). A strip is BM rows of Q, a tile BN rows of K. ``GQ [E + ONLY, M]``
and ``GK`` hold the groups, ``QLO, QHI [E + ONLY, strips]`` and ``KLO, KHI`` their extremes, by which a tile knows
whether any of its pairs can share one. ``BOUNDED`` says, on the device, that exponentials need no shift: of the two
forms of a kernel, one does nothing. No kernel adds to memory that another writes: the same call gives the same bits.

With ``ONLY`` a branch skips tiles, and loads are not pipelined. What depends on places in shared memory alone is then
the same for every tile: ``disable_licm`` (Triton 3.5) makes it anew in each, for want of registers to keep it. Biases
are added one after the other: the sum of both alone would fill as many registers as the tile.
"""

from typing import no_type_check

import triton
import triton.language as tl

__all__ = ["pull_rows", "sum_both", "sum_rows"]


@triton.jit
@no_type_check
def _load(Z, rows, count, d, LENGTH: tl.constexpr):
    """Columns ``d`` of rows of some length; rows from ``count`` on are zeros."""
    return tl.load(Z + rows[:, None].to(tl.int64) * LENGTH + d[None, :], mask=rows[:, None] < count, other=0.0)


@triton.jit
@no_type_check
def _whole(Q, rows, M, BD: tl.constexpr, NC: tl.constexpr):
    """The rows of a strip where they are one chunk; else nothing that is used."""
    if NC == 1:
        q = _load(Q, rows, M, tl.arange(0, BD), BD)
    else:
        q = M
    return q


@triton.jit
@no_type_check
def _products(
    q, Q, K, rows, cols, M, N, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, NC: tl.constexpr,
    P: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """A tile of exponents."""
    if NC == 1:
        x = tl.dot(q, tl.trans(_load(K, cols, N, tl.arange(0, BD), BD)), input_precision=P)
    else:
        x = tl.zeros([BM, BN], tl.float32)
        for c in tl.range(NC, num_stages=STAGES):
            d = c * BD + tl.arange(0, BD)
            one, other = _load(Q, rows, M, d, BD * NC), _load(K, cols, N, d, BD * NC)
            x = tl.dot(one, tl.trans(other), x, input_precision=P)
    return x


@triton.jit
@no_type_check
def _share(e, strip, tile, QLO, QHI, KLO, KHI, strips, tiles):
    """Whether a pair of the tile can share a group of list ``e``."""
    low, high = tl.load(QLO + e * strips + strip), tl.load(QHI + e * strips + strip)
    return (low <= tl.load(KHI + e * tiles + tile)) & (tl.load(KLO + e * tiles + tile) <= high)


@triton.jit
@no_type_check
def _lists(strip, tile, QLO, QHI, KLO, KHI, strips, tiles, E: tl.constexpr, ONLY: tl.constexpr):
    """The lists that must be compared in the tile: bit e stands for list ``e`` (and for ``e + 31``, and so on).

    None need be of those that exclude if no pair can share a group, and not that of ``ONLY`` if all pairs share one.
    """
    lists = 0
    if ONLY:
        low = tl.minimum(tl.load(QLO + E * strips + strip), tl.load(KLO + E * tiles + tile))
        high = tl.maximum(tl.load(QHI + E * strips + strip), tl.load(KHI + E * tiles + tile))
        lists = (low < high).to(tl.int32) << E % 31
    for e in tl.static_range(E):
        lists |= _share(e, strip, tile, QLO, QHI, KLO, KHI, strips, tiles).to(tl.int32) << e % 31
    return lists


@triton.jit
@no_type_check
def _bar(x, value, lists, rows, cols, GQ, GK, M, N, E: tl.constexpr, ONLY: tl.constexpr):
    """Writes ``value`` where a pair does not count.

    Each list in a branch of its own: registers hold the groups of one at a time, and one that decides nothing is left.
    """
    for e in tl.static_range(E + ONLY):
        if (lists >> e % 31) & 1:
            own = tl.load(GQ + e * M + rows, mask=rows < M, other=0)
            other = tl.load(GK + e * N + cols, mask=cols < N, other=0)
            if e < E:
                x = tl.where(own[:, None] == other[None, :], value, x)
            else:
                x = tl.where(own[:, None] != other[None, :], value, x)
    return x


@triton.jit(do_not_specialize=["M", "N"])  # or every other number of rows would be compiled anew
@no_type_check
def sum_rows(
    Q, K, QB, KB, GQ, GK, QLO, QHI, KLO, KHI, MU, BOUNDED, TOP, SUM, M, N,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, NC: tl.constexpr, SPLITS: tl.constexpr,
    E: tl.constexpr, ONLY: tl.constexpr, BIAS: tl.constexpr, SHIFT: tl.constexpr, P: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """``TOP``, ``SUM [SPLITS, M]``: the sum of a row over one part of the keys is ``SUM * 2^TOP``.

    Grid: strips * SPLITS.
    """
    if tl.load(BOUNDED) == SHIFT:
        return
    strip, part = tl.program_id(0) // SPLITS, tl.program_id(0) % SPLITS
    strips, tiles = tl.cdiv(M, BM), tl.cdiv(N, BN)
    rows = strip * BM + tl.arange(0, BM)
    q = _whole(Q, rows, M, BD, NC)
    if BIAS:
        own_bias = tl.load(QB + rows, mask=rows < M, other=0.0)
    total = tl.zeros([BM], tl.float32)
    top = tl.full([BM], -float("inf") if SHIFT else 0.0, tl.float32)
    for t in tl.range(tiles * part // SPLITS, tiles * (part + 1) // SPLITS, num_stages=STAGES, disable_licm=ONLY > 0):
        run = True
        if ONLY:
            run = _share(E, strip, t, QLO, QHI, KLO, KHI, strips, tiles)
        if run:
            lists = _lists(strip, t, QLO, QHI, KLO, KHI, strips, tiles, E, ONLY)
            cols = t * BN + tl.arange(0, BN)
            x = _products(q, Q, K, rows, cols, M, N, BM, BN, BD, NC, P, STAGES)
            if SHIFT:
                x = x * tl.load(MU)
            if BIAS:
                x = x + own_bias[:, None] + tl.load(KB + cols, mask=cols < N, other=0.0)[None, :]
            if SHIFT:
                if (t + 1) * BN > N:
                    x = tl.where(cols[None, :] < N, x, -float("inf"))
                x = _bar(x, -float("inf"), lists, rows, cols, GQ, GK, M, N, E, ONLY)
                new = tl.maximum(top, tl.max(x, 1))
                reference = tl.where(new == -float("inf"), 0.0, new)
                total = total * tl.exp2(top - reference) + tl.sum(tl.exp2(x - reference[:, None]), 1)
                top = new
            else:
                x = tl.exp2(x)
                if (t + 1) * BN > N:
                    x = tl.where(cols[None, :] < N, x, 0.0)
                x = _bar(x, 0.0, lists, rows, cols, GQ, GK, M, N, E, ONLY)
                total += tl.sum(x, 1)
    place = part.to(tl.int64) * M + rows
    tl.store(SUM + place, total, mask=rows < M)
    tl.store(TOP + place, top, mask=rows < M)


@triton.jit(do_not_specialize=["M", "N"])  # or every other number of rows would be compiled anew
@no_type_check
def sum_both(
    Q, K, QB, KB, GQ, GK, QLO, QHI, KLO, KHI, MU, BOUNDED, ROWS, COLS, M, N,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, NC: tl.constexpr, TRIANGLE: tl.constexpr,
    E: tl.constexpr, ONLY: tl.constexpr, BIAS: tl.constexpr, P: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Adds the sums of rows and columns to line c of ``ROWS [programs, M]`` and ``COLS [programs, N]``: zeros before.

    Program c takes an equal share of all tiles, strip after strip. ``TRIANGLE``: queries are keys, only tiles that
    reach the diagonal or lie below it are visited, and ``COLS`` is ``ROWS``.
    """
    if tl.load(BOUNDED) == 0:
        return
    c, programs = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    R: tl.constexpr = BM // BN
    strips, tiles = tl.cdiv(M, BM), tl.cdiv(N, BN)
    if TRIANGLE:  # strip i has (i + 1) R tiles, the last strip perhaps fewer
        count = strips.to(tl.int64) * (strips + 1) // 2 * R
    else:
        count = strips.to(tl.int64) * tiles
    begin, end = count * c // programs, count * (c + 1) // programs
    if TRIANGLE:
        first = ((tl.sqrt((8 * (begin // R) + 1).to(tl.float64)) - 1) * 0.5).to(tl.int64)
        first -= (first * (first + 1) // 2 * R > begin).to(tl.int64)
        first += ((first + 1) * (first + 2) // 2 * R <= begin).to(tl.int64)
        before = first * (first + 1) // 2 * R
    else:
        first = begin // tiles
        before = first * tiles
    strip = first.to(tl.int32)
    while before < end:
        width = tiles
        if TRIANGLE:
            width = (strip + 1) * R
        lo = tl.maximum(begin - before, 0).to(tl.int32)
        hi = tl.minimum(tl.minimum(end - before, width), tiles).to(tl.int32)
        rows = strip * BM + tl.arange(0, BM)
        q = _whole(Q, rows, M, BD, NC)
        if BIAS:
            own_bias = tl.load(QB + rows, mask=rows < M, other=0.0)
        total = tl.zeros([BM], tl.float32)
        for t in tl.range(lo, hi, num_stages=STAGES, disable_licm=ONLY > 0):
            run = True
            if ONLY:
                run = _share(E, strip, t, QLO, QHI, KLO, KHI, strips, tiles)
            if run:
                lists = _lists(strip, t, QLO, QHI, KLO, KHI, strips, tiles, E, ONLY)
                cols = t * BN + tl.arange(0, BN)
                x = _products(q, Q, K, rows, cols, M, N, BM, BN, BD, NC, P, STAGES)
                if BIAS:
                    x = x + own_bias[:, None] + tl.load(KB + cols, mask=cols < N, other=0.0)[None, :]
                x = tl.exp2(x)
                if ((t + 1) * BN > N) | ((strip + 1) * BM > M):
                    x = tl.where((cols[None, :] < N) & (rows[:, None] < M), x, 0.0)
                x = _bar(x, 0.0, lists, rows, cols, GQ, GK, M, N, E, ONLY)
                total += tl.sum(x, 1)
                # The tiles on the diagonal hold every pair of the strip's rows from both of its sides.
                if (not TRIANGLE) or t < strip * R:
                    place = COLS + c * N + cols
                    tl.store(place, tl.load(place, mask=cols < N, other=0.0) + tl.sum(x, 0), mask=cols < N)
        # Other threads of this program wrote column sums where a later strip adds its row sums.
        tl.debug_barrier()
        place = ROWS + c * M + rows
        tl.store(place, tl.load(place, mask=rows < M, other=0.0) + total, mask=rows < M)
        tl.debug_barrier()
        before += width
        strip += 1


@triton.jit(do_not_specialize=["M", "N"])  # or every other number of rows would be compiled anew
@no_type_check
def pull_rows(
    Q, K, QB, KB, GQ, GK, QLO, QHI, KLO, KHI, MU, BOUNDED, WQ, WK, LQ, LK, FACTOR, DQ, DB, M, N, D,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, NC: tl.constexpr, SPLITS: tl.constexpr,
    E: tl.constexpr, ONLY: tl.constexpr, BIAS: tl.constexpr, SHIFT: tl.constexpr,
    OWN: tl.constexpr, OTHER: tl.constexpr, BO: tl.constexpr, P: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """``DQ [SPLITS, M, D]``: ``FACTOR`` times the sum of ``2^x (WQ_i + WK_j) K_j`` over one part of the keys.

    With ``SHIFT`` the weights stand for ``WQ_i 2^-LQ_i`` and ``WK_j 2^-LK_j``, which alone may be too small or large.
    ``OWN`` and ``OTHER`` say which of the two there are. ``DB [SPLITS, M]``, with a bias, gets the sum without K.
    Grid strips * SPLITS, chunks of BO columns of the result (BD where a row is one chunk).
    """
    if tl.load(BOUNDED) == SHIFT:
        return
    strip, part = tl.program_id(0) // SPLITS, tl.program_id(0) % SPLITS
    chunk = tl.program_id(1)
    strips, tiles = tl.cdiv(M, BM), tl.cdiv(N, BN)
    rows = strip * BM + tl.arange(0, BM)
    q = _whole(Q, rows, M, BD, NC)
    if BIAS:
        own_bias = tl.load(QB + rows, mask=rows < M, other=0.0)
        pulled = tl.zeros([BM], tl.float32)
    if OWN:
        own = tl.load(WQ + rows, mask=rows < M, other=0.0)
        if SHIFT:
            own_log = tl.load(LQ + rows, mask=rows < M, other=0.0)
    d = chunk * BO + tl.arange(0, BO)
    acc = tl.zeros([BM, BO], tl.float32)
    for t in tl.range(tiles * part // SPLITS, tiles * (part + 1) // SPLITS, num_stages=STAGES, disable_licm=ONLY > 0):
        run = True
        if ONLY:
            run = _share(E, strip, t, QLO, QHI, KLO, KHI, strips, tiles)
        if run:
            lists = _lists(strip, t, QLO, QHI, KLO, KHI, strips, tiles, E, ONLY)
            cols = t * BN + tl.arange(0, BN)
            if NC == 1:
                k = _load(K, cols, N, d, BD)
                x = tl.dot(q, tl.trans(k), input_precision=P)
            else:
                x = _products(q, Q, K, rows, cols, M, N, BM, BN, BD, NC, P, STAGES)
            if SHIFT:
                x = x * tl.load(MU)
            if BIAS:
                x = x + own_bias[:, None] + tl.load(KB + cols, mask=cols < N, other=0.0)[None, :]
            if OTHER:
                other = tl.load(WK + cols, mask=cols < N, other=0.0)
            # Of pairs that count, none is above its sum by more than rounding.
            if SHIFT:
                p = tl.zeros([BM, BN], tl.float32)
                if OWN:
                    p += tl.exp2(tl.minimum(x - own_log[:, None], 1.0)) * own[:, None]
                if OTHER:
                    other_log = tl.load(LK + cols, mask=cols < N, other=0.0)
                    p += tl.exp2(tl.minimum(x - other_log[None, :], 1.0)) * other[None, :]
            else:
                p = tl.exp2(x)
                if OWN and OTHER:
                    p = p * (own[:, None] + other[None, :])
                elif OWN:
                    p = p * own[:, None]
                else:
                    p = p * other[None, :]
            if (t + 1) * BN > N:  # what stands for no key may be infinite in 16 bits, and a zero row times that is NaN
                p = tl.where(cols[None, :] < N, p, 0.0)
            p = _bar(p, 0.0, lists, rows, cols, GQ, GK, M, N, E, ONLY)
            if BIAS:
                pulled += tl.sum(p, 1)
            if NC > 1:
                place = cols[:, None].to(tl.int64) * (BD * NC) + d[None, :]
                k = tl.load(K + place, mask=(cols[:, None] < N) & (d[None, :] < BD * NC), other=0.0)
            acc = tl.dot(p.to(k.dtype), k, acc, input_precision=P)
    # Rows are counted from the strip's first: their numbers among all M would be made before the loop, in the layout of
    # this store too, and a register for each of them held through it.
    start = part.to(tl.int64) * M + strip * BM
    row = tl.arange(0, BM)
    place = row[:, None] * D + d[None, :]
    mask = (row[:, None] < M - strip * BM) & (d[None, :] < D)
    tl.store(DQ + start * D + place, acc * tl.load(FACTOR), mask=mask)
    if BIAS:
        if chunk == 0:
            tl.store(DB + start + row, pulled, mask=rows < M)
