"""Embeddings on disk under the hash of what made them, so that all protocols share one pretraining."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._files import write_whole
from graphcl.errors import DataError, RunError
from graphcl.evaluate._checks import to_numpy

__all__ = ["cached", "is_cached"]


def cached(folder: str | Path, key: Mapping[str, Any], make: Callable[[], Any]) -> NDArray[Any]:
    """The array that ``make()`` gave for this key, now or in an earlier run.

    Args:
        folder: Where the ``.npz`` files lie.
        key: All that decides the array (data set, method, settings, seed, version), as JSON can say it.
        make: Makes the array or tensor if there is none yet.

    Returns:
        The array.

    Raises:
        DataError: An unreadable file or one of another key; the message names it.
        RunError: The file cannot be written.
        TypeError: A key that JSON cannot say, or no numbers.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = cached(folder, {"seed": 0}, lambda: np.ones(3))
        ...     cached(folder, {"seed": 0}, lambda: np.zeros(3)).tolist()
        [1.0, 1.0, 1.0]
    """
    text, path = _place(folder, key)
    if path.exists():
        return _read(path, text)
    array = to_numpy(make())
    if array.dtype.hasobject:  # which would be pickled, and not be read again
        raise TypeError(f"expected numbers to keep, got an array of {array.dtype}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: np.savez(file, embeddings=array, key=np.array(text)))
    except OSError as error:
        raise RunError(f"could not write {path}: {error}. Free some space, or choose another folder.") from error
    return array


def rows_of(
    builds: Mapping[str, Callable[[int], NDArray[Any]]],
    seeds: Sequence[int],
    folder: str | Path | None = None,
    key: Mapping[str, Any] | None = None,
) -> dict[str, list[NDArray[Any]]]:
    """What each method makes of each seed, or what lies in the folder, if there is one.

    Raises:
        ValueError: There is a folder, but no key that says what decides the rows besides name and seed.
    """
    if folder is not None and key is None:
        raise ValueError("expected a key that says what decides the embeddings, got a cache without one")

    def row(name: str, seed: int) -> NDArray[Any]:
        make = partial(builds[name], seed)
        return make() if folder is None else cached(folder, {"key": dict(key or {}), "row": name, "seed": seed}, make)

    return {name: [row(name, seed) for seed in seeds] for name in builds}


def is_cached(folder: str | Path, key: Mapping[str, Any]) -> bool:
    """Whether :func:`cached` has an array for this key.

    Example:
        >>> is_cached("nowhere", {"seed": 0})
        False
    """
    return _place(folder, key)[1].exists()


def _place(folder: str | Path, key: Mapping[str, Any]) -> tuple[str, Path]:
    _check_names(key)
    text = json.dumps(key, sort_keys=True)
    return text, Path(folder) / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def _check_names(key: Any) -> None:
    """Refuse names that are not texts: JSON makes them some, and 1 and "1" would be one key."""
    if isinstance(key, Mapping):
        for name in key:
            if not isinstance(name, str):
                raise TypeError(f"expected texts as names in a key, got {name!r} in {dict(key)}")
    if isinstance(key, (Mapping, list, tuple)):
        for part in key.values() if isinstance(key, Mapping) else key:
            _check_names(part)


def _read(path: Path, text: str) -> NDArray[Any]:
    try:
        # Opened here, as np.load leaves a truncated file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            array, found = stored["embeddings"], str(stored["key"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected cached embeddings, got an unreadable file ({error}); delete it") from error
    if found != text:
        raise DataError(f"{path}: expected embeddings for {text}, got some for {found}; delete the file")
    return array
