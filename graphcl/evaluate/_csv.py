"""Tables as CSV files, which are whole and have the columns that are expected."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphcl._files import write_whole
from graphcl.errors import DataError, RunError

__all__ = ["read_csv", "write_csv"]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under a header line: all of them, or none, and then a ``RunError``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(text.getvalue().encode()))
    except OSError as error:
        raise RunError(f"could not write {path}: {error}. Free some space, or choose another folder.") from error


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read rows; an absent file has none, and a file with other columns or a cut line is an error that names it."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if list(reader.fieldnames or []) != list(columns):
            raise DataError(
                f"{path}: expected the columns {','.join(columns)}, got {','.join(reader.fieldnames or [])}; "
                "move the file away to start a new one"
            )
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {reader.line_num}: expected {len(columns)} values; mend or delete the line"
                )
            rows.append(row)
    return rows
