"""What looks on while a run goes: called at the end of an epoch, never within a step."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from graphcl.methods import Method

__all__ = ["Callback", "Moment"]


class Moment(NamedTuple):
    """What a callback is told: where the run stands at the end of an epoch.

    Attributes:
        epoch: Epochs that are done.
        steps: Steps in an epoch.
        last: Whether it is the last epoch that was asked for.
        row: What is known of this epoch: the loss, the speed, and what the callbacks before this one have added.
    """

    epoch: int
    steps: int
    last: bool
    row: Mapping[str, float] = MappingProxyType({})

    def is_due(self, every: int) -> bool:
        """Whether ``every`` steps, or a multiple of them, have been filled in this epoch, or the run is at its end.

        It depends on nothing but the place in the run, so that a resumed run is looked at in the same epochs.

        Example:
            >>> [epoch for epoch in range(1, 9) if Moment(epoch, 40, epoch == 8).is_due(100)]
            [3, 5, 8]
        """
        done = self.epoch * self.steps
        return self.last or done // every > (done - self.steps) // every


Callback = Callable[[Moment, Method], Mapping[str, float] | None]
"""Signature: (moment, method) -> columns for the row of this epoch, if any. It must leave weights, modes and random
state."""
