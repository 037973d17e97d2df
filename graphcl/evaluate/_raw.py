"""Scores in a CSV file, row by row, so that an interrupted table goes on where it stopped."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from graphcl.errors import DataError
from graphcl.evaluate._files import read_csv, write_csv

Row = TypeVar("Row", bound=Any)


class RawFile(Generic[Row]):
    """Rows of one kind, grouped by method and seed, in a CSV file or in memory only.

    Args:
        path: The file; none to keep rows in memory.
        kind: A dataclass with ``method``, ``seed``, ``key`` and ``part``, what a row is about within its group; fields
            are texts, integers and floats, and columns of the file.
    """

    def __init__(self, path: Path | None, kind: type[Row]) -> None:
        self.path = path
        self.columns = tuple(field.name for field in dataclasses.fields(kind))
        self.rows: dict[tuple[str, int], dict[Any, Row]] = {}
        kinds = {field.name: field.type for field in dataclasses.fields(kind)}
        for number, row in enumerate(read_csv(path, self.columns) if path else [], start=1):
            try:
                entry = kind(**{name: kinds[name](text) for name, text in row.items()})  # type: ignore[operator]
            except ValueError as error:
                raise DataError(f"{path}, row {number}: {error}; delete the row to compute it again") from error
            self.rows.setdefault((entry.method, entry.seed), {})[entry.part] = entry

    def find(self, method: str, seed: int, key: str) -> dict[Any, Row]:
        """The rows that are there for this very input."""
        return {part: row for part, row in self.rows.get((method, seed), {}).items() if row.key == key}

    def put(self, method: str, seed: int, rows: Iterable[Row]) -> None:
        """Replace all rows of a method and seed."""
        self.rows[method, seed] = {row.part: row for row in sorted(rows, key=lambda row: row.part)}
        if self.path is not None:
            write_csv(self.path, self.columns, (vars(row) for group in self.rows.values() for row in group.values()))
