"""What is different on molecules, whose features are indices of atoms and bonds."""

import inspect
from collections.abc import Mapping
from typing import Any

from graphcl._recipes._recipe import Recipe
from graphcl.errors import ConfigError

__all__ = ["NOT_ON_MOLECULES", "on_molecules"]

# The encoder of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, and their training; the
# views of GraphCL's code for molecules, one of two at 20 % for each molecule. Where atoms have derived features, as in
# OGB's and PyG's tables, views refresh those; under hu2020 there is nothing to refresh.
_ENCODER: Mapping[str, Any] = {"encoder": "molecule", "hidden": 300, "layers": 5, "readout": "mean"}
_TRAINING: Mapping[str, Any] = {"epochs": 100, "batch_size": 256, "lr": 1e-3}
_VIEWS = {
    "derived": {"graph": "atom-drop:0.2|subgraph-remove:0.2", "node": "bond-drop:0.2+atom-mask:0.25"},
    "bare": {"graph": "node-drop:0.2|subgraph:0.8", "node": "edge-drop:0.2"},
}
_POOL = {
    "derived": ["atom-drop:0.2", "subgraph-remove:0.2", "atom-mask:0.2", "bond-drop:0.2", "identity"],
    "bare": ["node-drop:0.2", "subgraph:0.8", "edge-drop:0.2", "identity"],
}

NOT_ON_MOLECULES: Mapping[str, str] = {
    **dict.fromkeys(("mvgrl", "mvgrl-graph"), "makes a view of edges that are no bonds"),
    **dict.fromkeys(("graphmae", "graphmae-graph"), "restores features that are numbers"),
}
"""Methods that cannot be used with indices of atoms and bonds, and why."""


def on_molecules(method: str, chosen: Recipe, vocab: str) -> dict[str, Any]:
    """What a method's settings are on molecules, where they differ from those on other graphs.

    Raises:
        ConfigError: It cannot be used there.
    """
    if method in NOT_ON_MOLECULES:
        raise ConfigError(
            f"expected a method for molecules, got {method}, which {NOT_ON_MOLECULES[method]}; such as graphcl, "
            f"molclr, simgrace, joao, infograph"
        )
    training = _TRAINING if chosen.kind.level == "graph" else {}
    return {**_ENCODER, **_views(chosen, vocab), "vocab": vocab, **training, **chosen.molecules}


def _views(chosen: Recipe, vocab: str) -> dict[str, Any]:
    """Views that suit molecules, for a method that takes views: its own would mask features that are no numbers."""
    table = "bare" if vocab == "hu2020" else "derived"
    known = inspect.signature(chosen.kind).parameters
    if "augmentations" in known:
        return {"views": list(_POOL[table])}
    if "views" in known and (chosen.kind.level == "graph" or "views" in chosen.settings):
        return {"views": [_VIEWS[table][chosen.kind.level]] * 2}
    return {}
