"""Diffusion: edges to the nodes that a random walk reaches, weighted by how much of it gets there."""

import math
from abc import abstractmethod
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._arguments import check_choice, check_number, check_whole
from graphcl._random import Key
from graphcl.augment._cache import Cache, names
from graphcl.augment._diffuse import Method, diffuse
from graphcl.augment._graph import Graph
from graphcl.augment._kernels import Heat, Kernel, PageRank
from graphcl.augment._matrices import Matrices
from graphcl.augment._replace import replace_edges
from graphcl.augment._sparsify import Normalisation, Rule, renormalise
from graphcl.augment.base import Augmentation

__all__ = ["HeatDiffusion", "PPRDiffusion"]


class _Diffusion(Augmentation):
    """What both diffusions share: their arguments, and a cache that is no argument and so not in ``vars``."""

    __slots__ = ("_cache",)

    def __init__(
        self,
        *,
        top_k: int | None,
        threshold: float | None,
        normalisation: Normalisation,
        self_loops: bool,
        renormalise: bool | Literal["max"],
        directed: bool,
        method: Method,
        tolerance: float,
        cache_bytes: int,
    ) -> None:
        if (top_k is None) == (threshold is None):
            raise ValueError(
                f"expected either top_k or threshold, got top_k={top_k!r} and threshold={threshold!r}; a diffusion "
                f"joins nearly all pairs of nodes: say which to keep"
            )
        if top_k is not None:
            check_whole("top_k", top_k, 1)
        if threshold is not None:
            _positive("threshold", threshold)
        check_choice("normalisation", normalisation, ("sym", "rw"))
        if renormalise not in (False, True, "max"):
            raise ValueError(f"expected renormalise to be a truth value or 'max', got {renormalise!r}")
        check_choice("method", method, ("auto", "exact", "push"))
        check_whole("cache_bytes", cache_bytes)
        self.top_k = top_k
        self.threshold = threshold
        self.normalisation = normalisation
        self.self_loops = self_loops
        self.renormalise = renormalise
        self.directed = directed
        self.method = method
        self.tolerance = _positive("tolerance", tolerance)
        self.cache_bytes = cache_bytes
        self._cache = Cache(cache_bytes)

    @property
    @abstractmethod
    def kernel(self) -> Kernel:
        """The power series."""

    def view(self, data: Data, key: Key) -> Data:
        graph = Graph.of(data)
        weight = _weights(data, graph)
        s = self._cached(Matrices.of(graph, weight))
        dtype = weight.dtype if weight is not None and weight.is_floating_point() else torch.get_default_dtype()
        value = torch.from_numpy(s.value).to(graph.device, dtype)
        return replace_edges(data, graph, s.edges(graph.device), value, torch.from_numpy(s.counts))

    def _cached(self, a: Matrices) -> Matrices:
        if self.cache_bytes == 0:
            return self._sparsified(a)
        # The arguments are part of the name, so that changing one cannot bring back what it was.
        name = names(a, int.from_bytes(blake2b(repr(self).encode(), digest_size=8).digest(), signed=True))
        known, kept = self._cache.recall(name)
        if known.all():
            return kept
        _, first, same = np.unique(name, axis=0, return_index=True, return_inverse=True)
        missing = first[~known[first]]
        found = self._sparsified(a.pick(missing))
        self._cache.write(name[missing], found)
        # Of equal graphs that were known each has been read, of those that were not one has been computed.
        place = np.where(known, found.sizes.size + known.cumsum() - 1, 0)
        place[missing] = np.arange(missing.size)
        return Matrices.join([found, kept]).pick(place[first][same.reshape(-1)])

    def _sparsified(self, a: Matrices) -> Matrices:
        rule = Rule(self.top_k, self.threshold, self.normalisation, self.self_loops, self.directed)
        s = diffuse(a, self.kernel, rule, method=self.method, tolerance=self.tolerance)
        if not self.renormalise:
            return s
        return renormalise(s, "max" if self.renormalise == "max" else self.normalisation)

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._cache = Cache(self.cache_bytes)


