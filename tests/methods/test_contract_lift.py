"""Pretraining pays: embeddings say more than those of the same encoder untrained, for every method on graphs.

The generated circles of friends are the measure: a latent that all members of a circle share, noise in every feature,
and a class that is no linear function of the latent. All methods have the same encoder, training, folds and seeds, and
their own defaults for the rest. What falls short there is named, with the reason, and held to falling short, so that a
change for the better is noticed. On the generated molecules only few methods lift with every seed; these stay tested.
"""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from graphcl import methods
from graphcl.augment import EdgeDropper
from graphcl.data import PackedDataset, load
from graphcl.evaluate import effective_rank, embed_graphs, fold_scores, protocol, untrained_embeddings, with_folds
from graphcl.methods import Method
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import fit

EPOCHS, BATCH, POINTS = 20, 128, 3
WIDTH = 96  # three layers of 32
RANK = 10  # of 96 dimensions; an encoder that has collapsed has 1
PROBE = dataclasses.replace(with_folds(protocol("tu-linear-svm"), 5, 2), grid=(0.1, 1.0))

# Each with the arguments that it needs, or for which there is a reason beside it.
LIFTS = {
    # The authors choose the penalty on dropped edges for each data set, out of 0.1 to 10 (AD-GCL-OPT); see FALLS_SHORT.
    "ADGCL": lambda: {"dropper": EdgeDropper(WIDTH, strength=1.0)},
    "CrossModal": lambda: {"modality": "text", "modality_channels": 30},
    "GraphBYOL": dict,
    "GraphBarlowTwins": dict,
    "GraphCL": dict,
    "GraphMAEGraph": dict,  # contrasts nothing: the yardstick
    "GraphMoCo": dict,
    "GraphSimCSE": dict,
    "GraphSupCon": dict,  # sees the labels of all graphs, those it is tested on too
    "GraphSwAV": dict,
    "GraphVICReg": dict,
    "InfoGraph": dict,
    "JOAO": dict,
    "JOAOv2": dict,
    "MVGRLGraph": dict,
    "NodeAndGraph": dict,
    "PCL": dict,
    "RGCL": dict,
    "SimGRACE": dict,
}
# Lift by 14 points and more with each of three seeds, so that one is enough; of the others the mean of two counts.
CLEAR = {"GraphBarlowTwins", "GraphCL", "GraphMAEGraph", "GraphSimCSE", "GraphSupCon", "GraphSwAV", "GraphVICReg"}
CLEAR |= {"JOAO", "JOAOv2", "NodeAndGraph"}
FALLS_SHORT = {
    # The penalty of 5 outweighs what the contrast has to lose: every edge is kept, the two views are one, and what
    # tells circles apart best are the accidents of their features. GraphCL with two clean views ends in the same place.
    "ADGCL": dict,
    # No two nodes look alike here, so that all are pushed apart, and the accidents of their features with them. On the
    # molecules, where subtrees recur, its own encoder is above 90 % untrained, and training takes a little away.
    "SubtreeContrast": dict,
}


@functools.cache
def packed(dataset: str) -> PackedDataset:
    loaded = load(dataset)
    graphs = [loaded[i] for i in range(len(loaded))]
    for graph in graphs:
        graph.text = graph.x.mean(0, keepdim=True)  # what the graph is about on the whole, in place of a text
    return PackedDataset(graphs, graph_id=True)


def build(name: str, dataset: str, seed: int, arguments=dict) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method: Method = getattr(methods, name)(
            GraphEncoder(GIN(packed(dataset).num_features, 32, 3)), seed=seed, **arguments()
        )
        return method


def accuracy(embeddings: np.ndarray, graphs: PackedDataset, seed: int) -> float:
    return 100 * float(np.mean([fold.accuracy for fold in fold_scores(embeddings, graphs.y, PROBE, seed=seed)]))


@functools.cache
def untrained(dataset: str, seed: int, kind: str = "GraphCL") -> float:
    """The same for all, as all have the same encoder; but MVGRL embeds with two."""
    graphs = packed(dataset)
    order = graphs.loader(BATCH, shuffle=True, seed=seed).order
    statistics = (graphs.batch(index) for index in order.split(BATCH))
    made = untrained_embeddings(lambda: build(kind, dataset, seed), graphs.batches(512), statistics=statistics)
    return accuracy(made, graphs, seed)


def lift_and_rank(name: str, dataset: str, seed: int, arguments=dict) -> tuple[float, float]:
    """Points above the encoder untrained, and the effective rank of the embeddings."""
    graphs, method = packed(dataset), build(name, dataset, seed, arguments)
    fit(method, graphs, epochs=EPOCHS, batch_size=BATCH, lr=0.01, seed=seed, progress=False)
    embeddings = embed_graphs(method, graphs.batches(512))
    before = untrained(dataset, seed, "MVGRLGraph" if name == "MVGRLGraph" else "GraphCL")
    return accuracy(embeddings, graphs, seed) - before, float(effective_rank(torch.as_tensor(embeddings)))


def test_every_method_on_graphs_is_here() -> None:
    kinds = {name: getattr(methods, name) for name in methods.__all__}
    concrete = {
        name
        for name, kind in kinds.items()
        if isinstance(kind, type)
        and issubclass(kind, Method)
        and kind.level == "graph"
        and not kind.__abstractmethods__
    }
    assert concrete == set(LIFTS) | set(FALLS_SHORT)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_untrained_encoder_is_well_above_chance_and_well_below_all(seed: int) -> None:
    assert 60 < untrained("synthetic-circles", seed) < 85
    assert 60 < untrained("synthetic-molecules", seed) < 85


@pytest.mark.parametrize("name", LIFTS)
def test_trained_embeddings_beat_untrained_ones(name: str) -> None:
    seeds = (0,) if name in CLEAR else (0, 1)
    found = np.array([lift_and_rank(name, "synthetic-circles", seed, LIFTS[name]) for seed in seeds])
    assert found[:, 0].mean() >= POINTS
    assert found[:, 1].min() > RANK


@pytest.mark.parametrize("name", FALLS_SHORT)
def test_what_falls_short_does_not_collapse(name: str) -> None:
    lift, rank = lift_and_rank(name, "synthetic-circles", 0, FALLS_SHORT[name])
    assert lift < POINTS, f"{name} lifts by {lift:.1f} points: move it to LIFTS"
    assert rank > RANK


@pytest.mark.parametrize("name", ["GraphCL", "GraphSimCSE"])
def test_trained_embeddings_of_molecules_beat_untrained_ones(name: str) -> None:
    lift, rank = lift_and_rank(name, "synthetic-molecules", 0)
    assert lift > POINTS
    assert rank > RANK


def test_adgcl_keeps_every_edge_under_its_usual_penalty() -> None:
    """Why it falls short: its two views are the same."""
    method, graphs = build("ADGCL", "synthetic-circles", 0), packed("synthetic-circles")
    fit(method, graphs, epochs=10, batch_size=BATCH, lr=0.01, seed=0, progress=False)
    batch = graphs.batch(range(BATCH))
    with torch.no_grad():
        kept = method.dropper(method.scorer.encode(batch).node, batch, 0)
    assert float(kept.mean()) > 0.99
