import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from graphcl.evaluate import knn, knn_votes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_equals_scikit_learn(monkeypatch, chunk):
    monkeypatch.setattr(knn, "CHUNK_BYTES", chunk)
    train, query, y = RNG.normal(size=(60, 5)), RNG.normal(size=(40, 5)), np.arange(60) % 3
    votes = knn_votes(train, y, query, [1, 5, 60], classes=3)
    for row, k in enumerate([1, 5, 60]):
        theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(train, y)
        np.testing.assert_allclose(votes[row], theirs.predict_proba(query))


def test_only_directions_count():
    train, query, y = RNG.normal(size=(20, 4)), RNG.normal(size=(9, 4)), np.arange(20) % 2
    scaled = knn_votes(train * RNG.uniform(1, 9, size=(20, 1)), y, query * 7, [3], classes=2)
    np.testing.assert_array_equal(knn_votes(train, y, query, [3], classes=2), scaled)


def test_among_equals_the_earlier_row_is_nearer():
    train = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    votes = knn_votes(train, np.array([3, 1, 2, 0, 4]), np.array([[1.0, 0.0], [0.0, 0.0]]), [1, 2], classes=5)
    assert votes[0].argmax(axis=1).tolist() == [3, 3]  # a zero row is equally far from all
    assert votes[1, 0].tolist() == [0, 0.5, 0, 0.5, 0]


@pytest.mark.parametrize("neighbours", [[], [0], [2, 1], [1, 1], [1, 6]])
def test_refusals(neighbours):
    with pytest.raises(ValueError, match="ascending numbers of neighbours from 1 to 5"):
        knn_votes(np.eye(5), np.arange(5), np.eye(5), neighbours, classes=5)
