"""Raw TU files taken from a folder or a zip archive on disk, without trusting the archive's paths."""

import lzma
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from graphcl.data.tu_check import KINDS
from graphcl.errors import DataError

__all__ = ["copy_raw"]


def copy_raw(source: Path, name: str, target: Path) -> None:
    """Copy the raw files ``NAME_*.txt`` of a TU data set into an existing folder.

    The files may lie at the top of ``source``, in ``NAME/``, ``raw/`` or ``NAME/raw/`` (a folder), or anywhere in one
    folder of a zip archive. Only files of the TU format are taken; an archive's own paths are never written to.

    Args:
        source: A folder or a zip archive.
        name: The prefix of the files.
        target: Where the files go.

    Raises:
        DataError: If ``source`` holds no such data set, or is not a readable archive.
    """
    wanted = {f"{name}_{kind}.txt" for kind in KINDS}
    if source.is_dir():
        _from_folder(source, name, wanted, target)
    elif source.is_file():
        try:
            with zipfile.ZipFile(source) as archive:
                _from_archive(archive, source, name, wanted, target)
        # A damaged archive shows itself as any of these, by where it is damaged and how it is compressed.
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{source} is not a readable zip archive ({error}): copy or download it again.") from error
    else:
        raise DataError(f"{source} does not exist: expected a folder or a zip archive with {name}_A.txt.")


def _from_folder(source: Path, name: str, wanted: set[str], target: Path) -> None:
    places = (source, source / name, source / "raw", source / name / "raw")
    place = next((place for place in places if (place / f"{name}_A.txt").is_file()), None)
    if place is None:
        raise _not_found(source, name, [path.name for folder in places for path in folder.glob("*_A.txt")])
    for file in sorted(wanted):
        if (place / file).is_file():
            shutil.copyfile(place / file, target / file)


def _from_archive(archive: zipfile.ZipFile, source: Path, name: str, wanted: set[str], target: Path) -> None:
    members = [(info, PurePosixPath(info.filename.replace("\\", "/"))) for info in archive.infolist()]
    for _, path in members:
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"{source} holds the unsafe path {str(path)!r}: expected names inside the archive only.")
    places = sorted({path.parent for _, path in members if path.name == f"{name}_A.txt"})
    if not places:
        raise _not_found(source, name, [path.name for _, path in members if path.name.endswith("_A.txt")])
    for info, path in members:
        if path.parent == places[0] and path.name in wanted:
            with archive.open(info) as packed, (target / path.name).open("wb") as file:
                shutil.copyfileobj(packed, file, length=2**20)


def _not_found(source: Path, name: str, others: list[str]) -> DataError:
    names = sorted({other.removesuffix("_A.txt") for other in others})
    hint = f" It holds {', '.join(names)}: use that name." if names else ""
    return DataError(f"{source} holds no {name}_A.txt: expected the raw files of the TU data set {name}.{hint}")
