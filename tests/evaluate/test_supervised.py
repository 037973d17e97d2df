import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from graphcl.data import load
from graphcl.evaluate import NodeSplit, SupervisedGCN, evaluate_nodes, node_protocol, node_splits
from graphcl.evaluate.supervised import _GCN, _adjacency, _features

NETWORK = load("synthetic-social")[0]
SPLIT = node_splits(NETWORK, node_protocol("node-linear-public"))[0]


@pytest.mark.parametrize("density", [0.05, 1.0])
def test_the_network_is_pyg_s_gcn(density):
    x = torch.rand(NETWORK.num_nodes, 12) * (torch.rand(NETWORK.num_nodes, 12) < density)
    edge_index = torch.cat([NETWORK.edge_index, torch.tensor([[4], [4]])], dim=1)  # with a self loop
    ours = _GCN(12, 5, 8, 0.5).eval()
    first, second = GCNConv(12, 8), GCNConv(8, 5)
    for theirs, own in ((first, ours.first), (second, ours.second)):
        torch.nn.init.normal_(own.bias)
        theirs.lin.weight.data, theirs.bias.data = own.weight.data, own.bias.data
    expected = second(first(x, edge_index).relu(), edge_index)
    torch.testing.assert_close(ours(_features(x), _adjacency(edge_index, len(x))), expected, rtol=1e-4, atol=1e-5)


def test_it_learns_and_repeats():
    model = SupervisedGCN(NETWORK, epochs=60)
    state = torch.get_rng_state()
    scores = model(SPLIT, 0)
    assert torch.equal(state, torch.get_rng_state())
    right = (scores.argmax(axis=1) == NETWORK.y.numpy())[SPLIT.test].mean()
    assert right > 0.5  # raw features: 0.32; five classes
    np.testing.assert_array_equal(scores, model(SPLIT, 0))
    assert not np.array_equal(scores, model(SPLIT, 1))


def test_test_labels_are_not_looked_at():
    hidden = NETWORK.clone()
    hidden.y[SPLIT.test] = hidden.y[SPLIT.test].flip(0)
    ours, theirs = (SupervisedGCN(data, epochs=5) for data in (NETWORK, hidden))
    np.testing.assert_array_equal(ours(SPLIT, 0), theirs(SPLIT, 0))
    assert ours.key != theirs.key != SupervisedGCN(hidden, epochs=6).key


def test_nodes_without_a_class_are_no_class():
    some = NETWORK.clone()
    some.y[SPLIT.test[:20]] = -1
    whole, found = (SupervisedGCN(data, epochs=3)(SPLIT, 0) for data in (NETWORK, some))
    np.testing.assert_array_equal(found, whole)
    some.y = torch.where(some.y < 0, torch.nan, some.y.double())
    np.testing.assert_array_equal(SupervisedGCN(some, epochs=3)(SPLIT, 0), whole)


def test_directed_graphs_and_isolated_nodes_are_fine():
    one_way = NETWORK.edge_index[:, NETWORK.edge_index[0] < NETWORK.edge_index[1]]
    graph = Data(x=NETWORK.x - 0.5, y=NETWORK.y, edge_index=one_way[:, one_way[0] > 10])
    assert np.isfinite(SupervisedGCN(graph, epochs=2)(SPLIT, 0)).all()


def test_refusals():
    with pytest.raises(ValueError, match="features x and labels y"):
        SupervisedGCN(Data(x=NETWORK.x, edge_index=NETWORK.edge_index))
    with pytest.raises(ValueError, match="expected validation nodes to end the training by, got none"):
        SupervisedGCN(NETWORK)(NodeSplit(SPLIT.train, SPLIT.validation[:0], SPLIT.test), 0)


@pytest.mark.slow
def test_cora_is_at_the_published_level(graphcl_home):
    graph = load("Cora")[0]
    (split,) = node_splits(graph, node_protocol("node-linear-public"))
    right = [(SupervisedGCN(graph)(split, s).argmax(axis=1) == graph.y.numpy())[split.test].mean() for s in range(3)]
    assert 0.80 < np.mean(right) < 0.84


def test_a_class_that_no_split_has() -> None:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(0, 60, (2, 200), generator=generator)
    y = torch.arange(60) % 4
    y[y == 1] = 3
    y[59], y[58] = 1, -1  # in no part, as the mask ends before
    masks = {
        name: torch.zeros(60, dtype=torch.bool).index_fill_(0, torch.arange(a, b), True)
        for name, a, b in (("train_mask", 0, 20), ("val_mask", 20, 35), ("test_mask", 35, 55))
    }
    x = torch.nn.functional.one_hot(y.clamp(min=0), 4).float()
    data = Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), y=y, **masks)
    models = {"supervised": SupervisedGCN(data, epochs=60, lr=0.05)}
    found = evaluate_nodes({"raw": [x]}, data, node_protocol("node-linear-public"), [0], models=models)
    assert found.scores["raw"].mean() == 100
    assert found.scores["supervised"].mean() > 60  # by chance 33, and with columns of other classes less
