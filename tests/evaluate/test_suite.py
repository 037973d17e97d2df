"""The rows of a table: made once, cached by what decides them, the untrained encoder as training begins with it."""

import jaxtyping
import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphcl.data import PackedDataset
from graphcl.evaluate import compared_embeddings, evaluate_embeddings, protocol, with_folds
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder


@pytest.fixture
def graphs():
    ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
    generator = torch.Generator().manual_seed(0)
    return PackedDataset([Data(x=torch.rand(6, 2, generator=generator), edge_index=ring) for _ in range(9)])


def make(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphCL(GraphEncoder(GIN(2, hidden_channels=4, num_layers=1)), seed=seed)


def test_rows(graphs):
    rows, kernels = compared_embeddings(graphs, [0, 1], make=make, trained={"GraphCL": make}, batch_size=4)
    assert list(rows) == ["raw", "untrained-init", "untrained", "GraphCL"] and kernels["wl"].shape == (9, 9)
    assert all(len(arrays) == 2 and len(arrays[0]) == 9 for arrays in rows.values())
    # "Trained" without a step is the initial encoder; collected statistics make a difference; seeds do.
    np.testing.assert_array_equal(rows["GraphCL"][0], rows["untrained-init"][0])
    assert not np.allclose(rows["untrained"][0], rows["untrained-init"][0])
    assert not np.allclose(rows["untrained"][0], rows["untrained"][1])


@pytest.mark.parametrize("labels", [True, False])
def test_measured_attributes_are_no_colours(labels):
    generator = torch.Generator().manual_seed(0)
    ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
    kinds = [torch.eye(2)[torch.randint(2, (6,), generator=generator)] for _ in range(30)]
    measured = [torch.rand(6, 3, generator=generator) for _ in kinds]

    def kernel(features):
        graphs = PackedDataset([Data(x=x, edge_index=ring) for x in features])
        made = lambda seed: GraphCL(GraphEncoder(GIN(graphs.num_features, 4, num_layers=1)), seed=seed)  # noqa: E731
        return compared_embeddings(graphs, [0], make=made, trained={})[1]["wl"]

    if labels:
        mixed = [torch.cat(pair, 1) for pair in zip(measured, kinds, strict=True)]
        np.testing.assert_array_equal(kernel(mixed), kernel(kinds))
        assert not np.allclose(kernel(kinds), np.eye(30))
    else:
        np.testing.assert_allclose(kernel(measured), np.ones((30, 30)))  # rings, all alike


def test_the_cache_is_asked_before_training(graphs, tmp_path):
    calls = []

    def trained(seed):
        calls.append(seed)
        return make(seed)

    for _ in range(2):
        compared_embeddings(graphs, [3], make=make, trained={"GraphCL": trained}, cache=tmp_path, key={"set": "rings"})
    assert calls == [3]
    compared_embeddings(graphs, [3], make=make, trained={"GraphCL": trained}, cache=tmp_path, key={"set": "others"})
    assert calls == [3, 3]
    with pytest.raises(ValueError, match="key"):
        compared_embeddings(graphs, [3], make=make, trained={}, cache=tmp_path)


def test_methods_of_one_setting_share_no_untrained_row(graphs, tmp_path):
    rows = [
        compared_embeddings(graphs, [3], make=lambda _, s=seed: make(s), trained={}, cache=tmp_path, key=key)[0]
        for seed, key in ((3, {"method": "one"}), (4, {"method": "other"}))
    ]
    assert not np.allclose(rows[0]["untrained"][0], rows[1]["untrained"][0])


def test_names_of_the_rows_beside_are_taken(graphs):
    with pytest.raises(ValueError, match="expected another name than untrained, which is a row of every such table"):
        compared_embeddings(graphs, [0], make=make, trained={"untrained": make})


def test_seeds_of_numpy(graphs, tmp_path, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    options = {"make": make, "trained": {"GraphCL": make}, "cache": tmp_path, "key": {"set": "rings"}}
    rows, _ = compared_embeddings(graphs, np.arange(2), batch_size=np.int64(4), **options)
    again, _ = compared_embeddings(graphs, [0, 1], batch_size=4, **options)
    np.testing.assert_array_equal(rows["untrained"], again["untrained"])
    y = np.arange(9) % 2
    few = with_folds(protocol("tu-rbf-svm"), 2, 2)
    found = evaluate_embeddings({"GraphCL": rows["GraphCL"]}, y, few, np.arange(2))
    expected = evaluate_embeddings({"GraphCL": rows["GraphCL"]}, y, few, [0, 1])
    np.testing.assert_array_equal(found.scores["GraphCL"], expected.scores["GraphCL"])
