"""From names to objects: the one place where the command line's words become encoders, views and methods."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from graphcl import augment
from graphcl.augment import Augmentation
from graphcl.errors import ConfigError
from graphcl.losses import InfoNCE
from graphcl.methods import GraphCL, Method, random4
from graphcl.nn import GIN, GraphEncoder, Readout, max_readout, mean_readout, sum_readout

__all__ = ["ENCODERS", "METHODS", "READOUTS", "VIEWS", "make_encoder", "make_method", "make_view", "near"]

Make = Callable[[float], Augmentation]

# Each with the share it has unless another is given ("node-drop:0.2"); those of the GraphCL recipe as they are there.
_WITH_SHARE: Mapping[str, tuple[float, Make]] = {
    "node-drop": (0.1, lambda share: augment.NodeDrop(share, count="floor")),
    "edge-drop": (0.1, lambda share: augment.EdgeDrop(share)),
    "edge-add": (0.1, lambda share: augment.EdgeAdd(share)),
    "edge-perturb": (0.1, lambda share: augment.EdgePerturb(share, share, count="floor")),
    "edge-rewire": (0.1, lambda share: augment.EdgeRewire(share)),
    "edge-drop-adaptive": (0.1, lambda share: augment.AdaptiveEdgeDrop(share)),
    "edge-drop-spectral": (0.1, lambda share: augment.SpectralEdgeDrop(share)),
    "node-mask": (0.1, lambda share: augment.NodeMask(share, fill="gaussian", count="floor")),
    "feature-mask": (0.1, lambda share: augment.FeatureMask(share)),
    "feature-mask-adaptive": (0.1, lambda share: augment.AdaptiveFeatureMask(share)),
    "feature-dropout": (0.1, lambda share: augment.FeatureDropout(share)),
    "feature-noise": (0.1, lambda share: augment.FeatureNoise(share)),
    "subgraph": (0.2, lambda share: augment.RandomWalkSubgraph(share, count="floor")),
    "subgraph-growth": (0.8, lambda share: augment.GrowthSubgraph(share)),
    "subgraph-star": (0.2, lambda share: augment.StarSubgraph(share)),
}
_ALONE: Mapping[str, Callable[[], Augmentation]] = {"identity": augment.Identity, "random4": random4}
VIEWS = (*_ALONE, *_WITH_SHARE)
READOUTS: Mapping[str, Readout] = {"sum": sum_readout, "mean": mean_readout, "max": max_readout}
ENCODERS = ("gin", "gcn", "sage", "gat")
METHODS = ("graphcl",)


def near(name: str, known: Iterable[str]) -> str:
    """The names most like ``name``, or all of them, as words for a message."""
    names = list(known)
    return ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names)


def make_view(words: str) -> Augmentation:
    """An augmentation from ``NAME`` or ``NAME:SHARE``.

    Raises:
        ConfigError: The name is unknown, or the share no number within [0, 1].

    Example:
        >>> make_view("node-drop:0.2")
        NodeDrop(drop=0.2, remove=True, count='floor')
    """
    name, _, share = words.partition(":")
    if name not in VIEWS:
        raise ConfigError(f"expected a view out of {', '.join(VIEWS)}, got {name!r}; nearest: {near(name, VIEWS)}")
    if name in _ALONE:
        if share:
            raise ConfigError(f"expected {name} without a share, got {words!r}")
        return _ALONE[name]()
    usual, make = _WITH_SHARE[name]
    try:
        return make(float(share) if share else usual)
    except ValueError as error:
        raise ConfigError(f"view {words!r}: {error}") from error


def make_encoder(name: str, in_channels: int, *, hidden: int, layers: int, readout: str) -> GraphEncoder:
    """An encoder by name: the package's GIN, or PyG's GCN, GraphSAGE or GAT with BatchNorm and all layers joined."""
    if readout not in READOUTS:
        raise ConfigError(f"expected a readout out of {', '.join(READOUTS)}, got {readout!r}")
    if name == "gin":
        return GraphEncoder(GIN(in_channels, hidden, layers), READOUTS[readout])
    if name not in ENCODERS:
        raise ConfigError(
            f"expected an encoder out of {', '.join(ENCODERS)}, got {name!r}; nearest: {near(name, ENCODERS)}"
        )
    from torch_geometric import nn as pyg

    models = {"gcn": pyg.GCN, "sage": pyg.GraphSAGE, "gat": pyg.GAT}
    return GraphEncoder(models[name](in_channels, hidden, layers, jk="cat", norm="batch_norm"), READOUTS[readout])


def make_method(config: Mapping[str, Any], in_channels: int, *, seed: int | None = None) -> Method:
    """The method that a run's settings describe, with weights drawn by ``seed`` (the run's own if ``None``).

    Torch's default generator is left as it was.

    Raises:
        ConfigError: A name is unknown or a value unusable.
    """
    seed = config["seed"] if seed is None else seed
    if config["method"] not in METHODS:
        raise ConfigError(f"expected a method out of {', '.join(METHODS)}, got {config['method']!r}")
    views = config["views"]
    if len(views) != 2:
        raise ConfigError(f"expected two views, got {len(views)}: {views}")
    first, second = (make_view(view) for view in views)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            encoder = make_encoder(
                config["encoder"],
                in_channels,
                hidden=config["hidden"],
                layers=config["layers"],
                readout=config["readout"],
            )
            loss = InfoNCE(temperature=config["temperature"], positive_in_denominator=False)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return GraphCL(encoder, views=(first, second), loss=loss, seed=seed)
