import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from graphcl.data import load
from graphcl.evaluate import link_score, link_split, node_protocol, ogb_link_split

RNG = np.random.default_rng(0)


def network(nodes=80, edges=400, **more):
    """Nodes on a ring, edges among near ones; a self loop and edges that come twice."""
    source = torch.from_numpy(RNG.integers(0, nodes, size=edges))
    pairs = torch.stack([source, (source + torch.from_numpy(RNG.integers(1, 8, size=edges))) % nodes])
    edge_index = to_undirected(torch.cat([pairs, torch.tensor([[3], [3]])], dim=1), num_nodes=nodes)
    edge_index = torch.cat([edge_index, edge_index[:, :20], edge_index[:, :20].flip(0)], dim=1)
    return Data(x=torch.eye(nodes), edge_index=edge_index, **more)


def pairs_of(array):
    return {(min(pair), max(pair)) for pair in array.T.tolist()}


def test_held_out_edges_are_in_no_direction_in_the_graph():
    data = network()
    data.edge_attr = torch.arange(data.num_edges).float()
    before = data.edge_index.clone()
    split = link_split(data, seed=0)
    whole, left = pairs_of(data.edge_index.numpy()), pairs_of(split.data.edge_index.numpy())
    parts = [pairs_of(part) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in parts] == [part.shape[1] for part in (split.train, split.validation, split.test)]
    loops = {(3, 3)}
    assert parts[0] == left - loops and parts[0] | parts[1] | parts[2] == whole - loops
    assert not (parts[1] | parts[2]) & left and not parts[1] & parts[2]
    assert len(parts[2]) == round(0.1 * len(whole - loops)) and len(parts[1]) == round(0.05 * len(whole - loops))
    others = [pairs_of(part) for part in (split.train_negatives, split.validation_negatives, split.test_negatives)]
    assert [len(part) for part in others] == [len(part) for part in parts]
    assert not (others[0] | others[1] | others[2]) & whole
    assert sum(map(len, others)) == len(others[0] | others[1] | others[2])
    assert all(low < high for part in others for low, high in part)
    # Attributes of edges go with them, and the input stays as it was.
    kept = split.data.edge_attr.long()
    assert torch.equal(data.edge_index[:, kept], split.data.edge_index) and torch.equal(data.edge_index, before)
    assert Data(edge_index=split.data.edge_index, num_nodes=80).is_undirected() and split.data.num_nodes == 80


def test_a_split_is_fixed_by_its_seed():
    data = network()
    first, again, other = (link_split(data, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first[1:], again[1:]))
    assert pairs_of(first.test) != pairs_of(other.test)


def test_pairs_that_come_with_the_graph_are_the_test():
    data = load("synthetic-social")[0]
    split = link_split(data, seed=0)
    assert pairs_of(split.test) == pairs_of(data.edge_label_index[:, data.edge_label > 0].numpy())
    assert pairs_of(split.test_negatives) == pairs_of(data.edge_label_index[:, data.edge_label == 0].numpy())
    known = pairs_of(data.edge_index.numpy()) | pairs_of(split.test) | pairs_of(split.test_negatives)
    assert not (pairs_of(split.train_negatives) | pairs_of(split.validation_negatives)) & known
    assert "edge_label" not in split.data and "edge_label_index" in data
    leaky = data.clone()
    leaky.edge_label_index[:, 0] = leaky.edge_index[:, 0]
    with pytest.raises(ValueError, match="held-out edges that are not in edge_index, got 1 that are"):
        link_split(leaky, seed=0)
    for wrong in (data.edge_index[:, 0].flip(0), split.test[:, 0]):
        mistaken = data.clone()
        mistaken.edge_label_index[:, (data.edge_label == 0).nonzero()[0]] = torch.as_tensor(wrong)[:, None]
        with pytest.raises(ValueError, match="pairs without an edge where edge_label is 0, got 1 that are"):
            link_split(mistaken, seed=0)


def test_pairs_under_two_names_are_the_test_as_under_one():
    data = load("synthetic-social")[0]
    apart = data.clone()
    apart.pos_edge_label_index = apart.edge_label_index[:, apart.edge_label > 0]
    apart.neg_edge_label_index = apart.edge_label_index[:, apart.edge_label == 0]
    apart.pos_edge_label, apart.neg_edge_label = torch.ones(2), torch.zeros(2)
    del apart.edge_label_index, apart.edge_label
    found, wanted = link_split(apart, seed=0), link_split(data, seed=0)
    assert all(map(np.array_equal, found[1:], wanted[1:]))
    assert not [key for key in found.data.keys() if "edge_label" in key]


