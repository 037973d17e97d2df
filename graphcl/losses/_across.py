"""The batch of all ranks as one: where this rank's items stand in it, and what its rows weigh."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphcl.distributed import is_one_batch, rank, row_counts, world

__all__ = ["AcrossRanks", "Batch", "all_ranks", "check_across_ranks"]

AcrossRanks = bool | Literal["gather", "ring"]


def check_across_ranks(across_ranks: AcrossRanks) -> None:
    """False, True, or the name of a way."""
    if across_ranks not in (False, True, "gather", "ring"):
        raise ValueError(f"expected across_ranks to be False, True, 'gather' or 'ring', got {across_ranks!r}")


@dataclass(frozen=True)
class Batch:
    """The items of all ranks in the order of the ranks, each with as many rows as there are ``copies``."""

    items: list[int]  # on each rank
    copies: int
    way: Literal["gather", "ring"]

    @property
    def start(self) -> int:
        """The number of this rank's first item."""
        return sum(self.items[: rank()])

    @property
    def rows(self) -> list[int]:
        """The number of rows on each rank."""
        return [self.copies * count for count in self.items]

    @property
    def share(self) -> float:
        """The weight of a row's cost, so that the mean over the ranks of the weighted sums is the mean over all rows.

        The mean of each rank's mean is another number where ranks have unequal rows.
        """
        return world() / sum(self.rows)


def all_ranks(z: Tensor, across_ranks: AcrossRanks, *, copies: int = 1) -> Batch | None:
    """The batch that ``z`` is a part of; None where a rank's rows are a batch of their own, or there is one process."""
    check_across_ranks(across_ranks)
    if not across_ranks or world() == 1:
        return None
    if is_one_batch():
        raise ValueError(
            f"expected a loss with across_ranks=False, got {across_ranks!r}: inside one_batch, as in fit, its rows are "
            "of all ranks already, and each would be its own negative"
        )
    batch = Batch(row_counts(z), copies, "ring" if across_ranks == "ring" else "gather")
    if sum(batch.items) < 2:
        raise ValueError(f"expected at least 2 rows to contrast on all ranks together, got {batch.items}")
    return batch
