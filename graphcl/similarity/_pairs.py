"""The pairs that do not count, as tensors of fixed kinds: what the operators take."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from graphcl.similarity._checks import Groups

__all__ = ["Pairs", "as_pairs"]


class Pairs(NamedTuple):
    """The pairs that do not count, as tensors: empty ones bar nothing."""

    exclude_query: Tensor  # [E, M]: pairs that share a group in any of the E lists are left out
    exclude_key: Tensor  # [E, N]
    only_query: Tensor  # [0 or 1, M]: only pairs that share a group count
    only_key: Tensor  # [0 or 1, N]
    skip: Tensor  # [2, P]: single pairs that are left out


def as_pairs(query: Tensor, key: Tensor, exclude: Sequence[Groups], only: Groups | None, skip: Tensor | None) -> Pairs:
    """What does not count, as five tensors."""
    both = [[groups[side].long() for groups in exclude] for side in (0, 1)]
    stacked = [
        torch.stack(groups) if groups else rows.new_empty(0, len(rows), dtype=torch.int64)
        for groups, rows in zip(both, (query, key), strict=True)
    ]
    single = [
        only[side].long()[None] if only is not None else rows.new_empty(0, len(rows), dtype=torch.int64)
        for side, rows in enumerate((query, key))
    ]
    listed = query.new_empty(2, 0, dtype=torch.int64) if skip is None else skip.long()
    return Pairs(stacked[0], stacked[1], single[0], single[1], listed)
