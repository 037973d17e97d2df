"""Weights drawn anew: a network like another one, which shares no weight with it."""

import copy
from collections.abc import Iterable, Iterator
from typing import TypeVar

from torch import nn

__all__ = ["draw_anew", "redrawn", "wholes"]

M = TypeVar("M", bound=nn.Module)


def redrawn(network: M, instead: str) -> M:
    """A copy with weights of its own, drawn anew by its ``reset_parameters``, or by those of its parts.

    Args:
        network: The network to copy.
        instead: What to give where it cannot be drawn anew; the error says so.

    Raises:
        ValueError: A part has weights, and neither it nor what it is a part of has ``reset_parameters``.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> bool((redrawn(layer, "another").weight == layer.weight).all())
        False
    """
    network = copy.deepcopy(network)
    draw_anew(wholes(network), instead)
    return network


def draw_anew(parts: Iterable[tuple[str, nn.Module]], instead: str) -> None:
    """Let parts of a network, each with its path, draw their weights again, one after the other."""
    found = list(parts)
    drawn = [path for path, part in found if callable(getattr(part, "reset_parameters", None))]
    for path, part in found:
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
        elif next(part.parameters(recurse=False), None) is not None and not any(_holds(whole, path) for whole in drawn):
            raise ValueError(
                f"expected every part with weights to have reset_parameters, got {type(part).__name__} at "
                f"{path or 'the top'}, which has none; give {instead}"
            )


def _holds(whole: str, path: str) -> bool:
    """Whether the part at one path has that at another in it."""
    return not whole or path.startswith(f"{whole}.")


def wholes(network: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The network, and as long as there is no ``reset_parameters`` its parts and theirs."""
    yield path, network
    if not hasattr(network, "reset_parameters"):
        for name, part in network.named_children():
            yield from wholes(part, f"{path}.{name}".lstrip("."))
