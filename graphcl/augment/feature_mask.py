"""Masking of features: whole columns, or single elements."""

import torch
from torch import Tensor

from graphcl._arguments import check_number
from graphcl._random import Key, below, hash_ids
from graphcl.augment._edit import Edit
from graphcl.augment._elements import below_share, features, floating, num_columns
from graphcl.augment._fill import can_hold, span
from graphcl.augment._graph import Graph
from graphcl.augment._select import Chance, Count, check_count_or_chance, check_share, how_many
from graphcl.augment.base import EditAugmentation

__all__ = ["FeatureDropout", "FeatureMask", "drop_features", "mask_features"]

_WORDS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}
"""For each kind of number the integers of its size."""


def mask_features(
    graph: Graph,
    key: Key,
    *,
    mask: float,
    count: Count | Chance = "bernoulli",
    fill: float = 0,
    shared: bool = False,
) -> Edit:
    """Fill columns of the features, chosen for each graph or for all of them."""
    x = features(graph)
    keys = hash_ids(key, torch.zeros(1, dtype=torch.int64, device=x.device)) if shared else graph.keys(key)
    columns = masked_columns(keys, num_columns(x), mask=mask, count=count)
    return Edit(values={"x": fill_columns(x, columns, graph.batch, fill)})


def masked_columns(keys: Tensor, columns: int, *, mask: float, count: Count | Chance) -> Tensor:
    """``[G, F]`` the masked columns, from one key per graph."""
    hashes = hash_ids(keys[:, None], torch.arange(columns, device=keys.device))
    if count == "bernoulli":
        return below(hashes, mask)
    k = how_many(mask, torch.tensor([columns]), count)
    chosen = torch.argsort(hashes, dim=1, stable=True)[:, : int(k)]
    return torch.zeros_like(hashes, dtype=torch.bool).scatter_(1, chosen, True)


def fill_columns(x: Tensor, columns: Tensor, batch: Tensor, fill: float) -> Tensor:
    """``x`` with the columns of each graph, ``[G, F]`` or for all of them ``[1, F]``, filled."""
    check_fits(x, fill)
    if columns.size(0) == 1 and fill == 0 and x.dtype in _WORDS and not (x.requires_grad or x.is_neg()):
        # To a number whose bits are cleared, zero is all that happens: as fast as a copy, and NaN goes too.
        word = _WORDS[x.dtype]
        kept = columns.logical_not().to(word).neg_().reshape(1, *x.shape[1:])
        return x.view(word).bitwise_and(kept).view(x.dtype)
    # One row for all spares a mask as large as x.
    rows = columns if columns.size(0) == 1 else columns.index_select(0, batch)
    return torch.where(rows.reshape(rows.size(0), *x.shape[1:]), x.new_full((), fill), x)


def check_fits(x: Tensor, fill: float) -> None:
    """``TypeError`` if ``fill`` is not one of the numbers that ``x`` can hold."""
    if not can_hold(x, fill):
        low, high = span(x.dtype)
        raise TypeError(
            f"expected floating-point x for fill={fill!r}, got {x.dtype}; give a whole number from {low} to {high}"
        )


def drop_features(graph: Graph, key: Key, *, drop: float, rescale: bool = False) -> Edit:
    """Set every element of the features to zero with probability ``drop``."""
    x = floating(graph, "rescale=True") if rescale else features(graph)
    dropped = below_share(graph.node_hashes(key), num_columns(x), drop).reshape(x.shape)
    if rescale and drop < 1:
        x = x * (1 / (1 - drop))
    return Edit(values={"x": x.masked_fill(dropped, 0)})


class FeatureMask(EditAugmentation):
    """Mask a share of the feature columns: the same columns at every node of a graph.

    Each column is masked with probability ``mask``, or an exact number of columns is. Each graph draws its own columns,
    so that its view does not depend on its batch; on a single large graph that is the paper's one mask vector.

    Args:
        mask: The probability or share of a column to be masked, within [0, 1].
        count: ``"bernoulli"``, a coin for every column; ``"round"`` or ``"floor"``, exactly that many of the columns.
        fill: What masked elements become.
        shared: Mask the same columns in all graphs of a call, whatever graphs they are.

    Raises:
        ValueError: ``mask`` lies outside [0, 1], or the data have no ``x``.
        TypeError: ``fill`` is no number, or not one that ``x`` can hold.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.ones(2, 4), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> FeatureMask(mask=0.5, count="round")(data).x.sum(1)
        tensor([2., 2.])

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020, section 3.2.2.
    Differs from the paper, which has one graph: in a batch, the authors' formula would mask the same columns in all
    graphs, which is ``shared=True``.
    """

    def __init__(
        self, mask: float = 0.1, *, count: Count | Chance = "bernoulli", fill: float = 0, shared: bool = False
    ) -> None:
        self.mask = check_share("mask", mask)
        self.count = check_count_or_chance(count)
        self.fill = check_number("fill", fill)
        self.shared = shared

    def edit(self, graph: Graph, key: Key) -> Edit:
        return mask_features(graph, key, mask=self.mask, count=self.count, fill=self.fill, shared=self.shared)

    @property
    def keyed_by_graph(self) -> bool:
        return not self.shared


class FeatureDropout(EditAugmentation):
    """Set each element of the features to zero independently with a given probability.

    Args:
        drop: The probability that an element is dropped (not kept), within [0, 1].
        rescale: Divide what stays by ``1 - drop``, which keeps the expected features; needs floating point.

    Raises:
        ValueError: ``drop`` lies outside [0, 1], or the data have no ``x``.
        TypeError: ``rescale`` is asked for and ``x`` is not floating point.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.ones(2, 4), edge_index=torch.empty(2, 0, dtype=torch.long))
        >>> FeatureDropout(drop=0.5, rescale=True)(data).x.unique().tolist()
        [0.0, 2.0]

    Source: the element-wise mask of Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple Way to
    Prevent Neural Networks from Overfitting", JMLR 2014, applied to the input; rescaling in training is there as well.
    """

    def __init__(self, drop: float = 0.1, *, rescale: bool = False) -> None:
        self.drop = check_share("drop", drop)
        self.rescale = rescale

    def edit(self, graph: Graph, key: Key) -> Edit:
        return drop_features(graph, key, drop=self.drop, rescale=self.rescale)
