"""Methods by name, each with its paper's settings: what the command line and YAML files build from."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from graphcl import losses, methods
from graphcl._resolve import make_encoder, make_view, near
from graphcl.errors import ConfigError
from graphcl.methods import Method

__all__ = ["METHODS", "SETTINGS", "Recipe", "make_method", "recipe", "settings_for"]

# What every recipe may change. Training and encoder as in GraphCL's code for TU data.
SETTINGS: Mapping[str, Any] = {
    "features": None,
    "encoder": "gin",
    "hidden": 32,
    "last_width": None,
    "layers": 3,
    "activation": "relu",
    "act_last": True,
    "norm": "batch",
    "joined": True,
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

_NODE: Mapping[str, Any] = {"encoder": "gcn", "layers": 2, "norm": "none", "joined": False}


@dataclass(frozen=True)
class Recipe:
    """A method and how its paper trains it.

    Attributes:
        kind: Its class.
        paper: Where it is from.
        needs: What it needs beside graphs with features.
        loss: Its loss, made with the settings ``temperature`` and ``objective`` where they say something.
        settings: What differs from ``SETTINGS``.
        datasets: What differs again on single data sets.
    """

    kind: type[Method]
    paper: str
    needs: str = ""
    loss: Callable[..., nn.Module] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_BAGS: Mapping[str, Any] = {"features": "normalized"}

METHODS: Mapping[str, Recipe] = {
    "graphcl": Recipe(
        methods.GraphCL,
        "You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020",
        loss=partial(losses.InfoNCE, positive_in_denominator=False),
        settings={"views": ["identity", "random4"], "temperature": 0.2},
    ),
    "grace": Recipe(
        methods.GRACE,
        "Zhu et al., Deep Graph Contrastive Representation Learning, ICML workshop 2020",
        loss=losses.GRACE,
        settings={
            **_NODE,
            "hidden": 256,
            "last_width": 128,
            "views": ["edge-drop-directed:0.2+feature-mask:0.3", "edge-drop-directed:0.4+feature-mask:0.4"],
            "temperature": 0.4,
            "epochs": 200,
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
        datasets={
            "Cora": _BAGS,
            "CiteSeer": {
                **_BAGS,
                "hidden": 512,
                "last_width": 256,
                "activation": "prelu",
                "views": ["edge-drop-directed:0.2+feature-mask:0.3", "edge-drop-directed:0.0+feature-mask:0.2"],
                "temperature": 0.9,
                "lr": 1e-3,
            },
        },
    ),
    "bgrl": Recipe(
        methods.BGRL,
        "Thakoor et al., Large-Scale Representation Learning on Graphs via Bootstrapping, ICLR 2022",
        loss=losses.Bootstrap,
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "activation": "prelu",
            "norm": "batch",
            "views": ["edge-drop-directed:0.2+feature-mask:0.2", "edge-drop-directed:0.3+feature-mask:0.1"],
            "epochs": 10_000,
            "warmup": 1000,
            "schedule": "cosine",
            "optimizer": "adamw",
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
    ),
    "cca-ssg": Recipe(
        methods.CCASSG,
        "Zhang et al., From Canonical Correlation Analysis to Self-supervised Graph Neural Networks, NeurIPS 2021",
        loss=losses.CCASSG,
        settings={
            **_NODE,
            "hidden": 512,
            "act_last": False,
            "views": ["edge-drop-directed:0.4+feature-mask:0.1", "edge-drop-directed:0.4+feature-mask:0.1"],
            "objective": {"decorrelation": 2e-3},
            "epochs": 50,
            "lr": 1e-3,
        },
        datasets={
            "Cora": _BAGS,
            "CiteSeer": {
                **_BAGS,
                "layers": 1,
                "views": ["edge-drop-directed:0.4", "edge-drop-directed:0.4"],
                "objective": {"decorrelation": 1e-3},
                "epochs": 20,
            },
        },
    ),
    "dgi": Recipe(
        methods.DGI,
        "Velickovic et al., Deep Graph Infomax, ICLR 2019",
        loss=losses.DGIBCE,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "epochs": 10_000,
            "patience": 20,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "gca": Recipe(
        methods.GCA,
        "Zhu et al., Graph Contrastive Learning with Adaptive Augmentation, WWW 2021",
        loss=losses.GRACE,
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "activation": "prelu",
            "temperature": 0.4,
            "epochs": 200,
            "lr": 1e-2,
            "weight_decay": 1e-5,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "mvgrl": Recipe(
        methods.MVGRL,
        "Hassani and Khasahmadi, Contrastive Multi-View Representation Learning on Graphs, ICML 2020",
        loss=losses.DGIBCE,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "epochs": 3000,
            "patience": 20,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "g-bt": Recipe(
        methods.GBT,
        "Bielak et al., Graph Barlow Twins, Knowledge-Based Systems 2022",
        loss=losses.BarlowTwins,
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "activation": "prelu",
            "norm": "batch",
            "act_last": False,
            "views": ["edge-drop-directed:0.5+feature-mask:0.1", "edge-drop-directed:0.5+feature-mask:0.1"],
            "epochs": 1000,
            "warmup": 100,
            "schedule": "cosine",
            "optimizer": "adamw",
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
    ),
    "ggd": Recipe(
        methods.GGD,
        "Zheng et al., Rethinking and Scaling Up Graph Contrastive Learning, NeurIPS 2022",
        loss=losses.GroupDiscrimination,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "arguments": {"power": 5},
            "epochs": 500,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of a method.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in METHODS:
        raise ConfigError(
            f"expected a method out of {', '.join(METHODS)}, got {name!r}; nearest: {near(name, METHODS)}"
        )
    return METHODS[name]


def settings_for(method: str, dataset: str | None = None) -> dict[str, Any]:
    """All settings of a method, as its paper has them on that data set or in general.

    Example:
        >>> settings_for("grace")["hidden"], settings_for("grace", "CiteSeer")["hidden"]
        (256, 512)
    """
    chosen = recipe(method)
    return {**SETTINGS, **chosen.settings, **chosen.datasets.get(dataset or "", {}), "method": method}


def make_method(
    settings: Mapping[str, Any], in_channels: int, *, seed: int | None = None, total_steps: int | None = None
) -> Method:
    """The method that a run's settings describe, with weights drawn by ``seed`` (the run's own if ``None``).

    Torch's default generator is left as it was.

    Args:
        settings: What :func:`settings_for` gives, changed at will, and ``seed``.
        in_channels: The width of the node features.
        seed: The seed of weights and views.
        total_steps: How many steps the run will have, for methods with a schedule of their own.

    Raises:
        ConfigError: A name is unknown or a value unusable.
    """
    chosen, seed = recipe(settings["method"]), settings["seed"] if seed is None else seed
    known = inspect.signature(chosen.kind).parameters
    arguments = dict(settings["arguments"])
    _check_arguments(settings["method"], arguments, known)
    if settings["views"]:
        arguments["views"] = _views(settings["method"], settings["views"], known)
    objective = dict(settings["objective"])
    if settings["temperature"] is not None:
        where = arguments if "temperature" in known else objective
        where["temperature"] = settings["temperature"]
    if objective:
        arguments["loss"] = _loss(settings["method"], chosen.loss, objective)
    if total_steps is not None and "total_steps" in known:
        arguments.setdefault("total_steps", total_steps)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = make_encoder(settings, in_channels)
        try:
            return chosen.kind(encoder, seed=seed, **arguments)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{settings['method']}: {error}") from error


def _loss(method: str, kind: Callable[..., nn.Module] | None, objective: Mapping[str, Any]) -> nn.Module:
    known = [] if kind is None else list(inspect.signature(kind).parameters)
    unknown = [name for name in objective if name not in known]
    if kind is None or unknown:
        words = f"out of {', '.join(known)}" if known else "without settings"
        raise ConfigError(f"expected a loss of {method} {words}, got {unknown[0]!r}")
    try:
        return kind(**objective)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"loss of {method}: {error}") from error


def _views(method: str, words: Sequence[str], known: Mapping[str, Any]) -> list[Any]:
    if "views" not in known:
        raise ConfigError(f"expected no views for {method}, which makes its own, got {list(words)}")
    return [make_view(view) for view in words]


def _check_arguments(method: str, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    parts = ("encoder", "seed", "views", "loss", "head", "predictor")  # not to be said in words
    usable = [name for name in known if name not in parts]
    unknown = [name for name in arguments if name not in usable]
    if unknown and usable:
        raise ConfigError(
            f"expected arguments of {method} out of {', '.join(usable)}, got {unknown[0]!r}; "
            f"nearest: {near(unknown[0], usable)}"
        )
    if unknown:
        raise ConfigError(f"expected no arguments for {method}, got {unknown[0]!r}")
