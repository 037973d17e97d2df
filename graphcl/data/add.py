"""Adds a data set from raw files that are already on disk, checked before anything is put in place."""

import tempfile
from pathlib import Path

from graphcl.data.cards import Card, card, card_folder, check_name, put_card, readable_card
from graphcl.data.home import home, no_empty_folders
from graphcl.data.load import load, load_raw, measure
from graphcl.data.tu_check import KINDS, check_raw, raw_file
from graphcl.data.tu_copy import copy_raw
from graphcl.errors import DataError

__all__ = ["add"]


def add(name: str, source: str | Path, *, root: str | Path | None = None) -> Card:
    """Add a TU-format data set from a folder or a zip archive on disk.

    The files are copied to a scratch folder, checked and loaded there, and moved into place in one step; the source is
    left as it is. A name without a card gets a user card with the measured counts, in the data folder's ``cards/``.

    Args:
        name: The prefix of the files, ``NAME_A.txt`` and so on.
        source: A folder (with the files at its top, in ``NAME/``, ``raw/`` or ``NAME/raw/``) or a zip archive.
        root: The data folder (:func:`graphcl.data.home`).

    Returns:
        The data set's card.

    Raises:
        DataError: If the source holds no such data set, its files are incomplete or contradict each other or the card,
            another data set of this name is already there, or the data folder cannot be written.
    """
    check_name(name)
    folder, source = home(root), Path(source).expanduser()
    if (card_folder() / name / "card.yaml").is_file() and (loader := card(name).loader) != "tu":
        how = "made by the package and needs no files"
        if loader != "embedded":
            how = f"downloaded when it is loaded; where that fails, the error says where in {folder} its files belong"
        raise DataError(f"{name} is {how}: to add other data, choose another name.")
    own = folder / "cards" / f"{name}.yaml"
    if own.is_file() and (there := readable_card(own)) is not None and there.loader != "tu":
        raise DataError(f"{name} is there already, another data set, as its card {own} says: choose another name.")
    try:
        with no_empty_folders(folder / "TU", folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".add-") as scratch:
                try:
                    return _add(name, source, folder, Path(scratch))
                except DataError as error:  # tells of files that are gone when it is read
                    told = str(error).replace(str(Path(scratch) / "TU" / name / "raw"), str(source))
                    raise DataError(told) from error
    except OSError as error:
        raise DataError(
            f"{name} could not be added to {folder} ({error}): mend that, or choose another folder with --root or "
            f"$GRAPHCL_HOME."
        ) from error


def _add(name: str, source: Path, folder: Path, scratch: Path) -> Card:
    raw = scratch / "TU" / name / "raw"
    raw.mkdir(parents=True)
    copy_raw(source, name, raw)
    check_raw(raw, name)
    target = folder / "TU" / name
    present = _same_files(name, raw, target / "raw")
    entry = _card_for(name, folder, scratch)
    if entry.path.is_relative_to(card_folder()):
        load(name, root=scratch)  # compares the counts with the package's card
    if not present:
        _clear(target)
        target.parent.mkdir(exist_ok=True)
        raw.parent.rename(target)
    if not entry.path.is_relative_to(folder):
        return entry
    return put_card(entry)


def _card_for(name: str, folder: Path, scratch: Path) -> Card:
    """The package's card, or a user's card with counts measured on the files in the scratch folder."""
    if (card_folder() / name / "card.yaml").is_file():
        return card(name)
    has = {kind for kind in KINDS if raw_file(scratch / "TU" / name / "raw", name, kind).is_file()}
    is_regression = "graph_attributes" in has
    draft = Card(
        name=name,
        title=f"{name}, added by the user",
        loader="tu",
        level="graph",
        task="regression" if is_regression else "classification",
        metric="rmse" if is_regression else "accuracy",
        licence="not stated",
        citation="not stated",
        source="added from files",
        counts={},
        path=folder / "cards" / f"{name}.yaml",
        # PyTorch Geometric leaves the attributes out, but without labels of nodes they are all that there is.
        features="attributes" if "node_attributes" in has and "node_labels" not in has else None,
        protocols=() if is_regression else ("tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"),
    )
    counts = measure(load_raw(draft, scratch))
    return Card(**{**vars(draft), "counts": counts})


def _same_files(name: str, new: Path, old: Path) -> bool:
    """True if the data set is already there, file by file; False if nothing of it is; an error if another one is."""
    kinds = [kind for kind in KINDS if raw_file(old, name, kind).is_file()]
    if not kinds:
        return False
    for kind in KINDS:
        before, after = raw_file(old, name, kind), raw_file(new, name, kind)
        if before.is_file() != after.is_file() or (before.is_file() and not _equal(before, after)):
            which = "lacks" if not before.is_file() else "has another" if after.is_file() else "has"
            raise DataError(
                f"{old} already holds {name}, with other files (it {which} {before.name}): nothing was changed. "
                f"Remove {old.parent} first if the new files are to replace it."
            )
    return True


def _equal(a: Path, b: Path) -> bool:
    if a.stat().st_size != b.stat().st_size:
        return False
    with a.open("rb") as left, b.open("rb") as right:
        while block := left.read(2**20):
            if block != right.read(2**20):
                return False
    return True


def _clear(target: Path) -> None:
    """Remove empty folders in the way; anything else in them is the user's and stops the addition."""
    if not target.exists():
        return
    for path in sorted(target.rglob("*"), reverse=True):
        if not path.is_dir():
            raise DataError(f"{target} is in the way: it holds {path.name}, but no raw files. Remove it first.")
        path.rmdir()
    target.rmdir()
