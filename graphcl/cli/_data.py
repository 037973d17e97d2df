"""The graphs that a command reads: by name or from a file of molecules, without those that a test needs."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphcl._descriptors import VECTOR_WIDTHS
from graphcl.errors import ConfigError, RunError

__all__ = ["add_columns", "check_new", "leave_out", "load_data", "tell_overlaps", "tell_skipped", "with_modality"]


def load_data(settings: Mapping[str, Any], *, root: str | None) -> Any:
    """The data set, or file of molecules, that a run's settings name."""
    from graphcl.data import load, load_molecules
    from graphcl.data._text import ENCODING

    if settings["data"] is None:
        return load(settings["dataset"], root=root, features=settings["features"], vocab=settings["vocab"])
    if settings["features"] not in (None, "original"):
        raise ConfigError(
            f"expected a file of molecules with its own features, indices of atoms, got {settings['features']!r}"
        )
    return load_molecules(
        settings["data"],
        vocab=settings["vocab"] or "ogb",
        smiles=settings["smiles_column"],
        encoding=settings.get("encoding") or ENCODING,
        root=root,
    )


def with_modality(dataset: Any, settings: Mapping[str, Any], *, root: str | None) -> Any:
    """Molecules with the vectors that a run contrasts them with, where these can be computed and are not there."""
    from graphcl.data import MoleculeDataset, with_vectors

    kind = settings["arguments"].get("modality")
    if not isinstance(dataset, MoleculeDataset) or kind not in VECTOR_WIDTHS or kind in dataset[0]:
        return dataset
    return with_vectors(dataset, kind, root=root)


def leave_out(dataset: Any, names: Sequence[str], by: str, *, root: str | None) -> tuple[Any, list[Any]]:
    """The set without the molecules of the named sets, and what it shared with each."""
    from graphcl.data import MoleculeDataset, load, without_overlap

    if not names:
        return dataset, []
    if by not in ("inchikey", "skeleton"):
        raise ConfigError(f"expected exclude-by to be inchikey or skeleton, got {by!r}")
    if not isinstance(dataset, MoleculeDataset):
        raise ConfigError(f"expected molecules to leave out those of {', '.join(names)}, got {dataset.name}")
    others = {}
    for name in names:
        other = load(name, root=root)
        if not isinstance(other, MoleculeDataset):
            raise ConfigError(f"expected sets of molecules to exclude, got {name}")
        others[name] = other.smiles
    return without_overlap(dataset, others, by=by, root=root)  # type: ignore[arg-type]


def add_columns(add: Any) -> None:
    """The options that say how a file of molecules is read."""
    add("--smiles-column", type=str | None, default=None, help="its column of SMILES; by default the one of that name")
    add("--encoding", type=str | None, default=None, help="its encoding if that is not UTF-8, such as latin-1")


def check_new(file: Path, suffix: str, *, overwrite: bool, data: str | None = None) -> None:
    """Refuse to write a file that is there already, or of another format than its name says, or into no folder.

    Of a file of molecules, ``data``, the list of the rows that are not molecules may be written, too.
    """
    if file.suffix.lower() != suffix:
        raise ConfigError(f"expected a file that ends in {suffix}, as that is what is written, got --out {file}")
    for path in (file, *([] if data is None else [beside(file)])):
        if path.exists() and not overwrite:
            raise RunError(f"expected a new file, but {path} is there already; choose another --out, or --overwrite")
        if data is not None and path.resolve() == Path(data).expanduser().resolve():
            raise RunError(f"expected other files to write than {path}, which is read; choose another --out")
    if not file.parent.is_dir():
        raise RunError(f"expected the folder {file.parent} to exist; make it first")
    try:
        with tempfile.TemporaryFile(dir=file.parent):  # what is long in the making would be lost
            pass
    except OSError as error:
        raise RunError(f"expected a folder that can be written to, got {file.parent}: {error.strerror}") from error


def beside(file: Path) -> Path:
    """Where the rows that are not molecules are listed, beside what is written of the others."""
    return file.with_suffix(".skipped.csv")


def tell_skipped(dataset: Any, path: Path) -> None:
    """Say how many rows are not molecules, and list them in a file."""
    if getattr(dataset, "skipped", ()):
        count = dataset.write_skipped(path)
        print(f"{count:,} of {dataset.num_rows:,} rows are not molecules and are left out; {path} lists them")
    elif path.is_file() and path.read_bytes().startswith(b"row,smiles,reason"):
        path.unlink()  # of what was written there before


def tell_overlaps(overlaps: Sequence[Any], before: int, after: int, path: Path) -> None:
    """Say what was shared and left out, and keep it in a file."""
    if not overlaps:
        return
    for overlap in overlaps:
        print(f"{overlap.name}: {overlap.shared:,} of its {overlap.molecules:,} molecules are in the data as well")
    print(f"{before - after:,} of {before:,} molecules are left out; {path} has the counts")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(overlaps[0]._fields)
        writer.writerows(overlaps)
