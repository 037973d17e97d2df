"""Diffusion of a large graph without ever holding an N x N matrix: only walkers that are many enough are followed.

From every node j a crowd of weight 1 sets out; entry S[i, j] is the part of it that stops at i. In each round the crowd
at a node moves on only if it is large against the node's degree, so that the work for a start does not depend on the
size of the graph. With w_i = (degree of i) / (mean degree), entry S[i, j] of T = A D^-1 is too small by at most
``tolerance * w_i / max(1, w_j)``, and never too large (undirected graphs; in directed ones read T^m w for w). Starts of
high degree are followed further, because their entries are small: all of them cost no more than the rest.

Source of the idea: Andersen, Chung, Lang, "Local Graph Partitioning using PageRank Vectors", FOCS 2006; for the heat
kernel Kloster, Gleich, "Heat Kernel Based Community Detection", KDD 2014.
"""

from dataclasses import dataclass

import numpy as np

from graphcl.augment._kernels import Kernel, Term
from graphcl.augment._matrices import Array, Matrices, runs
from graphcl.augment._sparsify import Rule, rank

__all__ = ["push"]

CELLS = 1 << 19  # of a block of starts times all nodes: 4 MiB in float64


def push(a: Matrices, kernel: Kernel, rule: Rule, tolerance: float) -> Matrices:
    """The sparsified diffusion of one graph with adjacency matrix ``a``."""
    n = int(a.sizes[0])
    ways = _Ways.of(a, rule)
    crowd = _Crowd(ways, kernel, tolerance, min(n, max(1, CELLS // max(n, 1))))
    found = [_kept(ways, rule, *crowd.send(begin)) for begin in range(0, n, crowd.starts)]
    row, col, flow = (np.concatenate(column) for column in zip(*found)) if found else (a.row, a.col, a.value)
    code = row * n + col
    if ways.undirected and not rule.directed:
        code, flow = np.concatenate([code, col * n + row]), np.concatenate([flow, flow])
    order = np.argsort(code, kind="stable")
    code, flow = code[order], flow[order]
    new = np.diff(code, prepend=-1) != 0
    # Two bounds from below for the same flow: the larger is the nearer.
    flow = np.maximum.reduceat(flow, new.nonzero()[0]) if flow.size else flow
    row, col = np.divmod(code[new], max(n, 1))
    return Matrices(a.sizes, np.array([row.size]), row, col, ways.values(row, col, flow, rule))


@dataclass(frozen=True)
class _Ways:
    """The steps that a walker can take, against the direction of the edges, as the columns of T are.

    Attributes:
        first, count: ``[N]`` where each node's ways begin in ``to``, and how many they are.
        to, part: ``[E]`` where a way leads, and what part of a crowd takes it; crowds are counted in units of w.
        degree, share: ``[N]`` the incoming weight (1 where there is none), and w: that over its mean.
        undirected: Whether every edge has its reverse, of the same weight.
    """

    first: Array
    count: Array
    to: Array
    part: Array
    degree: Array
    share: Array
    undirected: bool

    @classmethod
    def of(cls, a: Matrices, rule: Rule) -> "_Ways":
        n = int(a.sizes[0])
        loops = np.arange(n if rule.self_loops else 0)
        given = np.concatenate([a.col * n + a.row, loops * (n + 1)])
        code, home = np.unique(given, return_inverse=True)
        value = np.bincount(home, np.concatenate([a.value, np.ones(loops.size)]), minlength=code.size)
        code, value = code[value > 0], value[value > 0]
        at, to = np.divmod(code, max(n, 1))
        degree = np.bincount(at, value, minlength=n)
        order = np.argsort(to * n + at, kind="stable")
        same = np.array_equal((to * n + at)[order], code)
        undirected = same and bool((np.abs(value[order] - value) <= 1e-9 * value).all())
        if rule.normalisation == "sym":
            open_ = degree[to] > 0
            at, to, value = at[open_], to[open_], value[open_]
        mean = degree.sum() / max(np.count_nonzero(degree), 1)
        degree = np.where(degree > 0, degree, 1.0)
        share = degree / mean if mean > 0 else np.ones(n)
        count = np.bincount(at, minlength=n)
        part = value / degree[at] * share[at] / share[to]
        return cls(count.cumsum() - count, count, to, part, degree, share, undirected)

    def values(self, row: Array, col: Array, flow: Array, rule: Rule) -> Array:
        """The entries of S, from what flows between two nodes: S[i, j] d_j for column-stochastic T."""
        if rule.normalisation == "sym":
            root = np.sqrt(self.degree)
            return flow / (root[row] * root[col])
        return flow / self.degree[col]


class _Crowd:
    """Walkers from a block of starts, as dense ``[starts, N]`` arrays that are used for one block after the other."""

    def __init__(self, ways: _Ways, kernel: Kernel, tolerance: float, starts: int) -> None:
        self.ways, self.kernel, self.tolerance, self.starts = ways, kernel, tolerance, starts
        cells = starts * ways.count.size
        self.moving, self.stopped = np.zeros(cells), np.zeros(cells)
        self.mark = np.empty(cells, dtype=np.int64)
        self.terms: list[Term] = []

    def send(self, begin: int) -> tuple[Array, Array, Array]:
        """Row, column and flow of all entries found in the columns from ``begin`` on, in the order of columns."""
        ways, n = self.ways, self.ways.count.size
        start = np.arange(begin, min(begin + self.starts, n))
        base = (start - begin) * n
        node, at = start, base + start
        self.moving[at] = np.maximum(1.0, ways.share[start]) / ways.share[start]
        seen, cold = [], []
        k = 0
        while at.size:
            term = self._term(k)
            many = self.moving[at]
            self.moving[at] = 0.0
            new = self.stopped[at] == 0.0
            seen.append(at[new])
            self.stopped[at] += term.share * many
            to, at, node = self._step(at, node, term.onwards * many, self._term(k + 1).bar * self.tolerance)
            if self.kernel.waits:
                cold.append(to)
            elif to.size:
                many = self.moving[at]
                self.moving[to] = 0.0
                self.moving[at] = many
            k += 1
        found = np.concatenate(seen)
        if self._term(0).share < 1e-200:  # so little stops at first that it is nothing: a place may look new again
            found = np.unique(found)
        value = self.stopped[found]
        self.stopped[found] = 0.0
        if self.kernel.waits:
            # Of those who still wait, this part stops where it is.
            value += self._term(k).share * self.moving[found]
            self.moving[np.concatenate(cold)] = 0.0
        which, row = np.divmod(found, n)
        col = start[which]
        flow = value * ways.share[row] / np.maximum(1.0, ways.share[col]) * ways.degree[col]
        return row, col, flow

    def _step(self, at: Array, node: Array, many: Array, bar: float) -> tuple[Array, Array, Array]:
        """Move ``many`` from ``at``: all places reached, and those where now more than ``bar`` are, each once."""
        ways = self.ways
        count = ways.count[node]
        index = runs(ways.first[node], count)
        to_node = ways.to[index]
        to = np.repeat(at - node, count)
        to += to_node
        np.add.at(self.moving, to, np.repeat(many, count) * ways.part[index])
        hot = np.flatnonzero(self.moving[to] > bar)
        at, node = to[hot], to_node[hot]
        # The last to write its number into a place speaks for it: a set, in an order that depends on no other start.
        number = np.arange(at.size)
        self.mark[at] = number
        own = self.mark[at] == number
        return to, at[own], node[own]

    def _term(self, k: int) -> Term:
        while len(self.terms) <= k:
            self.terms.append(self.kernel.term(len(self.terms)))
        return self.terms[k]


def _kept(ways: _Ways, rule: Rule, row: Array, col: Array, flow: Array) -> tuple[Array, Array, Array]:
    """The entries that the rule keeps, of whole columns."""
    value = ways.values(row, col, flow, rule)
    ranks = rank(value)
    if rule.threshold is not None:
        keep = np.flatnonzero((ranks > 0) & (value >= rule.threshold))
    else:
        assert rule.top_k is not None
        keep = np.lexsort((row, -ranks, col))
        begin = np.flatnonzero(np.diff(col[keep], prepend=-1))
        place = np.arange(keep.size) - np.repeat(begin, np.diff(begin, append=keep.size))
        keep = keep[(place < rule.top_k) & (ranks[keep] > 0)]
    return row[keep], col[keep], flow[keep]
