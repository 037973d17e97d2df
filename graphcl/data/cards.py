"""Data set cards: what a set is, how it is loaded, what must be true of it, and what others scored on it.

A card is a YAML file. Those of the package lie in the wheel as ``graphcl/_datasets``, in a checkout beside the package
as ``datasets``; both are found by path, because a mapped package folder cannot be imported in an editable install.
Those of the user lie in the data folder, in ``cards/``.
"""

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from graphcl._files import replacing
from graphcl.data.home import home
from graphcl.errors import DataError

__all__ = ["Card", "Published", "card", "card_folder", "cards", "check_name", "index_table", "spelled", "write_card"]

MARKER = "GRAPHCL_DATASETS"
LOADERS = ("tu", "embedded", "pyg", "ogb", "moleculenet", "labelled")
LEVELS = ("graph", "node", "link")
TASKS = ("classification", "regression", "link-prediction")
DEFAULT_FEATURES = ("attributes", "constant", "degree", "degree-onehot")
COUNTS = ("graphs", "nodes", "edges", "features", "edge_features", "classes")


@dataclass(frozen=True)
class Published:
    """A score that somebody published: percent, with the protocol and where the number was read."""

    method: str
    protocol: str
    mean: float
    source: str
    std: float | None = None


@dataclass(frozen=True)
class Card:
    """What is known about a data set.

    Attributes:
        name: The name it is loaded by.
        title: One line on what its graphs are.
        loader: ``tu`` (raw files of the TU collection), ``pyg`` (another data set class of PyTorch Geometric), ``ogb``
            (the Open Graph Benchmark), ``moleculenet`` (its CSV files), ``labelled`` (a file of molecules that the user
            added) or ``embedded`` (made by the package).
        arguments: The loader's arguments.
        level: ``graph``, ``node`` or ``link``: what is predicted.
        task: ``classification``, ``regression`` or ``link-prediction``.
        metric: What the protocols report.
        licence: The licence of the data, in words where there is none.
        citation: Whom to cite.
        source: Where the data come from.
        counts: Totals over the set, checked after loading: graphs, nodes, edges (both directions, as PyTorch
            Geometric counts), features, edge_features, classes. Before any ``features=`` choice. What was neither
            measured nor published is left out, and not checked.
        features: The choice made for a set without node features if the caller makes none; None if there is none.
        protocols: The names of the protocols that fit.
        traps: What a user should know before trusting a score.
        published: Scores from the literature.
        path: The file the card was read from.
    """

    name: str
    title: str
    loader: str
    level: str
    task: str
    metric: str
    licence: str
    citation: str
    source: str
    counts: Mapping[str, int]
    path: Path
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    features: str | None = None
    protocols: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()


def check_name(name: str) -> None:
    """``DataError`` unless files can be named after a data set that is to be added."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise DataError(f"expected a name of letters, digits, '-', '_' and '.', got {name!r}: it names files.")
    for known in (path.parent.name for path in card_folder().glob("*/card.yaml")):
        if known.lower() == name.lower() and known != name:
            raise DataError(
                f"{name} is what the package's {known} is found by, too, upper or lower case: choose another name."
            )


def card_folder() -> Path:
    """Return the folder of the package's own cards.

    Raises:
        DataError: If the installation has none.

    Example:
        >>> (card_folder() / "MUTAG" / "card.yaml").is_file()
        True
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "_datasets", package.parent / "datasets")
    for place in places:
        if (place / MARKER).is_file():
            return place
    raise DataError(
        f"the data set cards are missing from this installation: expected {MARKER} in {places[0]} or {places[1]}. "
        f"Install graphcl again."
    )


