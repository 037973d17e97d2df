from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from graphcl.evaluate import hits_at, link_score, link_split, mean_reciprocal_rank, node_protocol

RNG = np.random.default_rng(0)


def ring(nodes=400, edges=3000):
    """Nodes on a ring, edges among near ones."""
    source, step = torch.from_numpy(RNG.integers([[0], [1]], [[nodes], [8]], size=(2, edges)))
    pairs = torch.stack([source, (source + step) % nodes])
    return Data(x=torch.eye(nodes), edge_index=to_undirected(pairs, num_nodes=nodes))


def test_embeddings_that_know_the_place_find_the_edges():
    data = ring()
    split = link_split(data, seed=0)
    angle = np.arange(400) * 2 * np.pi / 400
    place = np.concatenate([[np.cos(k * angle), np.sin(k * angle)] for k in range(1, 20)]).T
    found = link_score(place, split, node_protocol("link"))
    blind = link_score(RNG.normal(size=place.shape), split, node_protocol("link"))
    assert found.scores["auc"] > 0.9 and abs(blind.scores["auc"] - 0.5) < 0.1
    assert found.scores["mrr"] > blind.scores["mrr"] and found.scores["hits@50"] > blind.scores["hits@50"]
    assert found == link_score(torch.from_numpy(place), split, node_protocol("link"))
    # The scaler is the protocol's: with none, the unit of a column counts.
    bare = replace(node_protocol("link"), scaler="none")
    stretched = place * np.geomspace(1e-3, 1e3, place.shape[1])
    assert link_score(stretched, split, node_protocol("link")).scores == pytest.approx(found.scores, abs=1e-3)
    assert link_score(stretched, split, bare).scores["auc"] != pytest.approx(found.scores["auc"], abs=1e-2)


def test_refusals_of_the_probe():
    split = link_split(ring(nodes=80, edges=400), seed=0)
    with pytest.raises(ValueError, match="at least 50 pairs without an edge for Hits@50, got"):
        link_score(np.eye(80), split, node_protocol("link"))
    split = link_split(ring(), seed=0)
    with pytest.raises(ValueError, match="expected 400 embeddings, one for each node, got 80"):
        link_score(np.eye(80), split, node_protocol("link"))
    with pytest.raises(ValueError, match="expected finite embeddings, got NaN or infinite values in 400 of 400 rows"):
        link_score(np.full((400, 2), np.nan), split, node_protocol("link"))


@pytest.mark.parametrize("name", ["knn", "kmeans", "node-linear-public"])
def test_a_protocol_of_nodes_is_refused(name):
    split = link_split(ring(), seed=0)
    with pytest.raises(ValueError, match=f"scores pairs of nodes, got {name}; use node_score"):
        link_score(np.eye(400), split, node_protocol(name))


@pytest.mark.parametrize("score", [lambda p, n: hits_at(1, p, n), mean_reciprocal_rank])
def test_scores_of_a_model_that_diverged_are_no_first_rank(score):
    """NaN stands behind everything in a sorted array: it had the reciprocal rank 1."""
    with pytest.raises(ValueError, match=r"a score for each of some edges, none of them NaN, got 1 NaN in shape \[2\]"):
        score(np.array([np.nan, 1.0]), np.array([0.0, 2.0]))
    with pytest.raises(ValueError, match=r"some pairs without an edge, none of them NaN, got 1 NaN in shape \[1\]"):
        score(np.array([1.0]), np.array([np.nan]))
    with pytest.raises(ValueError, match=r"some edges, none of them NaN, got 0 NaN in shape \[0\]"):
        score(np.array([]), np.array([0.0]))
    assert score(torch.tensor([3.0, 1.0]), torch.tensor([2.0, 0.0])) == score(np.array([3.0, 1.0]), np.array([2.0, 0]))


def test_hits_are_those_of_the_ogb_evaluator():
    from graphcl.data.ogb import import_ogb

    evaluator = import_ogb("linkproppred").Evaluator("ogbl-collab")
    positive, negative = RNG.normal(size=300) + 1, RNG.normal(size=500).round(1)
    theirs = evaluator.eval({"y_pred_pos": positive, "y_pred_neg": negative})["hits@50"]
    assert hits_at(50, positive, negative) == pytest.approx(theirs)
    evaluator = import_ogb("linkproppred").Evaluator("ogbl-citation2")
    # As tensors: with arrays this metric of OGB raises TypeError.
    pairs = {"y_pred_pos": torch.from_numpy(positive), "y_pred_neg": torch.from_numpy(np.tile(negative, (300, 1)))}
    theirs = evaluator.eval(pairs)["mrr_list"]
    assert mean_reciprocal_rank(positive, negative) == pytest.approx(float(theirs.mean()), rel=1e-6)
    for k in (0, 501):
        with pytest.raises(ValueError, match="expected k from 1 to the number of pairs without an edge, 500"):
            hits_at(k, positive, negative)


def test_the_reciprocal_rank_is_the_literal_one():
    positive, negative = np.array([0.5, 0.2, 0.9]), np.array([0.5, 0.7, 0.1, 0.5])
    ranks = [1 + sum(n > p for n in negative) + sum(n == p for n in negative) / 2 for p in positive]
    assert mean_reciprocal_rank(positive, negative) == pytest.approx(np.mean([1 / rank for rank in ranks]))
