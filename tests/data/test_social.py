"""The generated social network and the karate club: their structure, their splits, and how hard they are."""

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import contains_isolated_nodes, contains_self_loops, is_undirected, to_networkx

from graphcl.data import karate_club, synthetic_social
from graphcl.nn import GraphEncoder

NETWORK = synthetic_social()


def codes(pairs: torch.Tensor, num_nodes: int) -> set[int]:
    low, high = pairs.min(0).values, pairs.max(0).values
    return set((low * num_nodes + high).tolist())


def test_the_same_seed_gives_the_same_network() -> None:
    again, other = synthetic_social(), synthetic_social(seed=1)
    assert again.keys() == NETWORK.keys()
    assert all(torch.equal(again[key], NETWORK[key]) for key in NETWORK.keys())
    assert not torch.equal(other.edge_index, NETWORK.edge_index)


def test_it_is_small() -> None:
    assert sum(value.nbytes for value in NETWORK.to_dict().values()) < 2**20


@pytest.mark.parametrize("network", [NETWORK, karate_club()], ids=["social", "karate"])
def test_it_is_one_undirected_piece_without_loops_and_repetitions(network: Data) -> None:
    assert network.validate()
    assert is_undirected(network.edge_index)
    assert not contains_self_loops(network.edge_index)
    assert not contains_isolated_nodes(network.edge_index, network.num_nodes)
    assert nx.is_connected(to_networkx(network, to_undirected=True))
    assert len(codes(network.edge_index, network.num_nodes)) == network.num_edges // 2


def test_the_splits_do_not_overlap_and_cover_everyone() -> None:
    masks = torch.stack([NETWORK.train_mask, NETWORK.val_mask, NETWORK.test_mask])
    assert bool((masks.sum(0) == 1).all())
    assert NETWORK.y[NETWORK.train_mask].bincount().tolist() == [20] * 5
    assert int(NETWORK.val_mask.sum()) == 200


def test_held_out_edges_are_gone_and_the_others_never_were() -> None:
    n = NETWORK.num_nodes
    true, false = (codes(NETWORK.edge_label_index[:, NETWORK.edge_label == label], n) for label in (1, 0))
    seen = codes(NETWORK.edge_index, n)
    assert len(true) == len(false) == NETWORK.edge_label.numel() // 2
    assert not true & seen and not false & seen and not true & false
    assert len(true) == round(0.1 * (len(true) + len(seen)))


def test_ties_and_interests_follow_communities() -> None:
    same = NETWORK.y[NETWORK.edge_index[0]] == NETWORK.y[NETWORK.edge_index[1]]
    assert 0.5 < float(same.float().mean()) < 0.85
    for community in range(5):
        rates = NETWORK.x[NETWORK.y == community].mean(0)
        own = slice(10 * community, 10 * community + 10)
        assert rates[own].mean() > 1.3 * rates.mean()


def test_an_untrained_encoder_is_neither_lost_nor_perfect() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from torch_geometric.nn import GCN

    scores = []
    for seed in range(5):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = GraphEncoder(GCN(NETWORK.num_features, 128, 2)).eval()
        with torch.no_grad():
            z = encoder.encode(NETWORK).node.numpy()
        train, test = NETWORK.train_mask.numpy(), NETWORK.test_mask.numpy()
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        classifier.fit(z[train], NETWORK.y.numpy()[train])
        scores.append(classifier.score(z[test], NETWORK.y.numpy()[test]))
    assert 0.60 < np.mean(scores) < 0.85


def test_karate_is_the_one_of_networkx() -> None:
    club, graph = karate_club(), nx.karate_club_graph()
    assert codes(club.edge_index, 34) == {min(e) * 34 + max(e) for e in graph.edges}
    assert club.y.tolist() == [int(graph.nodes[v]["club"] != "Mr. Hi") for v in graph]
    assert torch.equal(club.x, torch.eye(34))