class PPRDiffusion(_Diffusion):
    r"""Replace the edges by those of personalised PageRank: from the nodes that a walk with restarts visits most.

    With A[i, j] the weight of the edges i -> j (1 each, or ``edge_weight``) plus the identity if ``self_loops``, and
    d_j = sum_i A[i, j] what comes into node j,

    .. math::
        S = \alpha (I - (1 - \alpha) T)^{-1}, \quad T = A D^{-1} \text{ (rw) or } D^{-1/2} A D^{-1/2} \text{ (sym)}

    The view has an edge i -> j of ``edge_weight`` S[i, j] for every entry that is kept, the diagonal included, sorted
    by source and target. With "rw" the weights that come into a node sum to 1 before sparsification: node j receives a
    mean over where walks from j, against the edges, stop. Where no edge comes in and there is no self-loop, T has a
    zero column (and for "sym", as D^{-1/2} does not exist there, a zero row), and S[j, j] is alpha.

    Attributes of nodes and graphs are carried. Those of edges are left out, as their edges are no more. The weights
    have the dtype of ``edge_weight`` if that is a floating-point one, else the default one. The view does not depend
    on the key; it is computed on the host, in float64, and no gradient flows through the weights.

    Args:
        alpha: The probability of a restart, within (0, 1).
        top_k: Keep the ``top_k`` largest entries of each column (those of each target), ties (entries that agree to
            nine decimals) going to the smaller source. Give this or ``threshold``.
        threshold: Keep the entries that are at least this large. Entries below 4e-10 count as zero in any case.
        normalisation: "sym" or "rw".
        self_loops: Add a self-loop of weight 1 to every node before.
        renormalise: Normalise what is kept once more, by its own column sums: S D^-1 (rw), D^-1/2 S D^-1/2 (sym). With
            ``"max"``, divide what leaves each source by the largest of it, as MVGRL's code does on CiteSeer.
        directed: Keep only the ``top_k`` of each column. Without it, in an undirected graph both directions of an edge
            are kept if either is, so that it stays undirected, and a node may have more than ``top_k``.
        method: "exact" (a dense float64 inverse per graph), "push" (sparse, for large graphs) or "auto": exact up to
            2048 nodes.
        tolerance: Entries of the push method are never too large, and too small by at most ``tolerance * w_i`` (rw) or
            ``tolerance * sqrt(w_i)`` (sym), with w_i = d_i over the mean of d, in undirected graphs. In directed ones
            w is to be read as S w. A tenth of it takes about ten times as long.
        cache_bytes: Results are kept, per graph, up to so many bytes, and found again by the graph's content; 0 turns
            it off. The cache does not travel to other processes.

    Raises:
        ValueError: A value lies outside its range, ``top_k`` and ``threshold`` are both given or both missing, or
            ``edge_weight`` is negative, not finite, or not one number per edge.
        TypeError: An argument is no number.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> view = PPRDiffusion(alpha=0.2, threshold=0.3, normalisation="rw")(path)
        >>> view.edge_index
        tensor([[0, 0, 1, 1, 1, 2, 2],
                [0, 1, 0, 1, 2, 1, 2]])
        >>> view.edge_weight
        tensor([0.4902, 0.2353, 0.3529, 0.5294, 0.3529, 0.2353, 0.4902])

    Source: Gasteiger (then Klicpera), Weissenberger, Guennemann, "Diffusion Improves Graph Learning", NeurIPS 2019; as
    a view in Hassani, Khasahmadi, "Contrastive Multi-View Representation Learning on Graphs", ICML 2020.
    Differs from the paper: the kept entries are normalised anew only if ``renormalise``; undirected graphs stay so.
    """

    def __init__(
        self,
        alpha: float = 0.15,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        normalisation: Normalisation = "sym",
        self_loops: bool = True,
        renormalise: bool | Literal["max"] = False,
        directed: bool = False,
        method: Method = "auto",
        tolerance: float = 1e-3,
        cache_bytes: int = 1 << 28,
    ) -> None:
        self.alpha = _positive("alpha", alpha)
        if alpha >= 1:
            raise ValueError(f"expected alpha (the probability of a restart) within (0, 1), got {alpha!r}")
        super().__init__(
            top_k=top_k,
            threshold=threshold,
            normalisation=normalisation,
            self_loops=self_loops,
            renormalise=renormalise,
            directed=directed,
            method=method,
            tolerance=tolerance,
            cache_bytes=cache_bytes,
        )

    @property
    def kernel(self) -> Kernel:
        return PageRank(self.alpha)


