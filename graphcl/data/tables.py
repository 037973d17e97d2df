"""Files of molecules: CSV, TSV, SMI, SDF and Parquet, plain or gzip, as SMILES and labels by row."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._arguments import check_choice
from graphcl.data._sdf import records_of
from graphcl.data._text import ENCODING, lines_of, open_bytes
from graphcl.errors import DataError

__all__ = ["FORMATS", "MoleculeTable", "read_molecules"]

FORMATS = ("csv", "tsv", "smi", "sdf", "parquet")
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "smi", ".smi": "smi", ".smiles": "smi"}
_SUFFIXES |= {".sdf": "sdf", ".parquet": "parquet"}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
_LARGEST = float(np.finfo(np.float32).max)
_NOT_MEASURED = {"", "nan", "na", "n/a", "none", "null"}


@dataclass(frozen=True)
class MoleculeTable:
    """What a file of molecules holds.

    Attributes:
        smiles: The SMILES of each row, empty where there is none.
        labels: ``[rows, tasks]`` float32, NaN where nothing was measured.
        tasks: The names of the label columns.
        columns: The names of all columns.
        reasons: Why rows of an SDF have no SMILES.
    """

    smiles: list[str]
    labels: NDArray[np.float32]
    tasks: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    reasons: Mapping[int, str] = field(default_factory=dict)


def read_molecules(
    path: str | Path,
    *,
    smiles: str | None = None,
    labels: Iterable[str] = (),
    file_format: str | None = None,
    encoding: str = ENCODING,
) -> MoleculeTable:
    """Read the SMILES, and the labels, of a file of molecules; row by row, nothing left out.

    Rows are counted from 0, without the header. Blank lines are not rows and are not counted.

    CSV and TSV have a header, and columns are found by name. SMI has none (a first line that begins with ``SMILES`` is
    skipped): each line is a SMILES, and what follows after a space is its name. SDF gives the canonical SMILES of each
    record (one that RDKit cannot read is an empty row), and its properties are the columns. gzip is told by the file's
    first bytes, whatever its name.

    Args:
        path: The file.
        smiles: The name of the column of SMILES; None takes the one called ``smiles`` in whatever case.
        labels: The names of the label columns: numbers, where an empty cell, ``NaN``, ``NA``, ``None`` or ``null`` says
            that nothing was measured.
        file_format: ``csv``, ``tsv``, ``smi``, ``sdf`` or ``parquet``; None goes by the name of the file.
        encoding: Of text files. UTF-8, with a byte order mark or without, and UTF-16 with one, need not be told.

    Raises:
        DataError: The file is missing, empty, damaged or of another encoding; a column is missing (those that are there
            are listed), a label is text or infinite, or a row is shorter than the header. File and line are named.
        ValueError: The format or the encoding is unknown, or a label column is named twice.
        TypeError: The labels are a single text.
        ImportError: RDKit (SDF) or pyarrow (Parquet) is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "mine.csv"
        >>> _ = path.write_text("name,smiles,active\\nethanol,CCO,1\\nbenzene,c1ccccc1,\\n")
        >>> table = read_molecules(path, labels=["active"])
        >>> table.smiles, table.labels.tolist()
        (['CCO', 'c1ccccc1'], [[1.0], [nan]])
    """
    path, labels = Path(path).expanduser(), label_names(labels)
    kind = _kind(path, file_format)
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty: expected a file of molecules.")
        if kind in ("csv", "tsv"):
            with _cells_of_any_length():
                return _from_rows(path, _rows(path, encoding, "," if kind == "csv" else "\t"), smiles, labels)
        if kind == "smi":
            _no_columns(path, smiles, labels)
            lines = (line.split(None, 1) for line in lines_of(path, encoding) if line.strip())
            found = [parts[0] for parts in lines]
            if found and found[0].lower() == "smiles":  # a heading, which no molecule is called
                del found[0]
            return _checked(path, MoleculeTable(found, np.empty((len(found), 0), np.float32)))
        if kind == "sdf":
            records, reasons = records_of(lines_of(path, encoding))
            return replace(_from_rows(path, records, smiles or "smiles", labels), reasons=reasons)
        return _from_rows(path, _parquet(path, smiles, labels), smiles, labels)
    except (OSError, EOFError, zlib.error) as error:  # gzip raises all three for a damaged file
        raise DataError(f"{path} cannot be read ({error}): expected a whole {kind} file, plain or gzip.") from error


def label_names(labels: Iterable[str]) -> list[str]:
    """The names of label columns; a single text is refused."""
    if isinstance(labels, str):
        raise TypeError(f"expected labels to be a list of column names, got one text {labels!r}; write [{labels!r}]")
    return list(labels)


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """The limit of ``csv`` to a cell, 131,072 characters, is one for the whole process, and is put back."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _kind(path: Path, file_format: str | None) -> str:
    if file_format is not None:
        check_choice("file_format", file_format, FORMATS)
        return file_format
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".gzip")]
    kind = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise DataError(
            f"{path.name} does not say by its name what it is: expected it to end in {', '.join(_SUFFIXES)} (and .gz), "
            f"or the format to be given ({', '.join(FORMATS)})."
        )
    return kind


