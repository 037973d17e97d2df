"""The raw text files of a TU data set, checked line by line before they are read.

PyTorch Geometric's reader trusts its input: it drops a last line that lacks its newline, wraps a node id of 0 round to
the last node, and shifts edges that join two graphs out of range. A half-written file then gives a data set that loads
and is wrong. The check reads each file once, in blocks, with vectorised parsing; only a block that looks odd is parsed
line by line, to name the line.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl.errors import DataError

__all__ = ["KINDS", "TARGETS", "check_raw", "count_lines", "missing_files", "raw_file"]

REQUIRED = ("A", "graph_indicator")
TARGETS = ("graph_labels", "graph_attributes")
KINDS = REQUIRED + TARGETS + ("node_labels", "node_attributes", "edge_labels", "edge_attributes")
BLOCK = 16 * 2**20

Number = Callable[[str], int | float]
Table = NDArray[Any]  # int64 or float64, as the file's kind asks


def raw_file(folder: Path, name: str, kind: str) -> Path:
    """Return the path of one raw file, such as ``MUTAG_graph_labels.txt``."""
    return folder / f"{name}_{kind}.txt"


def missing_files(folder: Path, name: str) -> list[str]:
    """Return the names of the required raw files that are not in ``folder``."""
    missing = [kind for kind in REQUIRED if not raw_file(folder, name, kind).is_file()]
    if not any(raw_file(folder, name, kind).is_file() for kind in TARGETS):
        missing.append(TARGETS[0])
    return [raw_file(folder, name, kind).name for kind in missing]


def count_lines(path: Path) -> int:
    """Return the number of newlines in a file."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))


def check_raw(folder: Path, name: str) -> None:
    """Check that the raw files of a TU data set are complete and agree with each other.

    Args:
        folder: The folder with ``NAME_A.txt``, ``NAME_graph_indicator.txt``, ``NAME_graph_labels.txt`` and so on.
        name: The prefix of the files.

    Raises:
        DataError: If a file is missing, cut short, not numeric or contradicts another one; names the file and the line.
    """
    if missing := missing_files(folder, name):
        raise DataError(
            f"{folder} lacks {', '.join(missing)}: a TU data set has at least {name}_A.txt, "
            f"{name}_graph_indicator.txt and {name}_graph_labels.txt. Copy the missing files there."
        )
    graph_of_node = _check_indicator(raw_file(folder, name, "graph_indicator"))
    _check_targets(folder, name, num_graphs=int(graph_of_node[-1]))
    for kind, number in (("node_labels", int), ("node_attributes", float)):
        _check_length(folder, name, kind, number, len(graph_of_node), "nodes", "graph_indicator")
    num_edges = _check_edges(raw_file(folder, name, "A"), graph_of_node)
    for kind, number in (("edge_labels", int), ("edge_attributes", float)):
        _check_length(folder, name, kind, number, num_edges, "edges", "A")


def _check_indicator(path: Path) -> NDArray[np.int64]:
    blocks = [table[:, 0] for table, _ in _tables(path, int, columns=1)]
    if not blocks:
        raise DataError(f"{path} is empty: expected one line per node with the number of its graph.")
    indicator = np.concatenate(blocks)
    if indicator[0] < 1:
        raise DataError(f"{path}, line 1: graphs are numbered from 1, got {indicator[0]}.")
    steps = np.diff(indicator, prepend=0)
    wrong = np.flatnonzero((steps < 0) | (steps > 1))
    if wrong.size:
        line, graph, before = wrong[0] + 1, indicator[wrong[0]], indicator[wrong[0]] - steps[wrong[0]]
        if graph < before:
            raise DataError(
                f"{path}, line {line}: graph {graph} comes after graph {before}; nodes must be sorted by graph."
            )
        raise DataError(
            f"{path}, line {line}: graph {graph} follows graph {before}, so graph {before + 1} (index {before}) has no "
            f"nodes. Remove such graphs and their labels, and number the rest without gaps."
        )
    return indicator


def _check_targets(folder: Path, name: str, num_graphs: int) -> None:
    for kind, number in (("graph_labels", int), ("graph_attributes", float)):
        path = raw_file(folder, name, kind)
        if not path.is_file():
            continue
        lines = sum(len(table) for table, _ in _tables(path, number))
        if lines < num_graphs:
            raise DataError(
                f"{path} ends after line {lines}: expected {num_graphs} lines, one per graph of "
                f"{name}_graph_indicator.txt. One of the two files is cut short or from another edition."
            )
        if lines > num_graphs:
            raise DataError(
                f"{path} has {lines} lines, but {name}_graph_indicator.txt ends with graph {num_graphs}: graph "
                f"{num_graphs + 1} (index {num_graphs}) has no nodes, or that file is cut short."
            )


