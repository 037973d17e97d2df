"""Encoders by the settings of a run."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from graphcl._recipes import near
from graphcl.errors import ConfigError
from graphcl.nn import (
    GAT,
    GCN,
    GIN,
    SAGE,
    GraphEncoder,
    JointEncoder,
    MoleculeEncoder,
    Readout,
    UnitDepths,
    max_readout,
    mean_readout,
    root_readout,
    sum_readout,
)

__all__ = [
    "ACTIVATIONS",
    "CONVS",
    "ENCODERS",
    "NETWORKS",
    "NORMS",
    "READOUTS",
    "check_encoder_settings",
    "make_encoder",
]

READOUTS: Mapping[str, Readout] = {
    "sum": sum_readout,
    "mean": mean_readout,
    "root": root_readout,
    "max": max_readout,
}
_OF_LAYERS = ("hidden", "last_width", "layers", "activation", "act_last", "norm", "joined", "unit", "dropout")
# Which settings each encoder reads.
_READ: Mapping[str, tuple[str, ...]] = {
    "gin": ("hidden", "layers", "norm", "unit"),
    "gcn": _OF_LAYERS,
    "sage": _OF_LAYERS,
    "gat": _OF_LAYERS,
    "molecule": ("hidden", "layers", "conv", "virtual_node", "dropout"),
}
# Those of node features, which have a width; that of molecules looks up indices.
NETWORKS: Mapping[str, Any] = {"gin": GIN, "gcn": GCN, "sage": SAGE, "gat": GAT}
ENCODERS = tuple(_READ)
CONVS = ("gin", "gcn")
ACTIVATIONS = ("relu", "prelu", "rrelu", "elu", "none")
NORMS = ("batch", "layer", "none")


def make_encoder(settings: Mapping[str, Any], in_channels: int) -> GraphEncoder:
    """The encoder that the settings name.

    Raises:
        ConfigError: A name is unknown or a value unusable.
    """
    name, readout = settings["encoder"], settings["readout"]
    choices = {"encoder": ENCODERS, "readout": READOUTS, "activation": ACTIVATIONS, "norm": NORMS, "conv": CONVS}
    for key, known in choices.items():
        if settings[key] not in known:
            nearest = near(settings[key], known)
            raise ConfigError(f"expected {key} out of {', '.join(known)}, got {settings[key]!r}; nearest: {nearest}")
    try:
        return GraphEncoder(_network(settings, in_channels), READOUTS[readout])
    except ValueError as error:
        raise ConfigError(f"encoder {name}: {error}") from error


def check_encoder_settings(settings: Mapping[str, Any], *usual: Mapping[str, Any]) -> None:
    """Refuse a setting that the encoder does not read, where it is none of the usual ones.

    Args:
        settings: What was asked for.
        usual: What the settings are where nothing is said.

    Raises:
        ConfigError: A setting would be ignored.

    Example:
        >>> usual = {"encoder": "gin", "dropout": 0.0}
        >>> check_encoder_settings({"encoder": "gin", "dropout": 0.5}, usual)
        Traceback (most recent call last):
        ...
        graphcl.errors.ConfigError: expected no dropout with encoder gin, which has none, got 0.5; encoders with one
        are gcn, sage, gat, molecule
    """
    chosen = settings["encoder"]
    for key in sorted({key for keys in _READ.values() for key in keys} - set(_READ.get(chosen, ()))):
        if chosen in _READ and key in settings and all(settings[key] != known.get(key) for known in usual):
            others = ", ".join(name for name, keys in _READ.items() if key in keys)
            raise ConfigError(
                f"expected no {key} with encoder {chosen}, which has none, got {settings[key]}; encoders with one are "
                f"{others}"
            )


def _network(settings: Mapping[str, Any], in_channels: int) -> nn.Module:
    vocab = settings["vocab"]
    if (settings["encoder"] == "molecule") != (vocab is not None):
        wanted, got = ("a set of molecules", "other graphs") if vocab is None else ("encoder molecule", "another")
        raise ConfigError(
            f"expected {wanted} for {'encoder molecule' if vocab is None else 'a set of molecules'}, got {got}: the "
            f"features of molecules are indices of atoms and bonds, which that encoder alone looks up"
        )
    if vocab is not None:
        return MoleculeEncoder(
            settings["hidden"],
            settings["layers"],
            vocab=vocab,
            conv=settings["conv"],
            virtual_node=settings["virtual_node"],
            dropout=settings["dropout"],
        )
    if settings.get("unit") and settings["encoder"] != "gin" and not settings["joined"]:
        raise ConfigError("expected joined (the outputs of all layers) where unit is asked for, got joined false")
    network = _layers(settings, in_channels)
    return UnitDepths(network) if settings.get("unit") else network  # runs of before had no such setting


def _layers(settings: Mapping[str, Any], in_channels: int) -> JointEncoder:
    sizes = (in_channels, settings["hidden"], settings["layers"])
    if settings["encoder"] == "gin":
        return GIN(*sizes, norm=settings["norm"])
    return NETWORKS[settings["encoder"]](
        *sizes,
        out_channels=settings["last_width"],
        activation=settings["activation"],
        norm=settings["norm"],
        jk="cat" if settings["joined"] else "last",
        dropout=settings["dropout"],
        act_last=settings["act_last"],
    )
