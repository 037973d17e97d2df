"""``graphcl datasets``: list, show and add data sets."""

import sys
from pathlib import Path
from typing import Any

from graphcl.cli._data import tell_skipped
from graphcl.cli._parser import new_parser
from graphcl.errors import ConfigError

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = "The data sets that the package knows, as cards: what they are, their traps, published scores."


def add_options(parser: Any) -> None:
    """The actions of datasets, each with its options."""
    actions = parser.add_subcommands(required=False, dest="action", metavar="ACTION")
    listing = new_parser("One line per data set.")
    show = new_parser("All that is known about one data set.")
    show.add_argument("name", type=str, help="name of the data set")
    new = new_parser(
        "Add a data set that is already on disk: from raw TU files, or with --labels from a file of molecules, CSV, "
        "TSV, SDF or Parquet, whose labels are all 0 and 1 or else numbers; its split is by scaffolds, 80/10/10."
    )
    new.add_argument("name", type=str, help="name of the data set; of TU files their prefix")
    new.add_argument(
        "--from", dest="source", type=str, required=True, help="folder or zip archive of TU files, or a file"
    )
    new.add_argument("--labels", type=str, nargs="+", default=[], metavar="COLUMN", help="label columns of molecules")
    new.add_argument("--smiles-column", type=str | None, default=None, help="by default the one of that name")
    new.add_argument("--encoding", type=str | None, default=None, help="of the file, if that is not UTF-8")
    for name, action, words in (
        ("list", listing, "one line each"),
        ("show", show, "one card"),
        ("add", new, "from raw files, or from a file of labelled molecules"),
    ):
        action.add_argument("--root", type=str | None, default=None, help="data folder")
        actions.add_subcommand(name, action, help=words)


def run(config: Any) -> int:
    """List the data sets where no action is named."""
    action = config["action"] or "list"
    chosen = config[action] if config["action"] else {"root": None}
    {"list": _list, "show": _show, "add": _add}[action](chosen)
    return 0


def _list(chosen: Any) -> None:
    from graphcl.data import home
    from graphcl.data.cards import legible_cards

    entries, faults = legible_cards(root=chosen["root"])
    for fault in faults:
        print(f"graphcl: warning: {' '.join(str(fault).split())}", file=sys.stderr)
    rows = [
        (entry.name, str(entry.counts.get("graphs", "?")), entry.level, entry.loader, entry.title) for entry in entries
    ]
    names, graphs, levels, loaders, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    for name, count, level, loader, title in rows:
        print(f"{name:<{names}}  {count:>{graphs}} graphs  {level:<{levels}}  {loader:<{loaders}}  {title}")
    print(f"data folder: {home(chosen['root'])}")


def _show(chosen: Any) -> None:
    from graphcl.data import card

    print(card(chosen["name"], root=chosen["root"]).path.read_text(encoding="utf-8"), end="")


def _add(chosen: Any) -> None:
    from graphcl.data import add, add_labelled, load

    name, source, root = chosen["name"], chosen["source"], chosen["root"]
    if not chosen["labels"]:
        if Path(source).expanduser().is_file() and not source.lower().endswith(".zip"):
            raise ConfigError(f"expected --labels COLUMN ... for a file of molecules, got {source} without")
        entry = add(name, source, root=root)
        print(
            f"added {entry.name}: {entry.counts['graphs']} graphs, {entry.counts['classes']} classes, card {entry.path}"
        )
        return
    of_file = {"smiles": chosen["smiles_column"], "encoding": chosen["encoding"]}
    entry = add_labelled(name, source, chosen["labels"], **of_file, root=root)
    print(f"added {entry.name}: {entry.counts['graphs']:,} molecules, {entry.task}, card {entry.path}")
    dataset: Any = load(name, root=root)
    if entry.task == "regression":
        _tell_numbers(dataset)
    tell_skipped(dataset, entry.path.with_suffix(".skipped.csv"))


def _tell_numbers(dataset: Any) -> None:
    """Say which labels may be classes, but are taken as numbers."""
    for label, column in zip(dataset.tasks, dataset._data.y.T, strict=True):
        values = column[~column.isnan()].unique()
        if len(values) <= 10 and (values == values.round()).all():
            shown = ", ".join(f"{value:g}" for value in values.tolist())
            print(
                f"{label}: {shown} are taken as numbers to be predicted, not as classes; where they are classes, give "
                "each a column of 0 and 1, and all of these columns as --labels"
            )
