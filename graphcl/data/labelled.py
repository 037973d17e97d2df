"""Labelled molecules of one's own: a file and its label columns become a data set with a name, a card and a split."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphcl.data._text import ENCODING
from graphcl.data.cards import Card, card, card_folder, check_name, put_card
from graphcl.data.home import home, no_empty_folders
from graphcl.errors import DataError

if TYPE_CHECKING:
    from graphcl.data.molecule_set import MoleculeDataset

__all__ = ["add_labelled", "load_labelled"]


def add_labelled(
    name: str,
    source: str | Path,
    labels: Iterable[str],
    *,
    smiles: str | None = None,
    encoding: str | None = None,
    root: str | Path | None = None,
) -> Card:
    """Add a file of molecules with labels as a data set, to be loaded, scored on and left out by its name.

    The file is copied into the data folder, and a card with its counts is written there. Labels that are all 0 or 1 are
    classes, scored by ROC-AUC; others are numbers, scored by RMSE, so of several classes each is to be a column of 0
    and 1. Labels of -1 with nothing but 0 and 1 are refused, as -1 may mean a class or no label. The split is the
    scaffold split 80/10/10 without chance, with chirality, as for the sets of MoleculeNet.

    Args:
        name: What the set is to be called.
        source: The file; see :func:`graphcl.data.read_molecules`.
        labels: The label columns.
        smiles: The column of SMILES; None takes the one called ``smiles`` in whatever case.
        encoding: Of a text file that is not UTF-8.
        root: The data folder (:func:`graphcl.data.home`).

    Returns:
        The data set's card.

    Raises:
        DataError: The name is taken or cannot name files, the file cannot be read, a label column is missing, has one
            value only or -1 among 0 and 1, classes and numbers are mixed, the molecules cannot be split by scaffolds,
            or the data folder cannot be written.
        ImportError: RDKit is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> rows = [f"{'C' * n}c1ccccc1,{n % 2}" for n in range(8)] + ["CC,1", "C1CC1,0", "C1CCC1,1"]
        >>> _ = (folder / "mine.csv").write_text("smiles,active\\n" + "\\n".join(rows) + "\\n")
        >>> entry = add_labelled("mine", folder / "mine.csv", ["active"], root=folder)
        >>> entry.task, entry.counts["graphs"]
        ('classification', 11)
    """
    from graphcl.data.tables import label_names

    check_name(name)
    labels = label_names(labels)
    if (card_folder() / name / "card.yaml").is_file():
        raise DataError(f"{name} is a data set of the package: choose another name.")
    source, folder = Path(source).expanduser(), home(root)
    arguments = {"file": source.name, "labels": labels, "smiles": smiles}
    arguments |= {} if encoding is None else {"encoding": encoding}
    task = _task_of(source, arguments)
    entry = Card(
        name=name,
        title=f"{name}, molecules added by the user",
        loader="labelled",
        level="graph",
        task=task,
        metric="rocauc" if task == "classification" else "rmse",
        licence="not stated",
        citation="not stated",
        source="added from a file",
        counts={},
        path=folder / "cards" / f"{name}.yaml",
        arguments=arguments,
        protocols=("moleculenet-linear", "moleculenet-finetune"),
    )
    try:
        return _put(entry, source, folder)
    except OSError as error:
        raise DataError(
            f"{name} could not be added to {folder} ({error}): mend that, or choose another folder with --root or "
            f"$GRAPHCL_HOME."
        ) from error


def load_labelled(entry: Card, root: Path, *, vocab: str = "ogb") -> "MoleculeDataset":
    """Load a set that :func:`add_labelled` has added, with its scaffold split.

    Args:
        entry: Its card.
        root: The data folder.
        vocab: The index table of atoms and bonds.

    Raises:
        DataError: The card's arguments are not those of such a set, the file is missing or damaged, or its molecules
            cannot be split by scaffolds.
    """
    file, labels, *choices = (entry.arguments.get(key) for key in ("file", "labels", "smiles", "encoding"))
    texts = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    told = all(isinstance(choice, str | None) for choice in choices)
    if not isinstance(file, str) or Path(file).name != file or not texts or not told:
        raise DataError(
            f"{entry.path}, key 'arguments': expected file, labels, smiles and, if it is not UTF-8, encoding, got "
            f"{dict(entry.arguments)}."
        )
    return _load(_place(entry, root), entry, root, vocab)


def _load(path: Path, entry: Card, root: Path, vocab: str) -> "MoleculeDataset":
    from graphcl.data.corpus import load_molecules
    from graphcl.data.scaffold import scaffold_split

    arguments = entry.arguments
    dataset = load_molecules(
        path,
        vocab=vocab,
        smiles=arguments["smiles"],
        labels=arguments["labels"],
        encoding=arguments.get("encoding") or ENCODING,
        scaffolds=True,
        root=root,
        name=entry.name,
    )
    try:
        dataset.split = scaffold_split(dataset.scaffolds[True])
    except ValueError as error:
        raise DataError(
            f"{path} cannot be split by scaffolds: {str(error).partition(';')[0]}. Add more kinds of molecules; with a "
            f"split of your own train in Python, with load_molecules and finetune."
        ) from error
    return dataset


def _place(entry: Card, root: Path) -> Path:
    return root / "labelled" / entry.name / str(entry.arguments["file"])


def _task_of(path: Path, arguments: Mapping[str, Any]) -> str:
    """What the labels are, told by their values."""
    import numpy as np

    from graphcl.data.tables import read_molecules

    labels, encoding = arguments["labels"], arguments.get("encoding") or ENCODING
    if not labels:
        raise DataError(f"expected the label columns of {path}, got none.")
    columns = read_molecules(path, smiles=arguments["smiles"], labels=labels, encoding=encoding).labels.T
    values = {label: np.unique(column[~np.isnan(column)]) for label, column in zip(labels, columns, strict=True)}
    if all(len(own) < 2 for own in values.values()):
        raise DataError(f"{path}: expected labels to tell molecules apart by, got one value or none in {labels[0]!r}.")
    for label, own in values.items():
        # Numbers to regress on they hardly are, and a score of them as numbers would pass for one of classes.
        if np.isin(own, (-1, 0, 1)).all() and -1 in own:
            raise DataError(
                f"{path}, column {label!r}: expected classes 0 and 1, got {' and '.join(f'{v:g}' for v in own)}. Where "
                f"-1 is a class write 0, and where it stands for a label that is missing leave the cell empty."
            )
    classes = [label for label, own in values.items() if len(own) and np.isin(own, (0, 1)).all()]
    empty = [label for label, own in values.items() if not len(own)]
    numbers = [label for label in labels if label not in (*classes, *empty)]
    if classes and numbers:
        raise DataError(
            f"{path}: expected labels of one kind, got 0 and 1 in {classes[0]!r} and other numbers in {numbers[0]!r}. "
            f"Add them as two sets."
        )
    if numbers and empty:
        raise DataError(f"{path}, column {empty[0]!r}: expected numbers, got none; leave the column out.")
    return "regression" if numbers else "classification"


def _put(entry: Card, source: Path, folder: Path) -> Card:
    """Measure, copy, and write the card last, so that a set with a card is whole."""
    from graphcl.data.load import measure

    _check_absent(entry, source, folder)
    target = _place(entry, folder)
    with no_empty_folders(target.parent.parent, folder):
        folder.mkdir(parents=True, exist_ok=True)
        entry = Card(**{**vars(entry), "counts": measure(_load(source, entry, folder, "ogb"))})
        with tempfile.TemporaryDirectory(dir=folder, prefix=".add-") as scratch:
            copied = Path(scratch) / entry.name / source.name
            copied.parent.mkdir()
            shutil.copyfile(source, copied)
            if not target.is_file():
                target.parent.parent.mkdir(exist_ok=True)
                copied.parent.rename(target.parent)
        return put_card(entry)


def _check_absent(entry: Card, source: Path, folder: Path) -> None:
    """Refuse a name that another set has; the same may be added again."""
    from filecmp import cmp

    target = _place(entry, folder)
    if entry.path.is_file():
        other = card(entry.name, root=folder)
        if (other.loader, dict(other.arguments)) != (entry.loader, dict(entry.arguments)):
            raise DataError(
                f"{entry.name} is there already, another data set or with other labels, as its card {entry.path} says: "
                f"choose another name."
            )
    others = [path for path in target.parent.glob("*") if path != target or not cmp(path, source, shallow=False)]
    if others:
        raise DataError(
            f"{entry.name} is there already, with another file, {others[0]}: nothing was changed. Choose another name, "
            f"or remove {target.parent} first if the new file is to replace it."
        )
