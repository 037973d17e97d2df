"""Pretraining pays: embeddings of the generated molecules say more than those of the same encoder untrained.

The methods here lifted by more than 5 points with every one of three seeds. The others lift less within 20 epochs on
this set, or not with every seed. That none of them collapses is tested with the rest of the contract.
"""

import dataclasses

import numpy as np
import pytest
import torch

from graphcl import methods
from graphcl.data import PackedDataset, load
from graphcl.evaluate import effective_rank, embed_graphs, fold_scores, protocol, untrained_embeddings, with_folds
from graphcl.methods import Method
from graphcl.nn import GIN, GraphEncoder

LIFTS = ["GraphCL", "GraphSimCSE"]
EPOCHS, BATCH, POINTS = 20, 128, 3
RANK = 10  # of 96 dimensions; untrained it is 36, and an encoder that has collapsed has 1
PROBE = dataclasses.replace(with_folds(protocol("tu-linear-svm"), 5, 2), grid=(0.1, 1.0))


@pytest.fixture(scope="module")
def molecules() -> PackedDataset:
    return PackedDataset(load("synthetic-molecules"), graph_id=True)


def build(name: str) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method: Method = getattr(methods, name)(GraphEncoder(GIN(4, 32, 3)))
        return method


def epoch(molecules: PackedDataset, number: int) -> list[torch.Tensor]:
    return list(molecules.loader(BATCH, shuffle=True, epoch=number).order.split(BATCH))


def accuracy(molecules: PackedDataset, embeddings: np.ndarray) -> float:
    return 100 * float(np.mean([fold.accuracy for fold in fold_scores(embeddings, molecules.y, PROBE, seed=0)]))


@pytest.fixture(scope="module")
def untrained(molecules: PackedDataset) -> float:
    """The same for all, as all have the same encoder."""
    statistics = (molecules.batch(index) for index in epoch(molecules, 0))
    return accuracy(
        molecules, untrained_embeddings(lambda: build("GraphCL"), molecules.batches(512), statistics=statistics)
    )


@pytest.mark.parametrize("name", LIFTS)
def test_trained_embeddings_beat_untrained_ones(name: str, molecules: PackedDataset, untrained: float) -> None:
    method = build(name)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=0.01)
    for number in range(EPOCHS):
        for index in epoch(molecules, number):
            optimizer.zero_grad()
            method(molecules.batch(index)).backward()
            optimizer.step()
            method.after_step()
    embeddings = embed_graphs(method, molecules.batches(512))
    assert effective_rank(torch.as_tensor(embeddings)) > RANK
    assert accuracy(molecules, embeddings) > untrained + POINTS
