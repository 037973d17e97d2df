"""Scores in a CSV file, row by row, so that an interrupted table goes on where it stopped."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphcl.errors import DataError
from graphcl.evaluate._csv import read_csv, write_csv

__all__ = ["PartRow", "RawFile", "Rows"]


@dataclass(frozen=True)
class PartRow:
    """One score of one fold, split or run as the raw file keeps it."""

    method: str
    seed: int
    split: int
    metric: str
    score: float
    choice: float
    validation: float
    unconverged: int
    seconds: float
    key: str

    @property
    def part(self) -> tuple[int, str]:
        return self.split, self.metric


Rows = dict[tuple[int, str], PartRow]  # by part
Groups = dict[tuple[str, int], Rows]  # by method and seed
KINDS: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(PartRow)}


class RawFile:
    """Rows grouped by method and seed, in a CSV file or, without a path, in memory only."""

    def __init__(self, path: str | Path | None) -> None:
        self.path = Path(path) if path is not None else None
        self.rows = _read(self.path) if self.path else {}
        self.own: Groups = {}  # written here

    def find(self, method: str, seed: int, key: str) -> Rows:
        """The rows that are there for this very input."""
        return {part: row for part, row in self.rows.get((method, seed), {}).items() if row.key == key}

    def put(self, method: str, seed: int, rows: Iterable[PartRow]) -> None:
        """Replace all rows of a method and seed."""
        self.own[method, seed] = {row.part: row for row in sorted(rows, key=lambda row: row.part)}
        # Another process may have written rows of other methods and seeds since: they stay.
        self.rows = (_read(self.path) if self.path else self.rows) | self.own
        if self.path is not None:
            write_csv(self.path, list(KINDS), (vars(row) for group in self.rows.values() for row in group.values()))


def _read(path: Path) -> Groups:
    groups: Groups = {}
    for number, row in enumerate(read_csv(path, list(KINDS)), start=1):
        try:
            entry = PartRow(**{name: KINDS[name](text) for name, text in row.items()})
        except ValueError as error:
            raise DataError(f"{path}, row {number}: {error}; delete the row to compute it again") from error
        groups.setdefault((entry.method, entry.seed), {})[entry.part] = entry
    return groups
