"""Hashes for the keys under which scores are kept: of the parts of a network beside its weights, and of graphs."""

import hashlib
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl.data import PackedDataset
from graphcl.evaluate._checks import to_numpy

__all__ = ["digest_of", "tuning_key"]

GRAPHS_AT_ONCE = 1024


def tuning_key(key: str, network: nn.Module, graphs: str) -> str:
    """The key of weights, labels and protocol, with all else that decides scores; of the graphs their digest."""
    return hashlib.sha256(f"{key};{settings_of(network)};{graphs}".encode()).hexdigest()[:16]


def settings_of(network: nn.Module) -> str:
    """The numbers, words and functions that the parts of a network hold: dropout, readout, which layers are joined.

    Example:
        >>> settings_of(nn.Dropout(0.25))
        ':Dropout inplace=False p=0.25'
    """
    return "\n".join(f"{path}:{type(part).__qualname__}{_plain(part)}" for path, part in network.named_modules())


def _plain(part: nn.Module) -> str:
    words = ""
    for name, value in sorted(vars(part).items()):
        if name.startswith("_") or name == "training":
            continue
        if isinstance(value, FunctionType):
            words += f" {name}={value.__module__}.{value.__qualname__}"
        elif value is None or isinstance(value, (bool, int, float, str)):
            words += f" {name}={value!r}"
    return words


def digest_of(graphs: PackedDataset | Data) -> str:
    """A hash of all tensors of all graphs, or of one, wherever they lie."""
    digest = hashlib.sha256()
    for batch in graphs.batches(GRAPHS_AT_ONCE) if isinstance(graphs, PackedDataset) else [graphs]:
        values: dict[str, Any] = batch.to_dict()
        for name in sorted(values.keys() - {"graph_id"}):  # numbers that were added to the graphs
            value = values[name]
            if isinstance(value, Tensor) and value.layout == torch.strided:
                array = np.ascontiguousarray(to_numpy(value))
                digest.update(f"{name}{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
