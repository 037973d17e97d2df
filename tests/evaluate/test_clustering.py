import numpy as np
import pytest

from graphcl.evaluate import kmeans_scores

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3


def test_separate_classes_are_found_whatever_their_names():
    x = 20 * np.eye(3)[Y] + RNG.normal(size=(60, 3))
    assert kmeans_scores(x, Y, run=0) == kmeans_scores(x, (Y + 1) % 3, run=4) == {"nmi": 1.0, "ari": 1.0}


def test_noise_finds_nothing_and_a_run_repeats():
    x = RNG.normal(size=(60, 3))
    found = kmeans_scores(x, Y, run=1)
    assert found == kmeans_scores(x, Y, run=1)
    assert abs(found["ari"]) < 0.1 and found["nmi"] < 0.2


def test_more_clusters_than_nodes_are_refused():
    with pytest.raises(ValueError, match=r"one per node \(3\), got 4 clusters"):
        kmeans_scores(np.eye(3), np.arange(3), run=0, clusters=4)
