"""Noise on features: added, or as random factors."""

import math
from typing import Literal

from graphcl._arguments import check_choice, check_number
from graphcl._random import Key
from graphcl.augment._edit import Edit
from graphcl.augment._elements import floating, normals, num_columns, uniforms
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation

__all__ = ["FeatureNoise", "FeatureScale", "Per", "add_noise", "scale_features"]

Per = Literal["element", "column", "graph"]
"""What has a factor of its own: every element, every column of a graph, or every graph."""


def add_noise(graph: Graph, key: Key, *, std: float) -> Edit:
    """Add Gaussian noise to every element of the features."""
    x = floating(graph, "FeatureNoise")
    # Two steps, because a fused multiply-add would round differently on some devices.
    noise = normals(graph.node_hashes(key), num_columns(x)).mul_(std)
    return Edit(values={"x": x + noise.to(x.dtype).reshape(x.shape)})


def scale_features(graph: Graph, key: Key, *, low: float, high: float, per: Per = "column") -> Edit:
    """Multiply the features by uniform random factors."""
    x = floating(graph, "FeatureScale")
    if per == "element":
        share = uniforms(graph.node_hashes(key), num_columns(x))
    else:
        share = uniforms(graph.keys(key), num_columns(x) if per == "column" else 1)
    # A low share of a huge range must not exceed it by rounding.
    factors = share.mul_(high - low).add_(low).clamp_(low, high).to(x.dtype)
    if per != "element" and graph.num_graphs != 1:
        factors = factors.index_select(0, graph.batch)
    shape = x.shape[1:] if per != "graph" else [1] * (x.dim() - 1)
    return Edit(values={"x": x * factors.reshape(factors.size(0), *shape)})


class FeatureNoise(EditAugmentation):
    """Add Gaussian noise with mean zero to every element of the features.

    The normal numbers are read from a table of 65,536 quantiles: none is larger than 4.4 standard deviations.

    Args:
        std: The standard deviation, in the unit of the features.

    Raises:
        ValueError: ``std`` is negative or not finite, or the data have no ``x``.
        TypeError: ``std`` is no number, or ``x`` is not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.zeros(1000, 50), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> round(float(FeatureNoise(std=0.5)(data).x.std()), 1)
        0.5

    Source: no paper's; additive Gaussian noise is the common corruption of continuous inputs.
    """

    def __init__(self, std: float = 0.1) -> None:
        self.std = _finite("std", std)
        if self.std < 0:
            raise ValueError(f"expected a std of at least 0, got {std!r}")

    def edit(self, graph: Graph, key: Key) -> Edit:
        return add_noise(graph, key, std=self.std)


class FeatureScale(EditAugmentation):
    """Multiply the features by random factors, uniform between two bounds.

    Args:
        low: The smallest factor.
        high: The largest factor.
        per: What has a factor of its own: every ``"element"``, every ``"column"`` of a graph (as if each feature were
            measured in another unit), or every ``"graph"``.

    Raises:
        ValueError: A bound is not finite, ``low`` exceeds ``high``, or the data have no ``x``.
        TypeError: A bound is no number, or ``x`` is not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.ones(3, 2), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> view = FeatureScale(low=2, high=3, per="graph")(data)
        >>> len(view.x.unique()), 2 <= float(view.x.mean()) <= 3
        (1, True)

    Source: no paper's; random scaling is common for signals.
    """

    def __init__(self, low: float = 0.8, high: float = 1.2, *, per: Per = "column") -> None:
        self.low = _finite("low", low)
        self.high = _finite("high", high)
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got low={low!r} and high={high!r}")
        check_choice("per", per, ("element", "column", "graph"))
        self.per = per

    def edit(self, graph: Graph, key: Key) -> Edit:
        return scale_features(graph, key, low=self.low, high=self.high, per=self.per)


def _finite(name: str, value: float) -> float:
    value = check_number(name, value)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite {name}, got {value!r}")
    return float(value)
