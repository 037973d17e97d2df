"""From names to objects: the one place where the command line's words become encoders, views and methods."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from graphcl import augment
from graphcl._recipes import near, recipe
from graphcl._vocabulary import VOCABULARIES
from graphcl.augment import Augmentation
from graphcl.errors import ConfigError
from graphcl.methods import Method, random4
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
    "NORMS",
    "READOUTS",
    "VIEWS",
    "check_encoder_settings",
    "encoder_maker",
    "make_encoder",
    "make_method",
    "make_view",
]

Make = Callable[[float], Augmentation]

# Each with the share it has unless another is given ("node-drop:0.2"); those of the GraphCL recipe as they are there.
_WITH_SHARE: Mapping[str, tuple[float, Make]] = {
    "node-drop": (0.1, lambda share: augment.NodeDrop(share, count="floor")),
    "edge-drop": (0.1, lambda share: augment.EdgeDrop(share)),
    "edge-drop-directed": (0.1, lambda share: augment.EdgeDrop(share, directed=True)),
    "edge-add": (0.1, lambda share: augment.EdgeAdd(share)),
    "edge-perturb": (0.1, lambda share: augment.EdgePerturb(share, share, count="floor")),
    "edge-rewire": (0.1, lambda share: augment.EdgeRewire(share)),
    "edge-drop-adaptive": (0.1, lambda share: augment.AdaptiveEdgeDrop(share)),
    "edge-drop-adaptive-directed": (0.1, lambda share: augment.AdaptiveEdgeDrop(share, directed=True)),
    "edge-drop-spectral": (0.1, lambda share: augment.SpectralEdgeDrop(share)),
    "node-mask": (0.1, lambda share: augment.NodeMask(share, fill="gaussian", count="floor")),
    "feature-mask": (0.1, lambda share: augment.FeatureMask(share)),
    "feature-mask-adaptive": (0.1, lambda share: augment.AdaptiveFeatureMask(share)),
    "feature-dropout": (0.1, lambda share: augment.FeatureDropout(share)),
    "feature-noise": (0.1, lambda share: augment.FeatureNoise(share)),
    "subgraph": (0.2, lambda share: augment.RandomWalkSubgraph(share, count="floor")),
    "subgraph-growth": (0.8, lambda share: augment.GrowthSubgraph(share)),
    "subgraph-star": (0.2, lambda share: augment.StarSubgraph(share)),
    "ppr": (0.01, lambda share: _pagerank(share)),
    "ppr-scaled": (0.01, lambda share: _pagerank(share, renormalise="max")),
}
# The same for molecules, whose index table they have to be told.
_OF_MOLECULES: Mapping[str, tuple[float, Callable[[float, Any], Augmentation]]] = {
    "atom-mask": (0.25, lambda share, vocab: augment.AtomMask(share, vocab=vocab)),
    "atom-drop": (0.2, lambda share, vocab: augment.AtomDrop(share, vocab=vocab)),
    "bond-drop": (0.25, lambda share, vocab: augment.BondDrop(share, vocab=vocab)),
    "subgraph-remove": (0.25, lambda share, vocab: augment.SubgraphRemove(share, vocab=vocab)),
}
_ALONE: Mapping[str, Callable[[], Augmentation]] = {"identity": augment.Identity, "random4": random4}
VIEWS = (*_ALONE, *_WITH_SHARE, *_OF_MOLECULES)
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
ENCODERS = tuple(_READ)
CONVS = ("gin", "gcn")
ACTIVATIONS = ("relu", "prelu", "elu", "none")
NORMS = ("batch", "layer", "none")


def _pagerank(threshold: float, **options: Any) -> Augmentation:
    """MVGRL's diffusion, without entries below the threshold and accurate to a tenth of it."""
    return augment.PPRDiffusion(alpha=0.2, threshold=threshold, tolerance=threshold / 10, **options)


