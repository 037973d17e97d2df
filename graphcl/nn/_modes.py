"""Evaluation mode for a while, and every part of a module back in the mode it had."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluating", "modes_kept"]


@contextmanager
def modes_kept(*modules: nn.Module) -> Iterator[None]:
    """The block after which every part is in training or evaluation mode as it was before: a part may be frozen."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """The block inside which modules are in evaluation mode.

    Example:
        >>> layer = nn.Dropout()
        >>> with evaluating(layer):
        ...     layer.training
        False
        >>> layer.training
        True
    """
    with modes_kept(*modules):
        for module in modules:
            module.eval()
        yield
