"""Which nodes look alike: a number for the rooted subtree of every node, to every depth."""

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._random import fold, hash_ids

__all__ = ["rooted_subtrees"]

_COLUMNS = 64  # hashed at a time: as much memory again as that many columns of the features take


def rooted_subtrees(data: Data, depth: int, *, edge_attr: bool = False) -> Tensor:
    r"""The colours of the Weisfeiler-Lehman algorithm: equal numbers for nodes with equal rooted subtrees.

    .. math:: c^0_i = h(x_i), \qquad c^l_i = h(c^{l-1}_i) + \sum_{j \to i} h'(c^{l-1}_j)

    Two nodes have one number at depth l where their features and, l times over, the multisets of their neighbours'
    numbers agree: no message-passing network of l layers can tell them apart. The hashes have 64 bits and wrap, so that
    a multiset is a sum whatever its order, on any device. With n distinct subtrees the chance of any confusion is below
    :math:`n^2 / 2^{64}`. The numbers depend on nothing else: they are the same in every batch and in every run.

    Args:
        data: A ``Data`` or ``Batch``. Nodes without ``x`` start from their number of incoming edges.
        depth: L, how many steps away a subtree reaches.
        edge_attr: Whether ``data.edge_attr`` marks the edges, as a network that reads it would see them.

    Returns:
        ``[L + 1, N]`` int64, a row for each depth from 0.

    Raises:
        ValueError: ``depth`` is negative, there is no ``edge_index``, ``x`` holds NaN, or ``edge_attr`` is asked for
            and missing.

    Example:
        >>> path = Data(x=torch.ones(4, 1), edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]))
        >>> rooted_subtrees(path, 1)[1].unique().numel()  # ends, and what lies between
        2

    Source: Shervashidze, Schweitzer, van Leeuwen, Mehlhorn, Borgwardt, "Weisfeiler-Lehman Graph Kernels", JMLR 2011,
    algorithm 1; that no message passing tells more apart: Xu, Hu, Leskovec, Jegelka, "How Powerful are Graph Neural
    Networks?", ICLR 2019.
    """
    if depth < 0:
        raise ValueError(f"expected depth >= 0, got {depth}")
    if data.edge_index is None:
        raise ValueError("expected graphs with an edge_index, got none; without edges it is [2, 0]")
    source, target = data.edge_index
    colours = [_rows(data.x, 0) if data.x is not None else _degrees(target, int(data.num_nodes or 0))]
    marks = _marks(data) if edge_attr else None
    for step in range(1, depth + 1):
        sent = hash_ids(fold(2, step), colours[-1])[source]
        sent = sent if marks is None else hash_ids(marks, sent)
        colours.append(hash_ids(fold(1, step), colours[-1]).index_add(0, target, sent))
    return torch.stack(colours)


def _degrees(target: Tensor, num_nodes: int) -> Tensor:
    return hash_ids(fold(3, 0), torch.bincount(target, minlength=num_nodes))


def _marks(data: Data) -> Tensor:
    if data.edge_attr is None:
        raise ValueError("expected data.edge_attr to mark the edges by, got none")
    return _rows(data.edge_attr, 1)


def _rows(values: Tensor, kind: int) -> Tensor:
    """``[N]`` a hash of each row."""
    values = values.reshape(values.size(0), -1) if values.numel() else values.new_zeros(values.size(0), 0)
    if values.is_floating_point() and bool(values.isnan().any()):
        raise ValueError(f"expected features without NaN, got {int(values.isnan().sum())} NaN values")
    hashes = torch.zeros(values.size(0), dtype=torch.int64, device=values.device)
    for first in range(0, values.size(1), _COLUMNS):
        block = values[:, first : first + _COLUMNS]
        # Adding 0 makes one number of 0.0 and -0.0. A whole number and the float that equals it are alike, too.
        bits = (block.double() + 0.0).contiguous().view(torch.int64)
        column = torch.arange(first, first + block.size(1), device=values.device)
        hashes += hash_ids(hash_ids(fold(4, kind), column), bits).sum(1)
    return hashes
