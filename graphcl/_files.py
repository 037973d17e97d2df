"""Whole files or none: written beside the target, flushed, renamed."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing", "write_whole"]


@contextmanager
def replacing(path: Path, *, scratch: Path | None = None) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; after the block that file takes its place, after a failure it is gone.

    Args:
        path: What is replaced.
        scratch: Where to write, by default under a name that no other process or thread takes.
    """
    scratch = scratch or path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield scratch
        with scratch.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, scratch: Path | None = None) -> None:
    """Let ``write`` fill a file and put it in the place of ``path``; a failure leaves ``path`` as it was."""
    with replacing(path, scratch=scratch) as written:
        with written.open("wb") as file:  # closed before it is renamed
            write(file)
