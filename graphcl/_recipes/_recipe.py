"""What a recipe is: a method, its paper, and the settings in which it differs from what all have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from graphcl.methods import Method

__all__ = ["SETTINGS", "Recipe"]

# What every recipe may change. Training and encoder as in GraphCL's code for TU data.
SETTINGS: Mapping[str, Any] = {
    "features": None,
    "vocab": None,
    "encoder": "gin",
    "conv": "gin",
    "virtual_node": False,
    "hidden": 32,
    "last_width": None,
    "layers": 3,
    "activation": "relu",
    "act_last": True,
    "norm": "batch",
    "joined": True,
    "unit": False,
    "dropout": 0.0,
    "readout": "sum",
    "views": [],
    "temperature": None,
    "objective": {},
    "arguments": {},
    "epochs": 20,
    "batch_size": 128,
    "lr": 0.01,
    "weight_decay": 0.0,
    "optimizer": "adam",
    "schedule": "constant",
    "warmup": 0,
    "clip": None,
    "precision": "fp32",
    "patience": None,
}


@dataclass(frozen=True)
class Recipe:
    """A method and how its paper trains it.

    Attributes:
        kind: Its class.
        paper: Where it is from.
        needs: What it needs beside graphs with features.
        labels: Whose labels it learns from: those of the ``"train"`` nodes of the graph, of ``"all"``, or of none, "".
        loss: Its loss, made with the settings ``temperature`` and ``objective`` where they say something.
        settings: What differs from ``SETTINGS``.
        datasets: What differs again on single data sets.
        molecules: What differs on sets of molecules from what all methods have there.
        label: What tables call it, where that is not the name of its class.
    """

    kind: type[Method]
    paper: str
    needs: str = ""
    labels: Literal["", "train", "all"] = ""
    loss: Callable[..., nn.Module] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    molecules: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.kind.__name__
