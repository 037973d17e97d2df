"""The bytes and the lines of a file, plain or gzip, in whatever encoding it is said to have."""

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from graphcl.errors import DataError

__all__ = ["ENCODING", "lines_of", "open_bytes"]

ENCODING = "utf-8-sig"  # UTF-8, with a byte order mark or without


def open_bytes(path: Path) -> io.BufferedReader:
    """The file's bytes, unpacked where its first two say gzip, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return io.BufferedReader(gzip.open(path, "rb")) if packed else path.open("rb")


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """The file's lines with their ends; UTF-16 is told by its mark.

    Raises:
        DataError: Bytes of another encoding; the line is named.
        ValueError: There is no such encoding.
    """
    try:
        "".encode(encoding)
    except LookupError as error:
        raise ValueError(
            f"expected an encoding that Python knows, such as utf-8, latin-1 or cp1252, got {encoding!r}"
        ) from error
    if codecs.lookup(encoding).name == "utf-8":
        encoding = ENCODING
    with open_bytes(path) as file:
        if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        try:
            with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
                yield from text
        except UnicodeError as error:
            raise DataError(
                f"{path}{_place(path, encoding)}: expected text in {encoding}, got other bytes ({error}). Say which "
                f"encoding the file has (encoding='latin-1', or --encoding latin-1, for older Windows files), or save "
                "it as UTF-8."
            ) from error


def _place(path: Path, encoding: str) -> str:
    """The first line that cannot be read; what reads ahead, block by block, does not tell."""
    with open_bytes(path) as file:
        for number, line in enumerate(file if encoding != "utf-16" else (), 1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f", line {number}"
    return ""