def make_view(words: str, vocab: str | None = None) -> Augmentation:
    """An augmentation from ``NAME`` or ``NAME:SHARE``; those joined by ``+`` are applied one after the other.

    Out of several that are joined by ``|``, which binds less closely, each graph draws one.

    Args:
        words: The description.
        vocab: The index table of the molecules, for views of molecules.

    Raises:
        ConfigError: The name is unknown, the share no number within [0, 1], or a view is one of molecules and the data
            are none.

    Example:
        >>> make_view("node-drop:0.2")
        NodeDrop(drop=0.2, remove=True, count='floor')
        >>> len(make_view("edge-drop:0.2+feature-mask:0.3").augmentations)
        2
        >>> make_view("atom-drop|bond-drop:0.1", "ogb").augmentations[1].drop
        0.1
    """
    either = [_in_turn(part, vocab) for part in words.split("|")]
    return either[0] if len(either) == 1 else augment.RandomChoice(either)


def _in_turn(words: str, vocab: str | None) -> Augmentation:
    parts = [_one_view(part.strip(), vocab) for part in words.split("+")]
    return parts[0] if len(parts) == 1 else augment.Compose(parts)


def _one_view(words: str, vocab: str | None) -> Augmentation:
    name, _, share = words.partition(":")
    if name not in VIEWS:
        raise ConfigError(f"expected a view out of {', '.join(VIEWS)}, got {name!r}; nearest: {near(name, VIEWS)}")
    if name in _ALONE:
        if share:
            raise ConfigError(f"expected {name} without a share, got {words!r}")
        return _ALONE[name]()
    if name in _OF_MOLECULES and vocab is None:
        raise ConfigError(f"expected molecules for the view {name}, got other graphs; take node-drop, edge-drop, ...")
    if name in _OF_MOLECULES and vocab not in VOCABULARIES:
        raise ConfigError(
            f"expected vocab {' or '.join(VOCABULARIES)} for the view {name}, got {vocab}, whose atoms have nothing "
            f"derived from their bonds; take node-drop, edge-drop or subgraph"
        )
    try:
        if name in _OF_MOLECULES:
            usual, of_molecules = _OF_MOLECULES[name]
            return of_molecules(float(share) if share else usual, vocab)
        usual, make = _WITH_SHARE[name]
        return make(float(share) if share else usual)
    except ValueError as error:
        raise ConfigError(f"view {words!r}: {error}") from error


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
    kinds: dict[str, Any] = {"gcn": GCN, "sage": SAGE, "gat": GAT}
    network: JointEncoder = kinds[settings["encoder"]](
        *sizes,
        out_channels=settings["last_width"],
        activation=settings["activation"],
        norm=settings["norm"],
        jk="cat" if settings["joined"] else "last",
        dropout=settings["dropout"],
        act_last=settings["act_last"],
    )
    return network


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
        where["temperature"] = settings["temperature"]
    if objective:
        arguments["loss"] = _loss(settings["method"], chosen.loss, objective)
    if total_steps is not None and "total_steps" in known:
        arguments.setdefault("total_steps", total_steps)
    required = (p.name for p in known.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty)
    if lacking := [name for name in required if name not in arguments]:
        raise ConfigError(
            f"expected {' and '.join(lacking)} for {settings['method']}, got none; it needs {chosen.needs}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
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
    parts = ("encoder", "seed", "views", "augmentations", "loss", "head", "predictor")  # not to be said in words
    usable = [name for name in known if name not in parts]
    unknown = [name for name in arguments if name not in usable]
    if unknown and usable:
        raise ConfigError(
            f"expected arguments of {method} out of {', '.join(usable)}, got {unknown[0]!r}; "
            f"nearest: {near(unknown[0], usable)}"
        )
    if unknown:
        raise ConfigError(f"expected no arguments for {method}, got {unknown[0]!r}")


def encoder_maker(words: str, arguments: Mapping[str, Any], in_channels: int) -> Callable[[int], nn.Module]:
    """From a seed to a network, by ``MODULE:NAME`` of what makes it or by one of ``ENCODERS``.

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
    if words in ENCODERS:
        kind: Any = {"gin": GIN, "gcn": GCN, "sage": SAGE, "gat": GAT}[words]
    else:
        kind = _imported(words)
    try:
        known = inspect.signature(kind).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(f"expected {words} to be a class or function, got {type(kind).__name__}") from error
    given = {"in_channels": in_channels, **arguments} if "in_channels" in known else dict(arguments)

    def make(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
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
            f"{', '.join(ENCODERS)}, got {words!r}"
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
