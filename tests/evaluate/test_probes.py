import dataclasses
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from graphcl.evaluate import PROTOCOLS, fold_scores, kernel_fold_scores, protocol, with_folds
from graphcl.evaluate._classifiers import RBF, Linear, Neighbours, scale_gamma, squared_distances
from graphcl.evaluate.probes import folds_of, score_fold

GRID = [10.0**power for power in range(-3, 4)]
SOME = [0, 4, 9]  # scikit-learn takes half a second a fold
ESTIMATORS = {
    "tu-rbf-svm": Pipeline([("svm", SVC())]),
    "tu-rbf-svm-scaled": Pipeline([("scaler", StandardScaler()), ("svm", SVC())]),
    "tu-linear-svm": Pipeline([("scaler", StandardScaler()), ("svm", LinearSVC(dual=False))]),
}


def make(seed, graphs=120, dimensions=6, classes=2, kind="plain"):
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(graphs) % classes)
    x = generator.normal(size=(graphs, dimensions)) * generator.uniform(0.1, 30, size=dimensions)
    x += y[:, None] * generator.normal(size=dimensions)
    if kind == "ties":  # few distinct rows: many values of C give the same inner score, many graphs the same embedding
        x = np.round(x / 20)
    if kind == "offset":  # sums over nodes: a large common part
        x = x + 500
    if kind == "constant-column":
        x[:, 0] = 7
    return x, y


def by_sklearn(name, x, y, seed):
    """The protocol as scikit-learn alone does it: chosen C, predictions and accuracy of some folds."""
    found = []
    folds = list(StratifiedKFold(10, shuffle=True, random_state=seed).split(x, y))
    for train, test in (folds[number] for number in SOME):
        search = GridSearchCV(ESTIMATORS[name], {"svm__C": GRID}, cv=5, scoring="accuracy").fit(x[train], y[train])
        found.append(
            (search.best_params_["svm__C"], search.predict(x[test]), (search.predict(x[test]) == y[test]).mean())
        )
    return found


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@pytest.mark.parametrize(
    ("seed", "classes", "kind"),
    [(0, 2, "plain"), (1, 3, "plain"), (2, 2, "ties"), (3, 3, "ties"), (4, 2, "offset"), (5, 2, "constant-column")],
)
def test_equals_grid_search_fold_by_fold(name, seed, classes, kind):
    x, y = make(seed, classes=classes, kind=kind)
    scores = fold_scores(x, y, protocol(name), seed=seed, only=SOME)
    for score, (penalty, predictions, accuracy) in zip(scores, by_sklearn(name, x, y, seed), strict=True):
        assert score.penalty == penalty
        np.testing.assert_array_equal(score.predictions, predictions)
        assert score.accuracy == accuracy


def test_ties_take_the_first_c():
    x, y = make(0)
    for score in fold_scores(np.ones_like(x), y, protocol("tu-rbf-svm"), seed=0):  # no information: all C tie
        assert score.penalty == GRID[0]


def test_kernel_equals_svc_with_that_kernel():
    x, y = make(7)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    gram = x @ x.T
    folds = list(StratifiedKFold(10, shuffle=True, random_state=1).split(x, y))
    for score in kernel_fold_scores(gram, y, protocol("tu-rbf-svm"), seed=1, only=SOME):
        train, test = folds[score.fold]
        search = GridSearchCV(SVC(kernel="precomputed"), {"C": GRID}, cv=5).fit(gram[np.ix_(train, train)], y[train])
        assert score.penalty == search.best_params_["C"]
        np.testing.assert_array_equal(score.predictions, search.predict(gram[np.ix_(test, train)]))


def test_gamma_is_the_one_of_svc():
    x, y = make(8)
    assert scale_gamma(x) == SVC().fit(x, y)._gamma
    assert scale_gamma(np.ones((4, 2))) == 1.0 == SVC().fit(np.ones((4, 2)), [0, 1, 0, 1])._gamma


def test_distances_are_exact_far_from_the_origin():
    x = np.random.default_rng(0).normal(size=(20, 5))
    literal = ((x[:, None] - x[None]) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(x, x), literal, atol=1e-12)
    np.testing.assert_allclose(squared_distances(x + 1e6, x + 1e6), literal, atol=1e-8)
    assert (squared_distances(x, x) >= 0).all()


