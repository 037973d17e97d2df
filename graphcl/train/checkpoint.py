"""Checkpoints that survive a kill at any instant: written beside, flushed, renamed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from graphcl._files import write_whole
from graphcl.errors import CheckpointError, RunError

__all__ = ["check_readable", "load_checkpoint", "save_checkpoint", "write_atomically"]


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill a temporary file and put it in the place of ``path``: whole, or not at all.

    Raises:
        RunError: The file cannot be written; what was there is untouched.
    """
    try:
        # Always the same name: however often a run is killed here, one file is left.
        write_whole(path, write, scratch=path.with_name(path.name + ".tmp"))
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        kept = " The file that was there before is intact." if path.exists() else ""
        raise RunError(
            f"could not write {path}: {error}.{kept} Free some space, or choose another output folder."
        ) from error


def check_readable(path: Path) -> None:
    """Refuse a file that this user may not read: it is not damaged, and not to be deleted.

    Raises:
        CheckpointError: It cannot be opened.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise CheckpointError(
            f"expected to be allowed to read {path}, got: {error.strerror}; mend its rights"
        ) from error


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain containers of them.

    Raises:
        RunError: The file cannot be written; an earlier checkpoint stays as it was.
    """
    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: Path, *, map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing but tensors and plain containers is ever unpickled.

    Raises:
        CheckpointError: The file is missing, truncated, or no checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(
            f"expected a checkpoint at {path}, found none: the run was stopped before its first one. Start it anew: "
            "resume=False, or --overwrite on the command line"
        )
    check_readable(path)
    try:
        state = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a damaged file can fail in many ways: zip, pickle, end of file, storage
        raise CheckpointError(
            f"expected a checkpoint at {path}, but it cannot be read (truncated or damaged): {type(error).__name__}. "
            "Delete it and start the run anew (resume=False, or --overwrite on the command line), or restore it from a "
            "copy"
        ) from error
    if not isinstance(state, dict) or "model" not in state:
        raise CheckpointError(f"expected a checkpoint at {path}, got a file without a model in it")
    return state
