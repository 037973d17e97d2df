"""Graph contrastive learning on PyTorch Geometric: views, losses, methods, and protocols that prove their worth.

A ``Data`` (or ``Batch``) goes in, two views come out, an encoder embeds them, a loss compares them:
``method(data) -> loss``. Everything here is imported on first use.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_SUBPACKAGES = (
    "augment",
    "data",
    "distributed",
    "errors",
    "evaluate",
    "losses",
    "methods",
    "nn",
    "pretrained",
    "report",
    "similarity",
    "train",
)

__all__ = ["__version__", "load", *_SUBPACKAGES]

try:
    __version__ = version("graphcl")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"graphcl.{name}")
    if name == "load":  # a pretrained encoder; data sets are loaded by graphcl.data.load
        return import_module("graphcl.pretrained").load
    raise AttributeError(f"module 'graphcl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
