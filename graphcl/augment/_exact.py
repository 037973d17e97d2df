"""Diffusion of small graphs as dense matrices, those of similar size stacked and padded to one size.

What a graph is padded to depends on its own size only, and nothing here mixes the graphs of a stack: a graph's
diffusion is the same, bit for bit, whatever lies beside it.
"""

from collections.abc import Iterator

import numpy as np

from graphcl.augment._kernels import Kernel
from graphcl.augment._matrices import Array, Matrices
from graphcl.augment._sparsify import Rule, rank

__all__ = ["exact"]

CELLS = 1 << 20  # of a stack: 8 MiB in float64


def exact(a: Matrices, kernel: Kernel, rule: Rule) -> Matrices:
    """The sparsified diffusions of the graphs with adjacency matrices ``a``."""
    parts, order = [], []
    for width, which in _stacks(a.sizes):
        parts.append(_stack(a.pick(which), width, kernel, rule))
        order.append(which)
    if not parts:
        return Matrices(a.sizes, a.counts, a.row, a.col, a.value)
    return Matrices.join(parts).pick(np.argsort(np.concatenate(order)))


def _stacks(sizes: Array) -> Iterator[tuple[int, Array]]:
    """Graphs to be treated together, and the size to pad them to."""
    width = np.where(sizes <= 64, -(-sizes // 8) * 8, -(-sizes // 32) * 32)
    order = np.argsort(width, kind="stable")
    values, begin = np.unique(width[order], return_index=True)
    for value, group in zip(values.tolist(), np.split(order, begin[1:])):
        many = max(1, CELLS // max(value * value, 1))
        yield from ((value, group[i : i + many]) for i in range(0, group.size, many))


def _stack(a: Matrices, n: int, kernel: Kernel, rule: Rule) -> Matrices:
    b = a.sizes.size
    place = np.repeat(np.arange(b) * n, a.counts)
    # bincount adds one entry after the other, whatever the stack; numpy's sum over an axis promises no order.
    adjacency = np.bincount((place + a.row) * n + a.col, a.value, minlength=b * n * n).reshape(b, n, n)
    degree = np.bincount(place + a.col, a.value, minlength=b * n).reshape(b, n)
    real = np.arange(n) < a.sizes[:, None]
    if rule.self_loops:
        adjacency[:, np.arange(n), np.arange(n)] += real
        degree += real
    turned = adjacency.transpose(0, 2, 1)
    undirected = (np.abs(adjacency - turned) <= 1e-9 * adjacency).all((1, 2))
    if rule.normalisation == "sym":
        adjacency *= (degree > 0)[:, :, None]
    degree[degree == 0] = 1.0
    flow = kernel.dense(adjacency / degree[:, None, :]) * degree[:, None, :]
    # What flows from i to j flows from j to i; without the mean, rounding would tell the two apart.
    flow = np.where(undirected[:, None, None], (flow + flow.transpose(0, 2, 1)) / 2, flow)
    root = np.sqrt(degree)
    value = flow / (root[:, :, None] * root[:, None, :] if rule.normalisation == "sym" else degree[:, None, :])
    keep = _chosen(value, rank(value) * real[:, :, None], rule)
    if not rule.directed:
        keep |= keep.transpose(0, 2, 1) & undirected[:, None, None]
    graph, row, col = keep.nonzero()
    return Matrices(a.sizes, np.bincount(graph, minlength=b), row, col, value[graph, row, col])


def _chosen(value: Array, ranks: Array, rule: Rule) -> Array:
    """``[B, n, n]`` the entries to keep: in each column the ``top_k`` largest, or all from ``threshold`` on."""
    keep = ranks > 0
    n = ranks.shape[-1]
    if rule.threshold is not None:
        return keep & (value >= rule.threshold)
    if rule.top_k is None or rule.top_k >= n:
        return keep
    # Equal ranks in the order of node numbers, which makes the order strict and the number of entries exact.
    places = (ranks.transpose(0, 2, 1) << 20) + np.arange(n)[::-1]
    least = np.partition(places, n - rule.top_k, axis=2)[:, :, n - rule.top_k]
    return keep & (places >= least[:, :, None]).transpose(0, 2, 1)
