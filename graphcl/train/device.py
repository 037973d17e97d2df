"""Where a run computes."""

import os

import torch

from graphcl.errors import ConfigError
from graphcl.train.ranks import was_launched

__all__ = ["pick_device"]


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; ``"auto"`` takes a GPU where there is one.

    Of the processes that ``torchrun`` has started on a machine each takes a GPU of its own, unless one is named.

    Raises:
        ConfigError: There is no such device on this machine.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and was_launched():
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ConfigError(
            f"expected a device of this machine ({', '.join(found)}), got {name!r}: {_first(error)}"
        ) from error
    return device


def _first(error: BaseException) -> str:
    return str(error).split("\n")[0].split(". ")[0]