@pytest.mark.parametrize(
    ("index", "label", "message"),
    [
        ([[0, 1], [40, 41]], None, "a label for each of 2 pairs in edge_label_index.* got none"),
        ([[0, 1], [40, 41]], [1.0], r"a label for each of 2 pairs.* got shape \[1\]"),
        ([0, 1], [1.0, 0.0], r"edge_label_index of shape \[2, P\], got \[2\]"),
        ([[0, 1], [40, 80]], [1.0, 0.0], "nodes from 0 to 79, got some from 0 to 80"),
        ([[0, 1], [-1, 41]], [1.0, 0.0], "nodes from 0 to 79, got some from -1 to 41"),
        ([[0, 1], [40, 41]], [1.0, 1.0], "with and without an edge, got 2 with and 0 without"),
        ([[0, 1], [40, 41]], [0.0, 0.0], "with and without an edge, got 0 with and 2 without"),
        ([[], []], [], "with and without an edge, got 0 with and 0 without"),
    ],
)
def test_pairs_that_ask_nothing_are_refused(index, label, message):
    data = network()
    data.edge_label_index = torch.tensor(index, dtype=torch.int64)
    data.edge_label = None if label is None else torch.tensor(label)
    with pytest.raises(ValueError, match=message):
        link_split(data, seed=0)


@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
def test_nodes_stay_where_only_edges_told_their_number():
    edge_index = torch.cat([network().edge_index, torch.tensor([[0, 99], [99, 0]])], 1)
    splits = [link_split(Data(edge_index=edge_index), seed=seed) for seed in range(20)]
    assert {split.data.num_nodes for split in splits} == {100}
    assert any(99 not in split.data.edge_index for split in splits)


def test_self_loops_among_pairs_that_come_with_the_graph_are_no_question():
    data = load("synthetic-social")[0]
    loops = data.clone()
    loops.edge_index = torch.cat([data.edge_index, torch.tensor([[3], [3]])], 1)
    loops.edge_label_index = torch.cat([torch.tensor([[5, 6], [5, 6]]), data.edge_label_index], 1)
    loops.edge_label = torch.cat([torch.tensor([1, 0]).to(data.edge_label), data.edge_label])
    found, wanted = link_split(loops, seed=0), link_split(data, seed=0)
    assert np.array_equal(found.test, wanted.test)
    assert np.array_equal(found.test_negatives, wanted.test_negatives)


def test_a_matrix_of_all_edges_is_refused():
    graph = network()
    graph.adj_t = torch.eye(80)
    with pytest.raises(ValueError, match="without adj_t, which would show the edges that are taken out"):
        link_split(graph, seed=0)


def test_what_cannot_be_split():
    data = network()
    directed = Data(x=data.x, edge_index=data.edge_index[:, data.edge_index[0] < data.edge_index[1]])
    with pytest.raises(ValueError, match=r"undirected graph for link prediction, got .* reverse; .*ToUndirected"):
        link_split(directed, seed=0)
    with pytest.raises(ValueError, match="shares above 0"):
        link_split(data, seed=0, test=0.99)
    few = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="enough edges for shares of 0.05 and 0.1, got 1"):
        link_split(few, seed=0)
    full = Data(x=torch.eye(9), edge_index=(1 - torch.eye(9)).nonzero().T)
    with pytest.raises(ValueError, match="too dense"):
        link_split(full, seed=0)


def test_ogb_s_split_is_taken_as_it_is():
    data = network(nodes=400, edges=3000)
    edges = data.edge_index[:, data.edge_index[0] < data.edge_index[1]].T
    negatives = torch.stack([torch.arange(60), (torch.arange(60) + 200) % 400], dim=1)
    part = {"edge": edges[:60], "edge_neg": negatives}

    class Collab:
        split = {"train": {"edge": edges[60:]}, "valid": part, "test": {"edge": edges[30:90], "edge_neg": negatives}}

        def __getitem__(self, index):
            return data

    split = ogb_link_split(Collab())
    assert np.array_equal(split.test, edges[30:90].numpy().T) and np.array_equal(
        split.test_negatives, negatives.numpy().T
    )
    assert pairs_of(split.train) <= pairs_of(edges[60:].numpy().T)
    assert not pairs_of(split.train_negatives) & pairs_of(data.edge_index.numpy())
    free = (torch.ones(400, 400).triu(1).index_put((edges[:, 0], edges[:, 1]), torch.tensor(0.0))).nonzero()
    part["edge_neg"] = Collab.split["test"]["edge_neg"] = free[::2]  # half of all pairs that are free
    assert not pairs_of(ogb_link_split(Collab()).train_negatives) & pairs_of(free[::2].numpy().T)
    assert set(link_score(np.eye(400), split, node_protocol("ogb-link")).scores) == {"auc", "mrr", "hits@50"}
    with pytest.raises(ValueError, match="expected a link set of OGB with edge and edge_neg"):
        ogb_link_split(load("karate"))
