"""Methods by name, each with its paper's settings: what the command line and YAML files build from."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from graphcl._recipes._graphs import GRAPHS
from graphcl._recipes._molecules import NOT_ON_MOLECULES, on_molecules
from graphcl._recipes._nodes import NODES
from graphcl._recipes._recipe import SETTINGS, Recipe
from graphcl.errors import ConfigError

__all__ = ["DEFAULTS", "METHODS", "NOT_ON_MOLECULES", "SETTINGS", "Recipe", "near", "recipe", "settings_for", "spelled"]

METHODS: Mapping[str, Recipe] = {**GRAPHS, **NODES}

# What is trained where no method is named, by the level of the data set's card. Both were chosen by validation scores,
# and the simplest where several were level.
DEFAULTS: Mapping[str, str] = {"graph": "graphcl", "node": "cca-ssg", "link": "cca-ssg"}

_FEW = 8


def near(name: str, known: Iterable[str], *, listed_by: str | None = None) -> str:
    """The names most like ``name`` in any case, or the first few where none is, as words for a message.

    Args:
        name: What was asked for.
        known: All there are.
        listed_by: The command that shows all, told where some are left out.

    Example:
        >>> near("grase", ["grace", "graphcl", "dgi"])
        'grace, graphcl'
        >>> near("GRASE", ["grace", "dgi"])
        'grace'
        >>> near("?", "abcdefghijk", listed_by="graphcl methods")
        'a, b, c, d, e, f, g, h, ... (11 in all; graphcl methods shows them)'
    """
    names = list(known)
    lower = [known.lower() for known in names]
    close = difflib.get_close_matches(name.lower(), dict.fromkeys(lower), n=3, cutoff=0.5)
    found = [names[i] for each in close for i, known in enumerate(lower) if known == each]
    if found or len(names) <= _FEW:
        return ", ".join(found or names)
    where = f"; {listed_by} shows them" if listed_by else ""
    return f"{', '.join(names[:_FEW])}, ... ({len(names)} in all{where})"


def spelled(name: str) -> str:
    """The name of a method as ``METHODS`` has it: of one in another case, of its class, or of what tables call it.

    Example:
        >>> spelled("GRACE"), spelled("G-BT"), spelled("MVGRLGraph"), spelled("GRASE")
        ('grace', 'g-bt', 'mvgrl-graph', 'GRASE')
    """
    asked = name.lower()
    if asked in METHODS:
        return asked
    found = [key for key, known in METHODS.items() if asked in (known.name.lower(), known.kind.__name__.lower())]
    return found[0] if len(found) == 1 else name


def recipe(name: str) -> Recipe:
    """The recipe of a method, by any name that :func:`spelled` knows.

    Raises:
        ConfigError: There is none of that name.
    """
    key = spelled(name)
    if key not in METHODS:
        raise ConfigError(
            f"expected a method out of {', '.join(METHODS)}, got {name!r}; nearest: {near(name, METHODS)}"
        )
    return METHODS[key]


def settings_for(method: str, dataset: str | None = None, *, vocab: str | None = None) -> dict[str, Any]:
    """All settings of a method, as its paper has them on that data set or in general.

    Args:
        method: Its name, in any of its spellings; the settings hold that of ``METHODS``.
        dataset: The data set.
        vocab: The index table, where the data are molecules.

    Raises:
        ConfigError: There is no such method, or it cannot be used with molecules.

    Example:
        >>> settings_for("grace")["hidden"], settings_for("grace", "CiteSeer")["hidden"]
        (256, 512)
        >>> settings_for("graphcl", vocab="ogb")["views"]
        ['atom-drop:0.2|subgraph-remove:0.2', 'atom-drop:0.2|subgraph-remove:0.2']
    """
    chosen, method = recipe(method), spelled(method)
    settings = {**SETTINGS, **chosen.settings}
    if vocab is not None:
        settings |= on_molecules(method, chosen, vocab)
    return {**settings, **chosen.datasets.get(dataset or "", {}), "method": method}
