"""What the command line does with molecules: files of them, and scores of runs on labelled sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["load_data", "tell_skipped"]


def load_data(settings: Mapping[str, Any], *, root: str | None) -> Any:
    """The data set, or file of molecules, that a run's settings name."""
    from graphcl.data import load, load_molecules

    if settings["data"] is None:
        return load(settings["dataset"], root=root, features=settings["features"], vocab=settings["vocab"])
    return load_molecules(
        settings["data"], vocab=settings["vocab"] or "ogb", smiles=settings["smiles_column"], root=root
    )


def tell_skipped(dataset: Any, path: Path) -> None:
    """Say how many rows are no molecules, and list them in a file."""
    if getattr(dataset, "skipped", ()):
        count = dataset.write_skipped(path)
        print(f"{count:,} of {dataset.num_rows:,} rows are no molecules and are left out; {path} lists them")
