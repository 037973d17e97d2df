"""Classes of equal graphs and the folds that keep them together: no duplicate is ever on both sides."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.evaluate import (
    evaluate_embeddings,
    fold_scores,
    grouped_folds,
    protocol,
    result_rows,
    with_folds,
    wl_classes,
    wl_features,
)
from graphcl.evaluate.probes import folds_of
from graphcl.nn import GIN, GraphEncoder


def ring(*sizes):
    """Rings side by side in one graph."""
    edges, start = [], 0
    for size in sizes:
        i = torch.arange(size)
        edges.append(torch.stack([i, (i + 1) % size]) + start)
        start += size
    edge_index = torch.cat(edges, 1)
    return Data(x=torch.ones(start, 1), edge_index=torch.cat([edge_index, edge_index.flip(0)], 1))


def random_graph(seed, nodes=7):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(nodes, (2, 9), generator=generator)
    return Data(
        x=torch.randint(2, (nodes, 1), generator=generator).float(), edge_index=torch.cat([edges, edges.flip(0)], 1)
    )


def permuted(data, seed):
    order = torch.randperm(data.num_nodes, generator=torch.Generator().manual_seed(seed))
    place = order.argsort()
    return Data(x=data.x[order], edge_index=place[data.edge_index])


def test_classes_are_those_of_equal_features():
    graphs = [random_graph(seed % 11) for seed in range(40)] + [permuted(random_graph(s), s) for s in range(11)]
    classes = wl_classes(graphs)
    counts = wl_features(graphs).toarray()
    np.testing.assert_array_equal(classes[:, None] == classes[None], (counts[:, None] == counts[None]).all(axis=2))
    np.testing.assert_array_equal(classes[40:], classes[:11])  # the order of the nodes counts for nothing
    np.testing.assert_array_equal(classes, wl_classes(Batch.from_data_list(graphs)))


def test_what_weisfeiler_and_lehman_cannot_see():
    two_triangles, hexagon, other = ring(3, 3), ring(6), ring(7)
    assert wl_classes([two_triangles, hexagon, other]).tolist() == [0, 0, 1]
    path = [Data(edge_index=torch.tensor([list(range(n - 1)), list(range(1, n))]), x=torch.ones(n, 1)) for n in (3, 4)]
    assert wl_classes([*path, path[0]], iterations=0).tolist() == [0, 1, 0]


def test_a_class_has_one_embedding():
    graphs = [random_graph(seed % 5) for seed in range(15)]
    encoder = GraphEncoder(GIN(1, hidden_channels=8, num_layers=3)).double().eval()
    batch = Batch.from_data_list(graphs)
    with torch.no_grad():
        z = encoder(batch.x.double(), batch.edge_index, batch.batch).graph
    classes = torch.from_numpy(wl_classes(graphs))
    same = classes[:, None] == classes[None]
    assert float(torch.cdist(z, z)[same].max()) < 1e-6 < float(torch.cdist(z, z)[~same].min())


def test_no_group_is_on_both_sides_inner_folds_included():
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=200)
    y = (groups + rng.integers(2, size=200)) % 2
    for train, test in grouped_folds(y, groups, 10, seed=3):
        assert not set(groups[train]) & set(groups[test]) and len(train) + len(test) == 200
        for fit, validate in folds_of(y[train], groups[train], 5):
            assert not set(groups[train][fit]) & set(groups[train][validate])
    tested = np.concatenate([test for _, test in grouped_folds(y, groups, 10, seed=3)])
    np.testing.assert_array_equal(np.sort(tested), np.arange(200))


def test_a_score_that_duplicates_won_is_gone():
    """Labels without a rule, every graph three times: the standard folds reward memory, the grouped ones do not."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), 3)
    x, y = rng.normal(size=(60, 30))[groups], rng.integers(2, size=60)[groups]
    few, kept = (with_folds(protocol(name), 5, 3) for name in ("tu-rbf-svm", "tu-rbf-svm-grouped"))
    standard = np.mean([score.accuracy for score in fold_scores(x, y, few, seed=0)])
    grouped = np.mean([score.accuracy for score in fold_scores(x, y, kept, seed=0, groups=groups)])
    assert standard > 0.9 and grouped < 0.7


def test_evaluation_of_embeddings_and_kernels(tmp_path):
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(20), 2)
    y = np.arange(20)[groups] % 2
    x = rng.normal(size=(40, 3)) + y[:, None]
    kept = with_folds(protocol("tu-rbf-svm-grouped"), 3, 2)
    arguments = {"kernels": {"wl": x @ x.T}, "raw": tmp_path / "raw.csv"}
    evaluation = evaluate_embeddings({"untrained": [x], "best": [x * 2]}, y, kept, [0], groups=groups, **arguments)
    assert [row.protocol for row in result_rows(evaluation, dataset="toy")] == ["tu-rbf-svm-grouped-3x2-folds"] * 3
    standard = evaluate_embeddings({"untrained": [x]}, y, with_folds(protocol("tu-rbf-svm"), 3, 2), [0])
    assert evaluation.split_hash != standard.split_hash
    # Scores that are on disk are those of these groups only.
    other = evaluate_embeddings({"untrained": [x]}, y, kept, [0], groups=np.arange(40), raw=tmp_path / "raw.csv")
    assert other.split_hash != evaluation.split_hash and other.scores != evaluation.scores


def test_refusals():
    y, groups = np.arange(40) % 2, np.arange(40) // 2
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match="wl_classes"):
        fold_scores(x, y, protocol("tu-rbf-svm-grouped"), seed=0)
    with pytest.raises(ValueError, match="expected none"):
        fold_scores(x, y, protocol("tu-rbf-svm"), seed=0, groups=groups)
    with pytest.raises(ValueError, match="one group for each of 40"):
        fold_scores(x, y, protocol("tu-rbf-svm-grouped"), seed=0, groups=groups[:5])
    with pytest.raises(ValueError, match="at least 10 groups"):
        grouped_folds(y, groups // 4, 10, seed=0)
    with pytest.raises(ValueError, match="every class"):
        grouped_folds(np.array([0] * 20 + [1] * 20), np.array([*range(20), *[20] * 20]), 4, seed=0)
