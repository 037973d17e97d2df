"""New numbers for the nodes of a sample: a table with a place for every node, instead of a sort."""

import torch
from torch import Tensor

from graphcl._host import where

__all__ = ["Numbering"]


class Numbering:
    """Numbers nodes in the order in which they first come; the table is made once and cleaned after each use."""

    def __init__(self, num_nodes: int, device: torch.device) -> None:
        kind = torch.int32 if num_nodes < 2**31 else torch.int64
        self._number = torch.full((num_nodes,), -1, dtype=kind, device=device)

    def start(self, nodes: Tensor) -> None:
        """Number ``nodes`` by their places; a node that comes twice has the first."""
        self._first_place(nodes)

    def number(self, nodes: Tensor, total: int) -> tuple[Tensor, Tensor]:
        """The numbers (int64) of ``nodes`` [M], and the new ones among them, which are numbered from ``total`` on."""
        numbers = self._number.index_select(0, nodes)
        unknown = where(numbers < 0)
        come = nodes.index_select(0, unknown).long()
        place = self._first_place(come)
        is_first = place == torch.arange(come.numel(), dtype=place.dtype, device=place.device)
        new = come.index_select(0, where(is_first))
        given = torch.arange(total, total + new.numel(), dtype=place.dtype, device=place.device)
        self._number.index_copy_(0, new, given)
        numbers.index_copy_(0, unknown, self._number.index_select(0, come))
        return numbers.long(), new

    def find(self, nodes: Tensor) -> Tensor:
        """The numbers of ``nodes`` [M], -1 for those that have none."""
        return self._number.index_select(0, nodes)

    def finish(self, nodes: Tensor) -> None:
        """Forget ``nodes``, which must be all that have been numbered."""
        self._number.index_fill_(0, nodes, -1)

    def _first_place(self, nodes: Tensor) -> Tensor:
        """``[M]`` where each node comes first in ``nodes``; the table holds it, too."""
        place = torch.arange(nodes.numel(), dtype=self._number.dtype, device=nodes.device)
        if nodes.device.type == "cpu":
            # Written from the end: what is written last, and stays, is the first place.
            self._number.numpy()[nodes.numpy()[::-1]] = place.numpy()[::-1]
            return self._number.index_select(0, nodes)
        return self._first_place_anywhere(nodes, place)

    def _first_place_anywhere(self, nodes: Tensor, place: Tensor) -> Tensor:
        # A GPU writes in no order: the least place, not the last one, stays.
        self._number[nodes] = nodes.numel()
        return self._number.scatter_reduce_(0, nodes, place, "amin").index_select(0, nodes)
