"""Recipes of methods that train on many graphs; their settings are those of GraphCL on TU data unless they say so."""

from collections.abc import Mapping
from functools import partial

from graphcl import losses, methods
from graphcl._descriptors import VECTOR_WIDTHS
from graphcl._recipes._recipe import Recipe

__all__ = ["GRAPHS"]

# Of a loss whose settings are not all its own defaults, those that the method has: words change them one by one.
_INFO_NCE = partial(losses.InfoNCE, positive_in_denominator=False)  # as GraphCL's code has it

GRAPHS: Mapping[str, Recipe] = {
    "graphcl": Recipe(
        methods.GraphCL,
        "You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020",
        loss=_INFO_NCE,
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
    "infograph": Recipe(
        methods.InfoGraph,
        "Sun et al., InfoGraph, ICLR 2020",
    ),
    "mvgrl-graph": Recipe(
        methods.MVGRLGraph,
        "Hassani and Khasahmadi, Contrastive Multi-View Representation Learning on Graphs, ICML 2020",
        label="MVGRL",
    ),
    "joao": Recipe(
        methods.JOAO,
        "You et al., Graph Contrastive Learning Automated, ICML 2021",
        loss=_INFO_NCE,
        settings={"temperature": 0.2},
        molecules={"temperature": 0.1},
    ),
    "joao-v2": Recipe(
        methods.JOAOv2,
        "You et al., Graph Contrastive Learning Automated, ICML 2021",
        loss=_INFO_NCE,
        settings={"temperature": 0.2, "epochs": 40},
        molecules={"temperature": 0.1},
    ),
    "ad-gcl": Recipe(
        methods.ADGCL,
        "Suresh et al., Adversarial Graph Augmentation to Improve Graph Contrastive Learning, NeurIPS 2021",
        label="AD-GCL",
        loss=partial(losses.InfoNCE, temperature=0.2, symmetric=True, positive_in_denominator=False),
        settings={"layers": 5, "joined": False, "lr": 1e-3, "batch_size": 32},
    ),
    "simgrace": Recipe(
        methods.SimGRACE,
        "Xia et al., SimGRACE: Contrastive Learning without Data Augmentation, WWW 2022",
        loss=_INFO_NCE,
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
        loss=partial(losses.InfoNCE, temperature=0.05),
    ),
    "graph-moco": Recipe(
        methods.GraphMoCo,
        "He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, on graphs",
        loss=partial(losses.MoCo, temperature=0.2),
    ),
    "graph-byol": Recipe(
        methods.GraphBYOL,
        "Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, on graphs",
    ),
    "graph-swav": Recipe(
        methods.GraphSwAV,
        "Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020, "
        "on graphs",
        loss=losses.SwAV,
    ),
    "graph-barlow-twins": Recipe(
        methods.GraphBarlowTwins,
        "Zbontar et al., Barlow Twins, ICML 2021, on graphs",
        loss=partial(losses.BarlowTwins, redundancy=1 / 256),
    ),
    "graph-vicreg": Recipe(
        methods.GraphVICReg,
        "Bardes et al., VICReg, ICLR 2022, on graphs",
        loss=partial(losses.VICReg, invariance=25 / 256, variance=12.5),
    ),
    "pcl": Recipe(
        methods.PCL,
        "Li et al., Prototypical Contrastive Learning of Unsupervised Representations, ICLR 2021, on graphs",
    ),
    "graph-supcon": Recipe(
        methods.GraphSupCon,
        "Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, on graphs",
        needs="labels y",
        labels="all",
        loss=partial(losses.SupCon, temperature=0.1),
    ),
    "cross-modal": Recipe(
        methods.CrossModal,
        "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021: a graph and "
        "a vector that belongs to it",
        needs="the vectors, a graph attribute: --arguments.modality NAME --arguments.modality_channels WIDTH; "
        "of molecules properties (the default), fingerprint or descriptors (both) are computed",
        loss=losses.CLIP,
        molecules={
            "arguments": {"modality": "properties", "modality_channels": VECTOR_WIDTHS["properties"]},
            "batch_size": 512,
            "schedule": "cosine",
            "weight_decay": 1e-5,
        },
    ),
    "graphmae-graph": Recipe(
        methods.GraphMAEGraph,
        "Hou et al., GraphMAE: Self-Supervised Masked Graph Autoencoders, KDD 2022 (not contrastive: a yardstick)",
        label="GraphMAE",
    ),
    "subtree-contrast": Recipe(
        methods.SubtreeContrast,
        "of this package: nodes with different rooted subtrees are pushed apart, at every depth",
        loss=_INFO_NCE,
        settings={"hidden": 128, "unit": True, "readout": "root", "temperature": 0.2, "lr": 3e-4},
        molecules={"unit": False},
    ),
    "node-and-graph": Recipe(
        methods.NodeAndGraph,
        "GraphCL's and GRACE's objectives together, with a weight",
    ),
}
