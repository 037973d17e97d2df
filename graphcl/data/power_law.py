"""Large graphs with the degrees of real networks and classes planted in them, made without a download."""

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import Data

from graphcl._arguments import check_whole

__all__ = ["power_law_graph"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def power_law_graph(
    num_nodes: int = 169_343,
    num_edges: int = 1_166_243,
    *,
    num_features: int = 128,
    num_classes: int = 40,
    exponent: float = 2.5,
    mixing: float = 0.4,
    signal: float = 2.0,
    seed: int = 0,
) -> Data:
    r"""Generate an undirected graph whose degrees follow a power law and whose edges and features tell the class.

    A degree-corrected planted partition: node i has a class, drawn evenly, and an activity :math:`\theta_i` from a
    Pareto law. An edge has one end drawn in proportion to :math:`\theta`, and the other in proportion to
    :math:`\theta` among the nodes of the same class (with probability 1 - ``mixing``) or among all. Loops and repeated
    pairs are drawn again. The features are a mean for each class plus standard normal noise. The defaults have the
    numbers of nodes, edges, features and classes of ogbn-arxiv; for those of ogbn-products give 2,449,029 nodes,
    30,929,570 edges (61,859,140 directed ones), 100 features and 47 classes, and allow 5 GB of memory.

    Args:
        num_nodes: N. Some nodes may be isolated.
        num_edges: M, undirected; the graph has exactly 2 M directed edges.
        num_features: F.
        num_classes: K.
        exponent: Of the law of degrees, :math:`p(d) \sim d^{-\mathrm{exponent}}`, above 2.
        mixing: The share of edges whose second end is drawn from all nodes, within [0, 1].
        signal: The expected distance between the means of two classes, in standard deviations of the noise.
        seed: Of a generator of its own (PCG64); the same seed gives the same graph.

    Returns:
        ``Data`` with ``x`` [N, F] float32, ``edge_index`` [2, 2 M] with both directions, sorted, and ``y`` [N].

    Raises:
        ValueError: A number is out of its range, or there are too few pairs of nodes for so many edges.

    Example:
        >>> graph = power_law_graph(1000, 5000, num_features=8, num_classes=4)
        >>> graph.num_nodes, graph.num_edges, graph.is_undirected()
        (1000, 10000, True)

    Source: Karrer and Newman, "Stochastic blockmodels and community structure in networks", Physical Review E 83, 2011.
    """
    num_nodes = check_whole("num_nodes", num_nodes, 2)
    num_edges = check_whole("num_edges", num_edges)
    num_features = check_whole("num_features", num_features, 1)
    num_classes = check_whole("num_classes", num_classes, 1)
    _check(num_nodes, num_edges, num_classes, exponent, mixing, signal)
    rng = np.random.Generator(np.random.PCG64(seed))
    label = rng.integers(num_classes, size=num_nodes)
    activity = rng.pareto(exponent - 1, num_nodes) + 1
    pairs = _pairs(label, activity, num_edges, mixing, rng)
    x = rng.standard_normal((num_nodes, num_features), dtype=np.float32)
    # Two independent means of variance s^2 in F directions lie s * sqrt(2 F) apart.
    means = rng.standard_normal((num_classes, num_features), dtype=np.float32)
    means *= np.float32(signal / np.sqrt(2 * num_features))
    for start in range(0, num_nodes, _ROWS):
        x[start : start + _ROWS] += means[label[start : start + _ROWS]]
    return Data(x=torch.from_numpy(x), edge_index=_both_directions(pairs, num_nodes), y=torch.from_numpy(label))


_ROWS = 1 << 16  # of features at a time


def _pairs(label: IntArray, activity: FloatArray, num_edges: int, mixing: float, rng: np.random.Generator) -> IntArray:
    """``[M]`` different pairs of nodes a < b, coded as a N + b, ascending."""
    # With the nodes of a class side by side, a class is a run of the cumulated activities, and both kinds of end are
    # found by one search.
    order = np.argsort(label, kind="stable")
    upto = np.concatenate([[0.0], np.cumsum(activity[order])])
    bound = upto[np.searchsorted(label[order], np.arange(label.max() + 2))]
    found: IntArray = np.empty(0, dtype=np.int64)
    idle = 0
    while len(found) < num_edges:
        count = int(1.1 * (num_edges - len(found))) + 1000
        sizes = [min(_DRAWS, count - start) for start in range(0, count, _DRAWS)]
        new = _distinct(np.concatenate([_draw(size, label, order, upto, bound, mixing, rng) for size in sizes]))
        if len(found):
            place = np.minimum(np.searchsorted(found, new), len(found) - 1)
            new = new[found[place] != new]
        idle = idle + 1 if 1000 * len(new) < count else 0
        if idle == 20:
            raise ValueError(
                f"expected room for {num_edges} edges, got stuck at {len(found)}: the most active nodes are linked to "
                "all that may be; ask for fewer edges, more nodes or a higher exponent"
            )
        surplus = len(found) + len(new) - num_edges
        if surplus > 0:
            new = np.delete(new, rng.choice(len(new), surplus, replace=False))
        found = np.concatenate([found, new])
        found.sort()
    return found


def _distinct(codes: IntArray) -> IntArray:
    """``np.unique``, which numpy does with a hash table since 2.3: for numbers this many, far slower than a sort."""
    codes.sort()
    return codes[np.diff(codes, prepend=-1) > 0]


_DRAWS = 1 << 22  # pairs at a time: what memory holds besides the result


def _draw(
    count: int,
    label: IntArray,
    order: IntArray,
    upto: FloatArray,
    bound: FloatArray,
    mixing: float,
    rng: np.random.Generator,
) -> IntArray:
    """The codes of ``count`` pairs, less those of a node with itself."""
    # Sorted, one search begins where the last one ended, and the second ends of one class lie near each other: both
    # stay in a processor's cache. The pairs are the same set in any order.
    where = rng.random(count) * upto[-1]
    where.sort()
    first = order[_find(upto, where)]
    own, inside = label[first], rng.random(count) >= mixing
    low = np.where(inside, bound[own], 0.0)
    high = np.where(inside, bound[own + 1], upto[-1])
    second = order[_find(upto, low + rng.random(count) * (high - low))]
    a, b = np.minimum(first, second), np.maximum(first, second)
    return (a * len(label) + b)[a != b]


def _find(upto: FloatArray, value: FloatArray) -> IntArray:
    """The run of ``upto`` in which each value lies."""
    return np.minimum(np.searchsorted(upto, value, side="right") - 1, len(upto) - 2)


def _both_directions(pairs: IntArray, size: int) -> torch.Tensor:
    a, b = np.divmod(pairs, size)
    codes = np.concatenate([pairs, b * size + a])
    codes.sort()
    return torch.from_numpy(np.stack(np.divmod(codes, size)))


def _check(num_nodes: int, num_edges: int, num_classes: int, exponent: float, mixing: float, signal: float) -> None:
    if num_classes > num_nodes:
        raise ValueError(f"expected no more classes than the {num_nodes} nodes, got {num_classes}")
    if num_edges > num_nodes * (num_nodes - 1) // 2:
        raise ValueError(f"expected no more edges than the pairs of {num_nodes} nodes, got {num_edges}")
    if not exponent > 2:
        raise ValueError(f"expected exponent above 2 (below, the mean degree has no limit), got {exponent}")
    if not 0 <= mixing <= 1:
        raise ValueError(f"expected mixing within [0, 1], got {mixing}")
    if not 0 <= signal < float("inf"):
        raise ValueError(f"expected signal of at least 0, and finite, got {signal}")
