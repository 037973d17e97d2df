from collections import Counter

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.evaluate import fold_scores, wl_features, wl_kernel
from graphcl.evaluate.protocols import protocol


def graph(edges, num_nodes, x=None):
    both = [*edges, *[(b, a) for a, b in edges]]
    edge_index = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).T
    return Data(x=None if x is None else torch.tensor(x), edge_index=edge_index, num_nodes=num_nodes)


def ring(n):
    return [(i, (i + 1) % n) for i in range(n)]


def random_graphs(seed, count=25):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        n = int(rng.integers(1, 9))
        edges = [(i, j) for i in range(n) for j in range(i) if rng.random() < 0.4]
        found.append(graph(edges, n, np.eye(3, dtype=np.float32)[rng.integers(0, 3, n)].tolist()))
    return found


def literal_counts(graphs, iterations):
    """The algorithm as published: colours are nested tuples, multisets are sorted lists, one node at a time."""
    colours = [
        [tuple(row) for row in g.x.tolist()]
        if g.x is not None
        else [int((g.edge_index[1] == v).sum()) for v in range(g.num_nodes)]
        for g in graphs
    ]
    counters = [Counter((0, colour) for colour in own) for own in colours]
    for step in range(1, iterations + 1):
        for number, g in enumerate(graphs):
            sources, targets = g.edge_index.tolist()
            own = colours[number]
            colours[number] = [
                (own[v], tuple(sorted((own[s] for s, t in zip(sources, targets, strict=True) if t == v), key=repr)))
                for v in range(g.num_nodes)
            ]
            counters[number].update((step, colour) for colour in colours[number])
    return counters


@pytest.mark.parametrize("featureless", [False, True])
@pytest.mark.parametrize("iterations", [0, 1, 2, 3])
def test_equals_the_literal_algorithm(iterations, featureless):
    graphs = random_graphs(0)
    if featureless:
        for g in graphs:
            nodes = g.num_nodes
            g.x = None
            g.num_nodes = nodes
    counters = literal_counts(graphs, iterations)
    literal = np.array([[sum(n * b[key] for key, n in a.items()) for b in counters] for a in counters])
    counts = wl_features(graphs, iterations=iterations)
    assert counts.shape == (len(graphs), len(set().union(*counters)))
    np.testing.assert_array_equal((counts @ counts.T).toarray(), literal)
    length = np.sqrt(literal.diagonal())
    np.testing.assert_allclose(wl_kernel(graphs, iterations=iterations), literal / np.outer(length, length))


def test_known_values():
    # A path of 3 and a triangle, all nodes alike. Round 0: 3 and 3 of one colour. Round 1: degrees (1, 2, 1) and
    # (2, 2, 2). Round 2: the middle of the path (neighbours of degree 1) differs from a corner of the triangle.
    alike = [[1.0]] * 3
    graphs = [graph([(0, 1), (1, 2)], 3, alike), graph(ring(3), 3, alike)]
    expected = {0: [[9, 9], [9, 9]], 1: [[9 + 5, 9 + 3], [9 + 3, 9 + 9]], 2: [[14 + 5, 12], [12, 18 + 9]]}
    for iterations, gram in expected.items():
        counts = wl_features(graphs, iterations=iterations)
        assert (counts @ counts.T).toarray().tolist() == gram


def test_a_hexagon_is_two_triangles():
    """The published limit of the test: both are 2-regular."""
    hexagon, triangles = graph(ring(6), 6), graph([*ring(3), (3, 4), (4, 5), (5, 3)], 6)
    counts = wl_features([hexagon, triangles], iterations=4).toarray()
    np.testing.assert_array_equal(counts[0], counts[1])


def test_relabelling_nodes_and_shuffling_edges_change_nothing():
    graphs = random_graphs(1)
    rng = np.random.default_rng(2)
    moved = []
    for g in graphs:
        order = torch.from_numpy(rng.permutation(g.num_nodes))
        edges = order[g.edge_index][:, torch.from_numpy(rng.permutation(g.edge_index.shape[1]))]
        x = torch.empty_like(g.x)
        x[order] = g.x
        moved.append(Data(x=x, edge_index=edges, num_nodes=g.num_nodes))
    counts = wl_features(graphs + moved).toarray()
    np.testing.assert_array_equal(counts[: len(graphs)], counts[len(graphs) :])


def test_batch_list_and_edgeless_graphs():
    graphs = [graph([], 2, [[1.0], [2.0]]), graph([(0, 1)], 2, [[1.0], [1.0]])]
    listed, batched = wl_features(graphs), wl_features(Batch.from_data_list(graphs))
    np.testing.assert_array_equal(listed.toarray(), batched.toarray())
    assert listed.sum(axis=1).ravel().tolist() == [[8, 8]]  # 2 nodes in each of 4 rounds
    empty = wl_kernel([graph([], 0), graph([(0, 1)], 2)])
    assert empty.tolist() == [[0.0, 0.0], [0.0, pytest.approx(1.0)]]


def test_many_feature_columns_do_not_collide():
    bits = torch.tensor([[float(b) for b in f"{n:08b}"] for n in range(256)])
    assert wl_features([Data(x=bits, edge_index=torch.empty(2, 0, dtype=torch.int64))], iterations=0).shape == (1, 256)


def test_refusals():
    with pytest.raises(ValueError, match="iterations >= 0, got -1"):
        wl_features([graph([], 1)], iterations=-1)
    with pytest.raises(ValueError, match="at least one graph"):
        wl_features([])
    with pytest.raises(ValueError, match="got 1 NaN"):
        wl_features([graph([], 2, [[float("nan")], [1.0]])])


def test_level_on_real_mutag(graphcl_home):
    """Published: 80.7 with another grid; the majority class has 66.5."""
    from graphcl.data import load
    from graphcl.evaluate import kernel_fold_scores

    dataset = load("MUTAG", root=graphcl_home)
    y = dataset.y.numpy()
    scores = kernel_fold_scores(wl_kernel(dataset), y, protocol("tu-rbf-svm"), seed=0)
    assert 0.80 < np.mean([score.accuracy for score in scores]) < 0.95
    counts = fold_scores(wl_features(dataset).toarray(), y, protocol("tu-rbf-svm"), seed=0, only=[0])
    assert counts[0].accuracy > 0.6
