"""The generated circles of friends: what they look like, what tells their class, and what does not."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import contains_self_loops, is_undirected, to_networkx

from graphcl.data import PackedDataset, synthetic_circles
from graphcl.evaluate import evaluate_embeddings, protocol, raw_embeddings, untrained_embeddings, with_folds
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder

CIRCLES = synthetic_circles()
Y = torch.cat([circle.y for circle in CIRCLES])


def topics(circle: Data, *, guests: bool = False) -> torch.Tensor:
    """``[5]`` how many interests in each topic the people have; guests, and few others, know one alone."""
    known = torch.bincount(circle.edge_index[0], minlength=circle.num_nodes)
    return circle.x[(known == 1) == guests].view(-1, 5, 6).sum((0, 2))


def top_two(circle: Data) -> tuple[int, int]:
    first, second = topics(circle).topk(2).indices.tolist()
    return first, second


def test_the_same_seed_gives_the_same_circles() -> None:
    again, other = synthetic_circles(num_graphs=32), synthetic_circles(num_graphs=32, seed=1)
    for a, b in zip(again, CIRCLES, strict=False):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a.keys())
    assert any(not torch.equal(a.edge_index, b.edge_index) for a, b in zip(again, other, strict=True))


def test_it_is_small() -> None:
    assert sum(value.nbytes for circle in CIRCLES for value in circle.to_dict().values()) < 2 * 2**20
    assert {circle.num_nodes for circle in CIRCLES} <= set(range(14, 23))


def test_every_circle_is_one_undirected_piece_with_sorted_edges() -> None:
    import networkx as nx

    for circle in CIRCLES[:100]:
        assert circle.validate()
        assert is_undirected(circle.edge_index) and not contains_self_loops(circle.edge_index)
        assert nx.is_connected(to_networkx(circle, to_undirected=True))
        code = circle.edge_index[0] * circle.num_nodes + circle.edge_index[1]
        assert bool((code[1:] > code[:-1]).all())


def test_interests_are_zeros_and_ones_and_follow_two_topics() -> None:
    x = Batch.from_data_list(CIRCLES).x
    assert x.shape[1] == 30 and x.dtype == torch.float32
    assert set(x.unique().tolist()) == {0.0, 1.0}
    members, guests = (torch.stack([topics(c, guests=g) for c in CIRCLES]).sort(1).values for g in (False, True))
    for found in (members, guests):
        assert found[:, 3].mean() > 2 * found[:, 2].mean()


def test_the_topics_of_those_who_know_several_tell_the_class() -> None:
    akin = torch.tensor([int((a - b) % 5 in (1, 4)) for a, b in map(top_two, CIRCLES)])
    assert (akin == Y).float().mean() > 0.97


def test_the_classes_are_balanced_and_no_topic_belongs_to_one() -> None:
    assert int(Y.sum()) == len(CIRCLES) // 2
    found = torch.zeros(len(CIRCLES), 5).scatter_(1, torch.tensor([top_two(c) for c in CIRCLES]), 1.0)
    assert bool((found[Y == 1].mean(0) - found[Y == 0].mean(0)).abs().max() < 0.04)


def test_an_untrained_encoder_is_above_chance_and_the_sum_of_interests_hardly() -> None:
    graphs = PackedDataset(CIRCLES, graph_id=True)

    def make(seed: int) -> GraphCL:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return GraphCL(GraphEncoder(GIN(30)), seed=seed)

    raw, statistics = raw_embeddings(graphs.batches(512)), list(graphs.batches(128))
    encoded = untrained_embeddings(lambda: make(0), graphs.batches(512), statistics=statistics)
    rbf = evaluate_embeddings({"raw": [raw], "untrained": [encoded]}, Y, with_folds(protocol("tu-rbf-svm"), 5, 2), [0])
    assert 60 <= np.mean(rbf.scores["untrained"]) <= 85
    assert np.mean(rbf.scores["raw"]) < 67
    linear = evaluate_embeddings({"raw": [raw]}, Y, with_folds(protocol("tu-linear-svm"), 5, 2), [0])
    assert np.mean(linear.scores["raw"]) < 56


@pytest.mark.parametrize("num_graphs", [0, -3])
def test_refuses_no_circles(num_graphs: int) -> None:
    with pytest.raises(ValueError, match=f"expected num_graphs >= 1, got {num_graphs}"):
        synthetic_circles(num_graphs=num_graphs)
