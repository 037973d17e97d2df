"""Networks that somebody else has written, by the name of what makes them."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from graphcl._random import torch_seeded
from graphcl._recipes import near
from graphcl._resolve._encoders import NETWORKS
from graphcl.errors import ConfigError

__all__ = ["encoder_maker"]


def encoder_maker(words: str, arguments: Mapping[str, Any], in_channels: int) -> Callable[[int], nn.Module]:
    """From a seed to a network, by ``MODULE:NAME`` of what makes it or by one of ``NETWORKS``.

    Torch's default generator is left as it was. The import looks in the working directory too.

    Args:
        words: Such as ``torch_geometric.nn:GIN``.
        arguments: What it is called with; ``in_channels`` is filled in where it is asked for and not given.
        in_channels: The width of the node features.

    Raises:
        ConfigError: There is no such module or name, the arguments do not fit, or what comes out is no network.

    Example:
        >>> make = encoder_maker("torch_geometric.nn:GIN", {"hidden_channels": 8, "num_layers": 2}, 3)
        >>> make(0)
        GIN(3, 8, num_layers=2)
    """
    kind = NETWORKS[words] if words in NETWORKS else _imported(words)
    if isinstance(kind, nn.Module):
        raise ConfigError(
            f"expected {words} to be a class or a function that makes a network, got a {type(kind).__name__} that is "
            "made already: from Python call graphcl.evaluate.audit(network, ...)"
        )
    try:
        known = inspect.signature(kind).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(f"expected {words} to be a class or function, got {type(kind).__name__}") from error
    given = {"in_channels": in_channels, **arguments} if "in_channels" in known else dict(arguments)

    def make(seed: int) -> nn.Module:
        with torch_seeded(seed):
            try:
                network = kind(**given)
            except (TypeError, ValueError) as error:
                usable = ", ".join(name for name in known if name not in ("kwargs", "args"))
                raise ConfigError(f"{words} with {given}: {error}; its --arguments are {usable}") from error
        if not isinstance(network, nn.Module):
            raise ConfigError(f"expected {words} to make a torch module, got {type(network).__name__}")
        return network

    return make


def _imported(words: str) -> Any:
    module, colon, name = words.partition(":")
    if not colon or not module or not name:
        raise ConfigError(
            f"expected an encoder as MODULE:NAME, such as torch_geometric.nn:GIN, as a run folder, or out of "
            f"{', '.join(NETWORKS)}, got {words!r}"
        )
    if "/" in module or os.sep in module or module.endswith(".py"):
        raise ConfigError(
            f"expected a module by its name, without folder and .py, got {words!r}; go to its folder and write "
            f"{Path(module).stem}:{name}"
        )
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"expected a module {module!r} that can be imported: {error}") from error
    finally:
        sys.path.remove(here)
    if not hasattr(found, name):
        raise ConfigError(f"expected {name!r} in {module}, which has none; nearest: {near(name, dir(found))}")
    return getattr(found, name)
