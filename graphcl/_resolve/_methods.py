"""Methods by the settings of a run."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from graphcl._random import torch_seeded
from graphcl._recipes import near, recipe
from graphcl._resolve._encoders import make_encoder
from graphcl._resolve._views import make_view
from graphcl.errors import ConfigError
from graphcl.methods import Method

__all__ = ["make_method"]


# Of a method, and not to be said in words.
PARTS = {"encoder", "seed", "views", "augmentations", "diffusion", "corruption", "loss"}
PARTS |= {"head", "node_head", "graph_head", "predictor", "second", "rationale", "scorer", "dropper", "decoder"}


def make_method(
    settings: Mapping[str, Any], in_channels: int, *, seed: int | None = None, total_steps: int | None = None
) -> Method:
    """The method that a run's settings describe, with weights drawn by ``seed`` (the run's own if ``None``).

    Torch's default generator is left as it was.

    Args:
        settings: What ``settings_for`` gives, changed at will, and ``seed``.
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
        arguments |= _views(settings, known)
    objective = dict(settings["objective"])
    if settings["temperature"] is not None:
        where = arguments if "temperature" in known else objective
        where.setdefault("temperature", settings["temperature"])
    if objective:
        arguments["loss"] = _loss(settings["method"], chosen.loss, objective)
    if total_steps is not None and "total_steps" in known:
        arguments.setdefault("total_steps", total_steps)
    required = (p.name for p in known.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty)
    if lacking := [name for name in required if name not in arguments]:
        raise ConfigError(
            f"expected {' and '.join(lacking)} for {settings['method']}, got none; it needs {chosen.needs}"
        )
    with torch_seeded(seed):
        encoder = make_encoder(settings, in_channels)
        try:
            return chosen.kind(encoder, seed=seed, **arguments)
        except (ValueError, TypeError) as error:
            needs = f"; it needs {chosen.needs}" if chosen.needs else ""
            raise ConfigError(f"{settings['method']}: {error}{needs}") from error


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


def _views(settings: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    words: Sequence[str] = settings["views"]
    if "diffusion" in known:
        if len(words) != 1:
            raise ConfigError(f"expected one view for {settings['method']}, its diffusion, got {list(words)}")
        return {"diffusion": make_view(words[0], settings["vocab"])}
    name = next((name for name in ("views", "augmentations") if name in known), None)
    if name is None:
        raise ConfigError(f"expected no views for {settings['method']}, which makes its own, got {list(words)}")
    return {name: [make_view(view, settings["vocab"]) for view in words]}


def _check_arguments(method: str, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    usable = [name for name in known if name not in PARTS]
    unknown = [name for name in arguments if name not in usable]
    if unknown and usable:
        raise ConfigError(
            f"expected arguments of {method} out of {', '.join(usable)}, got {unknown[0]!r}; "
            f"nearest: {near(unknown[0], usable)}"
        )
    if unknown:
        raise ConfigError(f"expected no arguments for {method}, got {unknown[0]!r}")
