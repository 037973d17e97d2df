"""Methods by name, each with its paper's settings: what the command line and YAML files build from."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from graphcl import losses, methods
from graphcl.errors import ConfigError
from graphcl.methods import Method

__all__ = ["METHODS", "NOT_ON_MOLECULES", "SETTINGS", "Recipe", "near", "recipe", "settings_for"]

# What every recipe may change. Training and encoder as in GraphCL's code for TU data.
SETTINGS: Mapping[str, Any] = {
    "features": None,
    "vocab": None,
    "encoder": "gin",
    "conv": "gin",
    "virtual_node": False,
    "hidden": 32,
    "last_width": None,
    "layers": 3,
    "activation": "relu",
    "act_last": True,
    "norm": "batch",
    "joined": True,
    "dropout": 0.0,
    "readout": "sum",
    "views": [],
    "temperature": None,
    "objective": {},
    "arguments": {},
    "epochs": 20,
    "batch_size": 128,
    "lr": 0.01,
    "weight_decay": 0.0,
    "optimizer": "adam",
    "schedule": "constant",
    "warmup": 0,
    "clip": None,
    "precision": "fp32",
    "patience": None,
}

_NODE: Mapping[str, Any] = {"encoder": "gcn", "layers": 2, "norm": "none", "joined": False}

# On sets of molecules: the encoder of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, and
# their training; the views of GraphCL's code for them, one of two at 20 % for each molecule. Where atoms have derived
# features, as in OGB's and PyG's tables, views refresh those; under hu2020 there is nothing to refresh.
_MOLECULES: Mapping[str, Any] = {"encoder": "molecule", "hidden": 300, "layers": 5, "readout": "mean"}
_MOLECULES_TRAINING: Mapping[str, Any] = {"epochs": 100, "batch_size": 256, "lr": 1e-3}
_MOLECULES_VIEWS = {
    "derived": {"graph": "atom-drop:0.2|subgraph-remove:0.2", "node": "bond-drop:0.2+atom-mask:0.25"},
    "bare": {"graph": "node-drop:0.2|subgraph:0.8", "node": "edge-drop:0.2"},
}
_MOLECULES_POOL = {
    "derived": ["atom-drop:0.2", "subgraph-remove:0.2", "atom-mask:0.2", "bond-drop:0.2", "identity"],
    "bare": ["node-drop:0.2", "subgraph:0.8", "edge-drop:0.2", "identity"],
}


@dataclass(frozen=True)
class Recipe:
    """A method and how its paper trains it.

    Attributes:
        kind: Its class.
        paper: Where it is from.
        needs: What it needs beside graphs with features.
        loss: Its loss, made with the settings ``temperature`` and ``objective`` where they say something.
        settings: What differs from ``SETTINGS``.
        datasets: What differs again on single data sets.
        molecules: What differs on sets of molecules from what all methods have there.
        label: What tables call it, where that is not the name of its class.
    """

    kind: type[Method]
    paper: str
    needs: str = ""
    loss: Callable[..., nn.Module] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    molecules: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.kind.__name__


_BAGS: Mapping[str, Any] = {"features": "normalized"}

METHODS: Mapping[str, Recipe] = {
    "graphcl": Recipe(
        methods.GraphCL,
        "You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020",
        loss=partial(losses.InfoNCE, positive_in_denominator=False),
        settings={"views": ["identity", "random4"], "temperature": 0.2},
        molecules={"temperature": 0.1},
    ),
    "molclr": Recipe(
        methods.GraphCL,
        "Wang et al., Molecular Contrastive Learning of Representations via Graph Neural Networks, Nature Machine "
        "Intelligence 2022",
        needs="molecules: --data FILE, or a set of molecules",
        loss=losses.NTXent,
        settings={"views": ["atom-mask:0.25+bond-drop:0.25|subgraph-remove:0.25"] * 2, "temperature": 0.1},
        molecules={
            "views": ["atom-mask:0.25+bond-drop:0.25|subgraph-remove:0.25"] * 2,
            "batch_size": 512,
            "lr": 5e-4,
            "weight_decay": 1e-5,
            "schedule": "cosine",
            "warmup": 10,
        },
        label="MolCLR",
    ),
    "grace": Recipe(
        methods.GRACE,
        "Zhu et al., Deep Graph Contrastive Representation Learning, ICML workshop 2020",
        loss=losses.GRACE,
        settings={
            **_NODE,
            "hidden": 256,
            "last_width": 128,
            "views": ["edge-drop-directed:0.2+feature-mask:0.3", "edge-drop-directed:0.4+feature-mask:0.4"],
            "temperature": 0.4,
            "epochs": 200,
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
        datasets={
            "Cora": _BAGS,
            "CiteSeer": {
                **_BAGS,
                "hidden": 512,
                "last_width": 256,
                "activation": "prelu",
                "views": ["edge-drop-directed:0.2+feature-mask:0.3", "edge-drop-directed:0.0+feature-mask:0.2"],
                "temperature": 0.9,
                "lr": 1e-3,
            },
        },
    ),
    "bgrl": Recipe(
        methods.BGRL,
        "Thakoor et al., Large-Scale Representation Learning on Graphs via Bootstrapping, ICLR 2022",
        loss=losses.Bootstrap,
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "activation": "prelu",
            "norm": "batch",
            "views": ["edge-drop-directed:0.2+feature-mask:0.2", "edge-drop-directed:0.3+feature-mask:0.1"],
            "epochs": 10_000,
            "warmup": 1000,
            "schedule": "cosine",
            "optimizer": "adamw",
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
    ),
    "cca-ssg": Recipe(
        methods.CCASSG,
        "Zhang et al., From Canonical Correlation Analysis to Self-supervised Graph Neural Networks, NeurIPS 2021",
        loss=losses.CCASSG,
        settings={
            **_NODE,
            "hidden": 512,
            "act_last": False,
            "views": ["edge-drop-directed:0.4+feature-mask:0.1", "edge-drop-directed:0.4+feature-mask:0.1"],
            "objective": {"decorrelation": 2e-3},
            "epochs": 50,
            "lr": 1e-3,
        },
        datasets={
            "Cora": _BAGS,
            "CiteSeer": {
                **_BAGS,
                "layers": 1,
                "views": ["edge-drop-directed:0.4", "edge-drop-directed:0.4"],
                "objective": {"decorrelation": 1e-3},
                "epochs": 20,
            },
        },
    ),
    "dgi": Recipe(
        methods.DGI,
        "Velickovic et al., Deep Graph Infomax, ICLR 2019",
        loss=losses.DGIBCE,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "epochs": 10_000,
            "patience": 20,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "gca": Recipe(
        methods.GCA,
        "Zhu et al., Graph Contrastive Learning with Adaptive Augmentation, WWW 2021",
        loss=losses.GRACE,
        # The paper has no citation graphs of this kind: GRACE's numbers on Cora.
        settings={
            **_NODE,
            "hidden": 256,
            "last_width": 128,
            "views": [
                "feature-mask-adaptive:0.3+edge-drop-adaptive-directed:0.2",
                "feature-mask-adaptive:0.4+edge-drop-adaptive-directed:0.4",
            ],
            "temperature": 0.4,
            "epochs": 200,
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "mvgrl": Recipe(
        methods.MVGRL,
        "Hassani and Khasahmadi, Contrastive Multi-View Representation Learning on Graphs, ICML 2020",
        loss=losses.DGIBCE,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "epochs": 3000,
            "patience": 20,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "g-bt": Recipe(
        methods.GBT,
        "Bielak et al., Graph Barlow Twins, Knowledge-Based Systems 2022",
        loss=losses.BarlowTwins,
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "activation": "prelu",
            "norm": "batch",
            "act_last": False,
            "views": ["edge-drop-directed:0.5+feature-mask:0.1", "edge-drop-directed:0.5+feature-mask:0.1"],
            "epochs": 1000,
            "warmup": 100,
            "schedule": "cosine",
            "optimizer": "adamw",
            "lr": 5e-4,
            "weight_decay": 1e-5,
        },
    ),
    "ggd": Recipe(
        methods.GGD,
        "Zheng et al., Rethinking and Scaling Up Graph Contrastive Learning, NeurIPS 2022",
        loss=losses.GroupDiscrimination,
        settings={
            **_NODE,
            "hidden": 512,
            "layers": 1,
            "activation": "prelu",
            "arguments": {"power": 5},
            "epochs": 500,
            "lr": 1e-3,
        },
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "costa": Recipe(
        methods.COSTA,
        "Zhang et al., COSTA: Covariance-Preserving Feature Augmentation for Graph Contrastive Learning, KDD 2022",
        settings={
            **_NODE,
            "hidden": 512,
            "last_width": 256,
            "views": ["edge-drop-directed:0.2+feature-mask:0.3", "edge-drop-directed:0.4+feature-mask:0.3"],
            "epochs": 700,
            "lr": 1e-4,
            "weight_decay": 1e-5,
        },
        datasets={
            "Cora": _BAGS,
            "CiteSeer": {
                **_BAGS,
                "views": ["edge-drop-directed:0.2+feature-mask:0.3", "feature-mask:0.3"],
                "lr": 1e-3,
            },
        },
    ),
    "sgrl": Recipe(
        methods.SGRL,
        "He et al., Exploitation of a Latent Mechanism in Graph Contrastive Learning: Representation Scattering, "
        "NeurIPS 2024",
        settings={**_NODE, "hidden": 1024, "layers": 1, "activation": "prelu", "epochs": 700, "lr": 1e-3},
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "node-supcon": Recipe(
        methods.NodeSupCon,
        "Khosla et al., Supervised Contrastive Learning, NeurIPS 2020",
        needs="labels y, and train_mask, the nodes whose labels may be seen",
        loss=losses.SupCon,
        settings={**_NODE, "hidden": 256, "last_width": 128, "temperature": 0.1, "epochs": 200, "lr": 5e-4},
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "graphmae": Recipe(
        methods.GraphMAE,
        "Hou et al., GraphMAE: Self-Supervised Masked Graph Autoencoders, KDD 2022 (not contrastive: a yardstick)",
        settings={
            **_NODE,
            "hidden": 512,
            "activation": "prelu",
            "epochs": 1500,
            "lr": 1e-3,
            "weight_decay": 2e-4,
        },
        datasets={"Cora": _BAGS, "CiteSeer": {**_BAGS, "epochs": 300, "weight_decay": 2e-5}},
    ),
    "gae": Recipe(
        methods.GAE,
        "Kipf and Welling, Variational Graph Auto-Encoders, 2016 (not contrastive: a baseline)",
        loss=losses.DGIBCE,
        settings={**_NODE, "hidden": 32, "last_width": 16, "act_last": False, "epochs": 200},
        datasets={"Cora": _BAGS, "CiteSeer": _BAGS},
    ),
    "infograph": Recipe(
        methods.InfoGraph,
        "Sun et al., InfoGraph, ICLR 2020",
    ),
    "mvgrl-graph": Recipe(
        methods.MVGRLGraph,
        "Hassani and Khasahmadi, Contrastive Multi-View Representation Learning on Graphs, ICML 2020",
    ),
    "joao": Recipe(
        methods.JOAO,
        "You et al., Graph Contrastive Learning Automated, ICML 2021",
        loss=partial(losses.InfoNCE, positive_in_denominator=False),
        settings={"temperature": 0.2},
        molecules={"temperature": 0.1},
    ),
    "joao-v2": Recipe(
        methods.JOAOv2,
        "You et al., Graph Contrastive Learning Automated, ICML 2021",
        loss=partial(losses.InfoNCE, positive_in_denominator=False),
        settings={"temperature": 0.2, "epochs": 40},
        molecules={"temperature": 0.1},
    ),
    "ad-gcl": Recipe(
        methods.ADGCL,
        "Suresh et al., Adversarial Graph Augmentation to Improve Graph Contrastive Learning, NeurIPS 2021",
        settings={"layers": 5, "joined": False, "lr": 1e-3, "batch_size": 32},
    ),
    "simgrace": Recipe(
        methods.SimGRACE,
        "Xia et al., SimGRACE: Contrastive Learning without Data Augmentation, WWW 2022",
        loss=partial(losses.InfoNCE, positive_in_denominator=False),
        settings={"temperature": 0.2},
        molecules={"temperature": 0.1},
    ),
    "rgcl": Recipe(
        methods.RGCL,
        "Li et al., Let Invariant Rationale Discovery Inspire Graph Contrastive Learning, ICML 2022",
    ),
    "graph-simcse": Recipe(
        methods.GraphSimCSE,
        "Gao et al., SimCSE, EMNLP 2021, on graphs: views by dropout alone",
    ),
    "graph-moco": Recipe(
        methods.GraphMoCo,
        "He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, on graphs",
    ),
    "graph-byol": Recipe(
        methods.GraphBYOL,
        "Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, on graphs",
    ),
    "graph-swav": Recipe(
        methods.GraphSwAV,
        "Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020, "
        "on graphs",
    ),
    "graph-barlow-twins": Recipe(
        methods.GraphBarlowTwins,
        "Zbontar et al., Barlow Twins, ICML 2021, on graphs",
    ),
    "graph-vicreg": Recipe(
        methods.GraphVICReg,
        "Bardes et al., VICReg, ICLR 2022, on graphs",
    ),
    "pcl": Recipe(
        methods.PCL,
        "Li et al., Prototypical Contrastive Learning of Unsupervised Representations, ICLR 2021, on graphs",
    ),
    "graph-supcon": Recipe(
        methods.GraphSupCon,
        "Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, on graphs",
        needs="labels y",
    ),
    "cross-modal": Recipe(
        methods.CrossModal,
        "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021: a graph and "
        "a vector that belongs to it",
        needs="the vectors, a graph attribute: --arguments.modality NAME --arguments.modality_channels WIDTH",
    ),
    "graphmae-graph": Recipe(
        methods.GraphMAEGraph,
        "Hou et al., GraphMAE: Self-Supervised Masked Graph Autoencoders, KDD 2022 (not contrastive: a yardstick)",
    ),
    "node-and-graph": Recipe(
        methods.NodeAndGraph,
        "GraphCL's and GRACE's objectives together, with a weight",
    ),
}


NOT_ON_MOLECULES: Mapping[str, str] = {
    **dict.fromkeys(("ad-gcl", "mvgrl", "mvgrl-graph"), "needs an encoder that weighs edges"),
    **dict.fromkeys(("graphmae", "graphmae-graph"), "restores features that are numbers"),
}
"""Methods that cannot be used with indices of atoms and bonds, and why."""


def near(name: str, known: Iterable[str]) -> str:
    """The names most like ``name``, or all of them, as words for a message."""
    names = list(known)
    return ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names)


def recipe(name: str) -> Recipe:
    """The recipe of a method.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in METHODS:
        raise ConfigError(
            f"expected a method out of {', '.join(METHODS)}, got {name!r}; nearest: {near(name, METHODS)}"
        )
    return METHODS[name]


