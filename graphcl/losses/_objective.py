"""The base class of the losses."""

from inspect import signature

from torch import nn

__all__ = ["Objective"]


class Objective(nn.Module):
    """Prints a loss as the call that makes it: the settings are its keyword arguments, kept under the same names."""

    def __init__(self) -> None:  # a loss without settings has this signature, not the ``*args`` of ``nn.Module``
        super().__init__()

    def extra_repr(self) -> str:
        names = list(signature(type(self)).parameters)
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
