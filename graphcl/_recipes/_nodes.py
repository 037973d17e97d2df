"""Recipes of methods that train on the nodes of one graph."""

from collections.abc import Mapping
from typing import Any

from graphcl import losses, methods
from graphcl._recipes._recipe import Recipe

__all__ = ["NODES"]

# What they have in common, and what they do with bags of words.
_NODE: Mapping[str, Any] = {"encoder": "gcn", "layers": 2, "norm": "none", "joined": False}
_BAGS: Mapping[str, Any] = {"features": "normalized"}
# Where the papers of BGRL and G-BT have none, by the accuracy on the validation nodes, one or two seeds.
_STRONGER: Mapping[str, Any] = {
    **_BAGS,
    "views": ["edge-drop-directed:0.5+feature-mask:0.6"] * 2,
    "epochs": 300,
    "warmup": 30,
}

NODES: Mapping[str, Recipe] = {
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
            "PubMed": {
                **_BAGS,
                "hidden": 512,
                "last_width": 256,
                "views": ["edge-drop-directed:0.4+feature-mask:0.0", "edge-drop-directed:0.1+feature-mask:0.2"],
                "temperature": 0.7,
                "epochs": 1500,
                "lr": 1e-3,
            },
            "DBLP": {
                **_BAGS,
                "hidden": 512,
                "last_width": 256,
                "views": ["edge-drop-directed:0.1+feature-mask:0.1", "edge-drop-directed:0.4+feature-mask:0.0"],
                "temperature": 0.7,
                "epochs": 1000,
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
        datasets={"Cora": _STRONGER, "CiteSeer": _STRONGER},
    ),
    "cca-ssg": Recipe(
        methods.CCASSG,
        "Zhang et al., From Canonical Correlation Analysis to Self-supervised Graph Neural Networks, NeurIPS 2021",
        label="CCA-SSG",
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
        # On Cora the authors keep all of the diffusion: entries from 0.001 on are 89 % of it.
        datasets={
            "Cora": {**_BAGS, "views": ["ppr:0.001"]},
            "CiteSeer": {**_BAGS, "views": ["ppr-scaled:0.01"]},
        },
    ),
    "g-bt": Recipe(
        methods.GBT,
        "Bielak et al., Graph Barlow Twins, Knowledge-Based Systems 2022",
        label="G-BT",
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
        datasets={"Cora": _STRONGER, "CiteSeer": {**_STRONGER, "epochs": 100, "warmup": 10}},
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
        labels="train",
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
}