def card(name: str, *, root: str | Path | None = None) -> Card:
    """Return the card of a data set.

    Args:
        name: The data set's name; upper and lower case are one where that leaves no doubt.
        root: The data folder whose user cards count too (:func:`graphcl.data.home`).

    Raises:
        DataError: If no card has this name (near names are listed) or the card is malformed (file and key are named).

    Example:
        >>> card("MUTAG").counts["graphs"]
        188
    """
    paths, name = _card_paths(root), spelled(name, root=root)
    if name not in paths:
        lower = {known.lower(): known for known in paths}
        near = [lower[close] for close in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
        hint = f" Near names: {', '.join(near)}." if near else ""
        if name.startswith(("ogbn-", "ogbl-", "ogbg-")):
            raise DataError(
                f"{name!r} is not a set of the Open Graph Benchmark that can be scored here.{hint} 'graphcl datasets "
                f"list' shows those that can; graphcl.data.load_ogb loads others with one type of nodes and edges."
            )
        add = f"graphcl datasets add {shlex.quote(name)} --from"
        raw, archive = home(root) / "TU" / name / "raw", home(root) / "TU_zip" / f"{name}.zip"
        for place, sign in ((raw, raw / f"{name}_A.txt"), (archive, archive)):
            if sign.is_file():
                raise DataError(f"{name} has raw files but no card yet: '{add} {shlex.quote(str(place))}' makes one.")
        raise DataError(
            f"unknown data set {name!r}.{hint} 'graphcl datasets list' shows all; '{add} PATH' adds one from raw TU "
            f"files, or with --labels from a file of molecules. In Python, graphcl.train.fit(method, dataset) takes "
            f"any data set of PyTorch Geometric, of one graph dataset[0]."
        )
    return _read(paths[name], name)


def spelled(name: str, *, root: str | Path | None = None) -> str:
    """The name as its card spells it, if one alone differs from it in nothing but upper and lower case."""
    known = _card_paths(root)
    alike = [name] if name in known else [other for other in known if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else name


def cards(*, root: str | Path | None = None) -> tuple[Card, ...]:
    """Return all cards, those of the package and of the user, sorted by name.

    Example:
        >>> "MUTAG" in [card.name for card in cards()]
        True
    """
    return tuple(_read(path, name) for name, path in sorted(_card_paths(root).items()))


def legible_cards(*, root: str | Path | None = None) -> tuple[list[Card], list[DataError]]:
    """The cards that can be read, sorted by name, and what is wrong with the others."""
    found, faults = [], []
    for name, path in sorted(_card_paths(root).items()):
        try:
            found.append(_read(path, name))
        except DataError as error:
            faults.append(error)
    return found, faults


def _card_paths(root: str | Path | None) -> dict[str, Path]:
    own = {path.parent.name: path for path in card_folder().glob("*/card.yaml")}
    users = {path.stem: path for path in (home(root) / "cards").glob("*.yaml")}
    return users | own  # a user's card never replaces one of the package


def _read(path: Path, name: str) -> Card:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid YAML: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a mapping of card fields, got {type(content).__name__}.")
    values = _checked(content, path)
    if values["name"] != name:
        raise DataError(f"{path}, key 'name': expected {name!r} as the path says, got {values['name']!r}.")
    return Card(**values, path=path)


def _checked(content: dict[Any, Any], path: Path) -> dict[str, Any]:
    known = [item.name for item in fields(Card) if item.name != "path"]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise DataError(f"{path}, key {key!r}: unknown{f', did you mean {near[0]!r}?' if near else '.'}")
    values: dict[str, Any] = {}
    for key in ("name", "title", "loader", "level", "task", "metric", "licence", "citation", "source"):
        values[key] = _text(content, key, path)
    for key, choices in (("loader", LOADERS), ("level", LEVELS), ("task", TASKS)):
        if values[key] not in choices:
            raise DataError(f"{path}, key {key!r}: expected one of {', '.join(choices)}, got {values[key]!r}.")
    values["counts"] = MappingProxyType(_counts(content.get("counts"), path))
    arguments = content.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise DataError(f"{path}, key 'arguments': expected a mapping, got {arguments!r}.")
    values["arguments"] = MappingProxyType(arguments)
    values["features"] = content.get("features")
    if values["features"] not in (None, *DEFAULT_FEATURES):
        wanted = ", ".join(DEFAULT_FEATURES)
        raise DataError(f"{path}, key 'features': expected one of {wanted} or none, got {values['features']!r}.")
    for key in ("protocols", "traps"):
        items = content.get(key) or []
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise DataError(f"{path}, key {key!r}: expected a list of texts, got {items!r}.")
        values[key] = tuple(items)
    values["published"] = _published(content.get("published") or [], path)
    return values


def _text(content: dict[Any, Any], key: str, path: Path) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        got = "nothing" if value is None else repr(value)
        raise DataError(f"{path}, key {key!r}: expected a text, got {got}.")
    return value.strip()


def _counts(counts: Any, path: Path) -> dict[str, int]:
    if not isinstance(counts, dict):
        raise DataError(f"{path}, key 'counts': expected a mapping with {', '.join(COUNTS)}, got {counts!r}.")
    for key, value in counts.items():
        if key not in COUNTS or isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise DataError(
                f"{path}, key 'counts.{key}': expected an integer >= 0 under one of {', '.join(COUNTS)}, got {value!r}."
            )
    return dict(counts)


def _published(entries: Any, path: Path) -> tuple[Published, ...]:
    if not isinstance(entries, list):
        raise DataError(f"{path}, key 'published': expected a list, got {entries!r}.")
    result = []
    for i, entry in enumerate(entries):
        try:
            result.append(Published(**entry))
        except TypeError as error:
            wanted = ", ".join(item.name for item in fields(Published))
            raise DataError(f"{path}, key 'published[{i}]': expected {wanted}, got {entry!r}.") from error
        score = result[-1]
        for key, value in asdict(score).items():
            allowed: tuple[type, ...] = (int, float) if key in ("mean", "std") else (str,)
            if not isinstance(value, allowed) and not (key == "std" and value is None):
                kind = "a number" if key in ("mean", "std") else "a text"
                raise DataError(f"{path}, key 'published[{i}].{key}': expected {kind}, got {value!r}.")
    return tuple(result)


def put_card(entry: Card) -> Card:
    """Write a user's card, unless one with the same counts is there, which may have been edited; return what is there.

    Raises:
        OSError: If the folder cannot be written.
    """
    there = readable_card(entry.path)
    if there is not None and (there.loader, dict(there.counts)) == (entry.loader, dict(entry.counts)):
        return there
    write_card(entry)
    return entry


def readable_card(path: Path) -> Card | None:
    """The card in a file, or None where it cannot be read."""
    try:
        return _read(path, path.stem) if path.is_file() else None
    except DataError:
        return None


def write_card(entry: Card) -> None:
    """Write a card to ``entry.path`` in one step, so that no half-written file can be left.

    Raises:
        OSError: If the folder cannot be written.
    """
    import yaml

    content = {
        **{item.name: getattr(entry, item.name) for item in fields(Card) if item.name != "path"},
        "arguments": dict(entry.arguments),
        "counts": dict(entry.counts),
        "protocols": list(entry.protocols),
        "traps": list(entry.traps),
        "published": [asdict(score) for score in entry.published],
    }
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(entry.path) as scratch:
        scratch.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100), encoding="utf-8")


def index_table(entries: tuple[Card, ...]) -> str:
    """Return a Markdown table of data sets, one row per card: the index in the cards' README.

    Example:
        >>> index_table((card("karate"),)).splitlines()[0]
        '| name | what | level | graphs | nodes | edges | features | classes | licence |'
    """
    rows = ["| name | what | level | graphs | nodes | edges | features | classes | licence |", "| --- " * 9 + "|"]
    for entry in entries:
        counts = entry.counts
        sizes = [f"{counts[key]:,}" if key in counts else "?" for key in ("graphs", "nodes", "edges")]
        features = str(counts.get("features", "?") or f"none ({entry.features or 'choose'})")
        link = f"[{entry.name}]({entry.name}/card.yaml)"
        cells = [link, entry.title, entry.level, *sizes, features, str(counts.get("classes", "?")), entry.licence]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
