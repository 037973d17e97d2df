"""Where data lives: one folder, chosen by argument, by environment or by the user's cache."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["home", "no_empty_folders"]


def home(root: str | Path | None = None) -> Path:
    """Return the folder that holds data sets and user cards.

    The first of these that is set: ``root``, ``$GRAPHCL_HOME``, ``$XDG_CACHE_HOME/graphcl``, ``~/.cache/graphcl``.
    The folder is not created here: whoever writes into it does that.

    Args:
        root: A folder chosen by the caller, ``~`` allowed.

    Returns:
        The folder's path; it need not exist.

    Example:
        >>> home("/data").as_posix()
        '/data'
    """
    if root is not None:
        return Path(root).expanduser()
    if chosen := os.environ.get("GRAPHCL_HOME"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification says that a relative path there is to be ignored.
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return base / "graphcl"


@contextmanager
def no_empty_folders(*folders: Path) -> Iterator[None]:
    """Remove, if the block fails, those of the folders that it made and left empty.

    Args:
        folders: Inner folders before the ones that hold them.
    """
    new = [folder for folder in folders if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in new:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