@pytest.mark.parametrize("name", sorted(name for name, entry in PROTOCOLS.items() if entry.nested))
def test_test_labels_do_not_reach_the_choice(name):
    x, y = make(9)
    train, test = next(StratifiedKFold(10, shuffle=True, random_state=0).split(x, y))
    classifier = RBF(x, squared_distances(x, x)) if "rbf" in name else Linear(x, True, 1000)
    classifier = Neighbours.by_cosine(x) if "knn" in name else classifier
    score = score_fold(classifier, y, 0, (train, test), protocol(name))
    other = y.copy()
    other[test] = 1 - other[test]
    again = score_fold(classifier, other, 0, (train, test), protocol(name))
    assert again.penalty == score.penalty
    np.testing.assert_array_equal(again.predictions, score.predictions)
    assert again.accuracy == pytest.approx(1 - score.accuracy)


@pytest.mark.parametrize("name", sorted(name for name, entry in PROTOCOLS.items() if entry.nested))
def test_test_rows_do_not_reach_the_scaler(name):
    """The machine is the same whatever lies in the test fold: only the moved row may change its class."""
    x, y = make(10)
    groups = np.arange(len(y)) if protocol(name).grouped else None
    test = folds_of(y, groups, 10, seed=0)[0][1]
    moved = x.copy()
    moved[test[0]] += 1e6
    first, second = (fold_scores(z, y, protocol(name), seed=0, groups=groups, only=[0])[0] for z in (x, moved))
    assert first.penalty == second.penalty
    np.testing.assert_array_equal(first.predictions[1:], second.predictions[1:])


def test_deterministic_and_equal_in_threads_and_in_part():
    x, y = make(11)
    few = with_folds(protocol("tu-rbf-svm-scaled"), 4, 3)
    scores = fold_scores(x, y, few, seed=5)
    assert [score.fold for score in scores] == [0, 1, 2, 3]

    def plain(found):
        return [(score.fold, score.accuracy, score.penalty, score.predictions.tolist()) for score in found]

    assert plain(fold_scores(x, y, few, seed=5)) == plain(scores)
    assert plain(fold_scores(x, y, few, seed=5, n_jobs=2)) == plain(scores)
    assert plain(fold_scores(x, y, few, seed=5, only=[3, 1])) == [plain(scores)[1], plain(scores)[3]]
    assert plain(fold_scores(x, y, few, seed=6)) != plain(scores)


def test_takes_tensors_and_any_label_codes():
    x, y = make(12)
    few = with_folds(protocol("tu-rbf-svm"), 3, 3)
    first = fold_scores(x, y, few, seed=0)
    second = fold_scores(torch.from_numpy(x).requires_grad_(), torch.from_numpy(np.where(y > 0, 5, -1)), few, seed=0)
    assert [score.accuracy for score in first] == [score.accuracy for score in second]