def settings_for(method: str, dataset: str | None = None, *, vocab: str | None = None) -> dict[str, Any]:
    """All settings of a method, as its paper has them on that data set or in general.

    Args:
        method: Its name.
        dataset: The data set.
        vocab: The index table, where the data are molecules.

    Raises:
        ConfigError: There is no such method, or it cannot be used with molecules.

    Example:
        >>> settings_for("grace")["hidden"], settings_for("grace", "CiteSeer")["hidden"]
        (256, 512)
        >>> settings_for("graphcl", vocab="ogb")["views"]
        ['atom-drop:0.2|subgraph-remove:0.2', 'atom-drop:0.2|subgraph-remove:0.2']
    """
    chosen = recipe(method)
    settings = {**SETTINGS, **chosen.settings}
    if vocab is not None:
        if method in NOT_ON_MOLECULES:
            raise ConfigError(
                f"expected a method for molecules, got {method}, which {NOT_ON_MOLECULES[method]}; such as graphcl, "
                f"molclr, simgrace, joao, infograph"
            )
        settings |= {**_MOLECULES, **_molecule_views(chosen, vocab), "vocab": vocab}
        settings |= {**(_MOLECULES_TRAINING if chosen.kind.level == "graph" else {}), **chosen.molecules}
    return {**settings, **chosen.datasets.get(dataset or "", {}), "method": method}


def _molecule_views(chosen: Recipe, vocab: str) -> dict[str, Any]:
    """Views that suit molecules, for a method that takes views: its own would mask features that are no numbers."""
    table = "bare" if vocab == "hu2020" else "derived"
    known = inspect.signature(chosen.kind).parameters
    if "augmentations" in known:
        return {"views": list(_MOLECULES_POOL[table])}
    if "views" in known and (chosen.kind.level == "graph" or "views" in chosen.settings):
        return {"views": [_MOLECULES_VIEWS[table][chosen.kind.level]] * 2}
    return {}
