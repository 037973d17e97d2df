"""``graphcl methods``: list the methods, or the settings of one."""

from typing import Any

from graphcl._recipes import METHODS, Recipe, recipe, settings_for

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = "The methods that the package knows: what they are from, what they need, their settings."


def add_options(parser: Any) -> None:
    """The options of methods."""
    parser.add_argument("name", type=str | None, nargs="?", help="show the settings of one method")
    parser.add_argument("--dataset", type=str | None, default=None, help="its settings on that data set")


def run(config: Any) -> int:
    """Print one line per method, or all settings of one."""
    if config.name is not None:
        chosen = recipe(config.name)
        settings = settings_for(config.name, config.dataset, vocab=_vocabulary(chosen, config.dataset))
        print(f"{settings['method']}: {chosen.kind.__name__}, {chosen.paper}")
        for key, value in settings.items():
            print(f"  {key}: {value}")
        for dataset, changed in chosen.datasets.items():
            print(f"  on {dataset}: {', '.join(f'{key} {value}' for key, value in changed.items())}")
        return 0
    width = max(map(len, METHODS))
    for name, known in METHODS.items():
        needs = f"  needs {known.needs}" if known.needs else ""
        print(f"{name:<{width}}  {known.kind.level:<5}  {known.paper}{needs}")
    return 0


def _vocabulary(chosen: Recipe, dataset: str | None) -> str | None:
    """The index table that pretrain takes where the data are molecules, as those of some methods always are."""
    from graphcl._resolve import of_molecules
    from graphcl.data import card
    from graphcl.data.load import is_molecules

    on_molecules = dataset is not None and is_molecules(card(dataset))
    return "ogb" if on_molecules or any(map(of_molecules, chosen.settings.get("views", ()))) else None