def test_fits_that_do_not_converge_are_counted():
    x, y = make(13)
    hasty = Linear(x, True, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, unconverged = hasty(y, np.arange(100), np.arange(100, 120), GRID)
    assert unconverged > 0
    scores = fold_scores(x, y, dataclasses.replace(protocol("tu-linear-svm"), max_iter=1), seed=0, only=[0, 1])
    assert all(score.unconverged > 0 for score in scores)
    with pytest.raises(ConvergenceWarning):  # the filter is as it was: a warning is an error again
        hasty(y, np.arange(100), np.arange(100, 120), GRID)
    assert fold_scores(x, y, protocol("tu-linear-svm"), seed=0, only=[0])[0].unconverged == 0


def test_refusals():
    x, y = make(14)
    rbf = protocol("tu-rbf-svm")
    broken = x.copy()
    broken[3, :2], broken[8, 0] = np.nan, np.inf
    cases = [
        ((broken, y), "got 3 NaN or infinite values in 2 of 120 rows"),
        ((x[0], y), r"shape \[graphs, dimensions\], got \[6\]"),
        ((x.astype(str), y), "real numbers"),
        ((x, y[:, None]), r"shape \[120\], got \[120, 1\]"),
        ((x, y[:-1]), "expected 120 labels, .* got 119"),
        ((x, np.zeros(120)), "at least 2 classes"),
        ((x, y + 0.5), "fractional"),
        ((x, [None, *y[1:]]), "labels that are all numbers or all texts, got NoneType, int64; leave out what has no"),
        ((x, np.arange(120) // 115), "expected >= 10 graphs in every class, .* got 5 of class 1; use fewer folds"),
    ]
    for (embeddings, labels), message in cases:
        with pytest.raises(ValueError, match=message):
            fold_scores(embeddings, labels, rbf, seed=0)
    with pytest.raises(ValueError, match="5 of them left for the inner folds, got 3"):
        fold_scores(x, np.arange(120) // 117, with_folds(rbf, 3), seed=0)
    with pytest.raises(ValueError, match="fold numbers from 0 to 9"):
        fold_scores(x, y, rbf, seed=0, only=[10])
    with pytest.raises(TypeError, match=r"expected a Protocol, got 'tu-rbf-svm'; write protocol\('tu-rbf-svm'\)"):
        fold_scores(x, y, "tu-rbf-svm", seed=0)
    with pytest.raises(ValueError, match="symmetric"):
        kernel_fold_scores(x @ x.T + np.triu(np.ones((120, 120)), 1), y, rbf, seed=0)


def knn_by_sklearn(metric, x, y, seed, number):
    """The first best number of neighbours over inner folds, and the predictions of an outer fold."""
    train, test = list(StratifiedKFold(10, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))[number]
    precomputed = metric == "precomputed"
    part = lambda rows, columns: x[np.ix_(rows, columns)] if precomputed else x[rows]  # noqa: E731
    best = []
    for k in (1, 3, 5, 10, 20):
        hits = []
        for fit, validate in StratifiedKFold(5).split(np.zeros(len(train)), y[train]):
            machine = KNeighborsClassifier(k, metric=metric, algorithm="brute")
            machine.fit(part(train[fit], train[fit]), y[train][fit])
            hits.append((machine.predict(part(train[validate], train[fit])) == y[train][validate]).mean())
        best.append(np.average(hits))
    k = (1, 3, 5, 10, 20)[int(np.argmax(best))]
    machine = KNeighborsClassifier(k, metric=metric, algorithm="brute").fit(part(train, train), y[train])
    return k, machine.predict(part(test, train))


@pytest.mark.parametrize(("seed", "classes"), [(0, 2), (1, 3)])
def test_neighbours_equal_scikit_learn_fold_by_fold(seed, classes):
    x, y = make(seed, classes=classes)
    gram = (x @ x.T) ** 2  # a kernel whose vectors are of very different lengths
    length = np.sqrt(gram.diagonal())
    distance = 2 - 2 * gram / np.outer(length, length)
    for number in SOME:
        for found, metric, rows in (
            (fold_scores(x, y, protocol("graph-knn"), seed=seed, only=[number]), "cosine", x),
            (kernel_fold_scores(gram, y, protocol("graph-knn"), seed=seed, only=[number]), "precomputed", distance),
        ):
            k, predictions = knn_by_sklearn(metric, rows, y, seed, number)
            assert found[0].penalty == k
            np.testing.assert_array_equal(found[0].predictions, predictions)


def test_fewer_training_graphs_than_neighbours_all_vote():
    y = np.array([0] * 7 + [1] * 4)
    few = dataclasses.replace(protocol("graph-knn"), grid=(20,), folds=3, inner_folds=2)
    for score in fold_scores(np.eye(11), y, few, seed=0):
        assert (score.predictions == 0).all()


def test_protocols_without_folds_are_refused():
    for name in ("graph-kmeans", "graph-retrieval"):
        with pytest.raises(ValueError, match=f"expected a protocol with folds, got {name}; use evaluate_embeddings"):
            fold_scores(np.eye(8), np.arange(8) % 2, protocol(name), seed=0)
        with pytest.raises(ValueError, match=f"expected a protocol with folds, got {name}"):
            kernel_fold_scores(np.eye(8), np.arange(8) % 2, protocol(name), seed=0)