def _check_length(
    folder: Path, name: str, kind: str, number: Number, expected: int, items: str, reference: str
) -> None:
    path = raw_file(folder, name, kind)
    if not path.is_file():
        return
    lines = sum(len(table) for table, _ in _tables(path, number))
    if lines != expected:
        end = f"ends after line {lines}" if lines < expected else f"has {lines} lines"
        raise DataError(
            f"{path} {end}: expected {expected}, one per line of {name}_{reference}.txt (its {items}). "
            f"One of the two files is cut short or from another edition."
        )


def _check_edges(path: Path, graph_of_node: NDArray[np.int64]) -> int:
    num_nodes, lines = len(graph_of_node), 0
    for table, first in _tables(path, int, columns=2):
        lines += len(table)
        inside = ((table >= 1) & (table <= num_nodes)).all(axis=1)
        if not inside.all():
            row = int(np.argmin(inside))
            raise DataError(
                f"{path}, line {first + row}: edge {_pair(table[row])} names a node outside 1..{num_nodes}, the nodes "
                f"of the graph_indicator file. One of the two files is cut short or from another edition."
            )
        graphs = graph_of_node[table - 1]
        within = graphs[:, 0] == graphs[:, 1]
        if not within.all():
            row = int(np.argmin(within))
            raise DataError(
                f"{path}, line {first + row}: edge {_pair(table[row])} joins graph {graphs[row, 0]} and graph "
                f"{graphs[row, 1]}; an edge must stay within one graph."
            )
    if lines < 2:
        raise DataError(f"{path} has {lines} lines: expected at least one edge, written in both directions.")
    return lines


def _pair(row: Table) -> str:
    return f"({int(row[0])}, {int(row[1])})"


def _tables(path: Path, number: Number, columns: int | None = None) -> Iterator[tuple[Table, int]]:
    """Yield the numbers of a file in blocks of shape [lines, columns], each with the number of its first line."""
    for block, first in _blocks(path):
        table = _parse(block, number)
        if table is None or (columns is not None and table.shape[1] != columns):
            table = _parse_lines(path, block, first, number, columns)
        columns = table.shape[1]
        yield table, first


def _blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    first = 1
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            block += file.readline()
            lines = block.count(b"\n")
            if not block.endswith(b"\n"):
                raise DataError(
                    f"{path}, line {first + lines}: the file does not end with a newline, so it may be cut short (and "
                    f"PyTorch Geometric would drop this line). Copy it again, or add the newline if it is complete."
                )
            yield block, first
            first += lines


def _parse(block: bytes, number: Number) -> Table | None:
    """Parse whole lines at once; None if the block is not plainly a table of numbers."""
    lines, columns = block.count(b"\n"), block.count(b",", 0, block.index(b"\n")) + 1
    dtype = np.int64 if number is int else np.float64
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy 2.4 still only warns where it stops at something that is not a number
        try:
            values = np.fromstring(block.replace(b",", b" "), dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    if values.size != lines * columns:
        return None
    if number is int and (values.max() == np.iinfo(np.int64).max or values.min() == np.iinfo(np.int64).min):
        return None  # numpy stops at the limits without a word
    if columns > 1 or b"," in block:
        code = np.frombuffer(block, dtype=np.uint8)
        newlines, commas = np.flatnonzero(code == ord("\n")), np.flatnonzero(code == ord(","))
        if commas.size != lines * (columns - 1):
            return None
        per_line = commas.reshape(lines, columns - 1)
        if (per_line[:, -1] > newlines).any() or (per_line[1:, 0] < newlines[:-1]).any():
            return None
    return values.reshape(lines, columns)


def _parse_lines(path: Path, block: bytes, first: int, number: Number, columns: int | None) -> Table:
    """Parse line by line, as slowly and as exactly as PyTorch Geometric does, to name the line that is wrong."""
    rows = []
    kind, dtype = ("integers", np.int64) if number is int else ("numbers", np.float64)
    for line, text in enumerate(block.decode(errors="replace").split("\n")[:-1], start=first):
        try:
            row = np.array([number(field) for field in text.split(",")], dtype=dtype)
        except (ValueError, OverflowError):
            raise DataError(f"{path}, line {line}: expected {kind} separated by commas, got {text[:60]!r}.") from None
        columns = columns or len(row)
        if len(row) != columns:
            raise DataError(f"{path}, line {line}: expected {columns} columns, got {len(row)} in {text[:60]!r}.")
        rows.append(row)
    return np.stack(rows)
