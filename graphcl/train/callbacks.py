"""Callbacks: what they are told at the end of an epoch, and what they may not do, as a run has to resume the same."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from graphcl._arguments import plain
from graphcl.distributed import world
from graphcl.methods import Method
from graphcl.nn._modes import modes_kept
from graphcl.train._state import made_of

__all__ = ["Callback", "Moment", "look_on"]


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
"""Signature: (moment, method) -> columns for the row of this epoch, if any. It must leave weights and random state;
modes are put back after it, so that it may call ``method.eval()``."""


def look_on(
    callbacks: Sequence[Callback],
    moment: Moment,
    method: Method,
    *,
    made: Mapping[str, Any],
    trained: Sequence[Tensor],
) -> dict[str, float]:
    """The epoch's row with what each callback adds to it.

    Args:
        callbacks: Called in this order, each with the row so far.
        moment: Where the run stands.
        method: What is trained.
        made: Of what it was made before, where that must not change.
        trained: The weights that the optimiser moves.
    """
    row = dict(moment.row)
    for callback in callbacks:
        with modes_kept(method):
            found = callback(moment._replace(row={**row}), method)
        row |= _columns(found)
        row["epoch"] = moment.epoch  # a resumed run keeps rows by it, so that none may count otherwise
    if world() > 1:
        _check_unchanged(made, method)
    if callbacks and not moment.last:
        _check_trained(trained, method)
    return row


def _columns(found: Mapping[str, Any] | None) -> dict[str, float]:
    """What a callback adds to a row, as plain numbers; a callback that only looks on returns nothing."""
    if found is not None and not isinstance(found, Mapping):
        raise TypeError(f"expected a callback to return a mapping from columns to numbers, or None, got {found!r}")
    columns = {}
    for name, value in (found or {}).items():
        columns[name] = plain(value.detach() if isinstance(value, Tensor) else value)
        if not isinstance(name, str) or not isinstance(columns[name], int | float | str | None):
            raise TypeError(
                f"expected a callback to give columns, each a name and a number, got {name!r}: {value!r:.60}"
            )
    return columns


def _check_unchanged(made: Mapping[str, Any], method: Method) -> None:
    """Refuse callbacks, which one rank alone calls, that make its method another than that of the others."""
    now = made_of(method)
    changed = [name for name, value in made.items() if now.get(name) != value]
    if changed:
        raise ValueError(
            f"expected callbacks that leave the method as it is, as only the first rank of several calls them, got "
            f"other {', '.join(changed[:3])}; change it in every process, between two calls of fit"
        )


def _check_trained(trained: Sequence[Tensor], method: Method) -> None:
    """Refuse callbacks that free weights which the optimiser, made before, would never move."""
    moved = set(map(id, trained))
    still = [name for name, weight in method.named_parameters() if weight.requires_grad and id(weight) not in moved]
    if still:
        raise ValueError(
            f"expected callbacks that free no weights, as those that required no gradient at the start are not "
            f"trained, got {', '.join(still[:3])}; freeze them by a callback instead, or free them and call fit again"
        )
