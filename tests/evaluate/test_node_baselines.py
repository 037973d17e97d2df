import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN

from graphcl.data import load
from graphcl.evaluate import (
    compared_node_embeddings,
    embed_nodes,
    raw_node_embeddings,
    untrained_embeddings,
    untrained_init_node_embeddings,
    untrained_node_embeddings,
)
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder

NETWORK = load("karate")[0]


def make(seed, norm="batch_norm"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphCL(GraphEncoder(GCN(34, 8, 2, norm=norm)), seed=seed)


def test_raw_features_are_the_features():
    np.testing.assert_array_equal(raw_node_embeddings(NETWORK), np.eye(34))
    with pytest.raises(ValueError, match="expected node features x, got none"):
        raw_node_embeddings(Data(edge_index=NETWORK.edge_index))


def test_untrained_has_the_statistics_of_the_graph():
    initial = untrained_init_node_embeddings(lambda: make(0), NETWORK)
    untrained = untrained_node_embeddings(lambda: make(0), NETWORK)
    assert initial.shape == untrained.shape == (34, 8) and not np.allclose(initial, untrained)
    method = make(0)
    method.encoder.train()
    with torch.no_grad():  # one graph: the statistics of the pass are those that are collected, up to n / (n - 1)
        expected = method.encoder.encode(NETWORK).node.double().numpy()
    np.testing.assert_allclose(untrained, expected, rtol=0.05, atol=0.02)


def test_a_graph_and_a_batch_of_it_are_alike():
    def graphs(seed):
        return GraphCL(GraphEncoder(GIN(34, 4, 2)), seed=seed)

    batch = Batch.from_data_list([Data(x=NETWORK.x, edge_index=NETWORK.edge_index)])
    with torch.random.fork_rng(devices=[]):
        method = graphs(0)
    state = {key: value.clone() for key, value in method.state_dict().items()}

    def again():
        fresh = graphs(0)
        fresh.load_state_dict(state)
        return fresh

    as_batch = untrained_embeddings(again, [batch], statistics=[batch])
    nodes = untrained_node_embeddings(again, NETWORK)
    np.testing.assert_allclose(nodes.sum(axis=0, keepdims=True), as_batch, rtol=1e-4, atol=1e-5)


def test_all_are_compared_and_kept(tmp_path):
    made = []

    def trained(seed):
        made.append(seed)
        return make(seed + 10)

    call = {"make": make, "trained": {"GraphCL": trained}, "cache": tmp_path, "key": {"data": "karate"}}
    rows = compared_node_embeddings(NETWORK, [0, 1], **call)
    assert list(rows) == ["raw", "untrained-init", "untrained", "GraphCL"]
    np.testing.assert_array_equal(rows["GraphCL"][1], embed_nodes(make(11), NETWORK))
    again = compared_node_embeddings(NETWORK, [0, 1], **call)
    assert made == [0, 1]
    for name in rows:
        assert all(np.array_equal(a, b) for a, b in zip(rows[name], again[name]))
    with pytest.raises(ValueError, match="got a cache without one"):
        compared_node_embeddings(NETWORK, [0], make=make, trained={}, cache=tmp_path)


def test_without_batch_norm_there_is_one_untrained_row():
    rows = compared_node_embeddings(NETWORK, [0], make=lambda seed: make(seed, norm=None), trained={})
    assert list(rows) == ["raw", "untrained"]
    np.testing.assert_array_equal(rows["untrained"][0], embed_nodes(make(0, norm=None), NETWORK))
