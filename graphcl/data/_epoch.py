"""The epoch of what draws batches, told to its workers too."""

from typing import Any

import torch

__all__ = ["Epoch"]


class Epoch:
    """A number in shared memory, so that workers that stay alive over epochs see it change; a deep copy has its own."""

    def __init__(self) -> None:
        self._number = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set(self, epoch: int) -> None:
        self._number.fill_(epoch)

    def __int__(self) -> int:
        return int(self._number)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._number.share_memory_()  # a copy of a tensor is not