class HeatDiffusion(_Diffusion):
    r"""Replace the edges by those of the heat kernel: from the nodes where a walk of about ``t`` steps ends.

    .. math:: S = \exp(-t (I - T)) = e^{-t} \sum_k \frac{t^k}{k!} T^k

    T, the direction and order of the edges, what is carried, and all other arguments are those of
    :class:`PPRDiffusion`; where T has a zero column, S[j, j] is exp(-t).

    Args:
        t: The time of diffusion, the mean number of steps; positive.
        top_k: Keep the ``top_k`` largest entries of each column. Give this or ``threshold``.
        threshold: Keep the entries that are at least this large.
        normalisation: "sym" or "rw".
        self_loops: Add a self-loop of weight 1 to every node before.
        renormalise: Normalise what is kept once more, by its own column sums, or by the ``"max"`` of each source.
        directed: Keep exactly the ``top_k`` of each column, even if the graph is undirected.
        method: "exact" (dense, scaling and squaring in float64), "push" or "auto": exact up to 2048 nodes.
        tolerance: The bound of the push method's error, as for :class:`PPRDiffusion`; in directed graphs w is to be
            read as the largest of T^m w. Errors are mostly ten times smaller, hence the default.
        cache_bytes: Results are kept, per graph, up to so many bytes; 0 turns it off.

    Raises:
        ValueError: As for :class:`PPRDiffusion`, or ``t`` is not positive.
        TypeError: An argument is no number.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> HeatDiffusion(t=1.0, top_k=2)(path).num_edges
        7

    Source: Gasteiger (then Klicpera), Weissenberger, Guennemann, "Diffusion Improves Graph Learning", NeurIPS 2019; as
    a view in Hassani, Khasahmadi, "Contrastive Multi-View Representation Learning on Graphs", ICML 2020.
    Differs from the paper: the kept entries are normalised anew only if ``renormalise``; undirected graphs stay so.
    """

    def __init__(
        self,
        t: float = 5.0,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        normalisation: Normalisation = "sym",
        self_loops: bool = True,
        renormalise: bool | Literal["max"] = False,
        directed: bool = False,
        method: Method = "auto",
        tolerance: float = 1e-2,
        cache_bytes: int = 1 << 28,
    ) -> None:
        self.t = _positive("t", t)
        super().__init__(
            top_k=top_k,
            threshold=threshold,
            normalisation=normalisation,
            self_loops=self_loops,
            renormalise=renormalise,
            directed=directed,
            method=method,
            tolerance=tolerance,
            cache_bytes=cache_bytes,
        )

    @property
    def kernel(self) -> Kernel:
        return Heat(self.t)


def _weights(data: Data, graph: Graph) -> Tensor | None:
    weight = data._store.get("edge_weight")
    if weight is None:
        return None
    if not isinstance(weight, Tensor) or weight.numel() != graph.num_edges:
        shape = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
        raise ValueError(f"expected edge_weight with one number for each of {graph.num_edges} edges, got {shape}")
    weight = weight.reshape(-1)
    if not bool(((weight >= 0) & weight.isfinite()).all()):
        raise ValueError(
            "expected edge_weight of numbers >= 0, got negative or non-finite ones; a walk cannot follow such edges: "
            "drop them, or delete data.edge_weight"
        )
    return weight


def _positive(name: str, value: float) -> float:
    value = check_number(name, value, "a positive number")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"expected {name} to be positive and finite, got {value!r}")
    return float(value)