def _rows(path: Path, encoding: str, separator: str) -> Iterator[Sequence[str]]:
    ended = False

    def lines() -> Iterator[str]:
        nonlocal ended
        yield from lines_of(path, encoding)
        ended = True

    reader = csv.reader(lines(), delimiter=separator)
    begins, width = 1, 0
    try:
        for row in reader:
            if ended:  # the reader has asked for more lines than there are
                raise DataError(
                    f"{path}, line {begins}: a quotation mark that is never closed makes one cell of all that follows. "
                    f"Close it, or write it twice in a quoted text."
                )
            begins = reader.line_num + 1
            if not row:
                continue  # an empty line is not a row
            width = width or len(row)
            if len(row) != width:
                raise DataError(
                    f"{path}, line {reader.line_num}: expected {width} cells as in the header, got {len(row)}. A text "
                    f"with commas needs quotes around it."
                )
            yield row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}.") from error


def _from_rows(path: Path, rows: Iterator[Sequence[str]], smiles: str | None, labels: Sequence[str]) -> MoleculeTable:
    header = [name.strip() for name in next(rows, [])]
    column = _smiles_column(path, header, smiles)
    places = _label_columns(path, header, labels)
    found: list[str] = []
    values: list[float] = []
    for number, row in enumerate(rows):
        found.append(row[column].strip())
        values += [_number(path, number, name, row[place]) for name, place in zip(labels, places, strict=True)]
    table = np.array(values, dtype=np.float32).reshape(len(found), len(places))
    return _checked(path, MoleculeTable(found, table, tuple(labels), tuple(header)))


def _label_columns(path: Path, header: list[str], labels: Sequence[str]) -> list[int]:
    if len(set(labels)) < len(labels):
        raise ValueError(f"expected each label column once, got {', '.join(labels)}")
    absent = [name for name in labels if name not in header]
    if absent:
        raise DataError(f"{path} has no column {absent[0]!r} to learn from. Its columns: {', '.join(header)}.")
    twice = [name for name in labels if header.count(name) > 1]
    if twice:
        raise DataError(
            f"{path} has several columns {twice[0]!r}: expected one of that name to learn from. Rename them."
        )
    return [header.index(name) for name in labels]


def _checked(path: Path, table: MoleculeTable) -> MoleculeTable:
    if not table.smiles:
        raise DataError(f"{path} has no rows: expected at least one molecule.")
    return table


def _smiles_column(path: Path, header: list[str], smiles: str | None) -> int:
    fits = [i for i, name in enumerate(header) if (name.lower() == "smiles" if smiles is None else name == smiles)]
    if len(fits) == 1:
        return fits[0]
    wanted = f"{smiles!r}" if smiles is not None else "'smiles'"
    between = [words for mark, words in _SEPARATORS.items() if len(header) == 1 and mark in header[0]]
    mend = (
        f"There are {between[0]} between them: save it with commas as .csv, or with tabs as .tsv."
        if between
        else "Name the one with the SMILES (smiles='NAME', or --smiles-column NAME)."
    )
    raise DataError(
        f"{path} has {'several columns' if fits else 'no column'} {wanted}. Its columns: "
        f"{', '.join(header) or 'none'}. {mend}"
    )


def _number(path: Path, row: int, name: str, cell: str) -> float:
    text = cell.strip()
    if text.lower() in _NOT_MEASURED:
        return math.nan
    try:
        value = float(text.replace("_", "?"))  # for Python 1_5 is 15
    except ValueError as error:
        hint = " Write true and false as 1 and 0." if text.lower() in ("true", "false") else ""
        raise DataError(
            f"{path}, row {row}, column {name!r}: expected a number or an empty cell, got the text {cell!r}. A column "
            f"of text is not a label: choose another, or write its classes as numbers.{hint}"
        ) from error
    if abs(value) > _LARGEST:
        raise DataError(
            f"{path}, row {row}, column {name!r}: expected a finite number, got {cell!r} (labels are kept as float32)."
        )
    return value


def _no_columns(path: Path, smiles: str | None, labels: Sequence[str]) -> None:
    if smiles is not None or labels:
        raise DataError(
            f"{path} has lines of SMILES and no columns, so none is called {smiles or labels[0]!r}. If it has a header "
            f"and separators, say file_format='csv' or 'tsv'."
        )


def _parquet(path: Path, smiles: str | None, labels: Sequence[str]) -> Iterator[Sequence[str]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ImportError("reading Parquet needs pyarrow; install it with: pip install 'graphcl[parquet]'") from error
    read: Callable[..., Any] = parquet.read_table
    with open_bytes(path) as file:
        source = io.BytesIO(file.read()) if isinstance(file.raw, gzip.GzipFile) else path
    try:
        stored = list(parquet.read_schema(source).names)
        header = [name.strip() for name in stored]
        column = _smiles_column(path, header, smiles)
        _label_columns(path, header, labels)
        wanted = [name for i, name in enumerate(stored) if i == column or name.strip() in labels]
        table = read(source, columns=wanted)
    except ArrowException as error:
        raise DataError(f"{path} is not a Parquet file, or a damaged one ({error}).") from error
    yield header
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for i in range(table.num_rows):
        yield [_cell(columns[name][i]) if name in columns else "" for name in stored]


def _cell(value: Any) -> str:
    """A value of a typed file as text; some writers keep texts as bytes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)
