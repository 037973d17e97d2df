from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler, normalize

from graphcl.evaluate import NodeSplit, SplitScore, node_protocol, node_score, protocol, random_splits

RNG = np.random.default_rng(0)
LINEAR = node_protocol("node-linear-random")


def problem(classes=4, rows=400, width=6, spread=1.0):
    y = RNG.integers(0, classes, size=rows)
    return RNG.normal(size=(classes, width))[y] * spread + RNG.normal(size=(rows, width)), y


X, Y = problem()
SPLIT = random_splits(400, 1, train=0.1, validation=0.1)[0]


@pytest.mark.parametrize("classes", [2, 4])
def test_the_linear_probe_written_out(classes):
    x, y = problem(classes)
    train, validation, test = SPLIT
    scaler = StandardScaler().fit(x[train])
    fits = [LogisticRegression(C=c, max_iter=1000).fit(scaler.transform(x[train]), y[train]) for c in LINEAR.grid]
    accuracies = [fit.score(scaler.transform(x[validation]), y[validation]) for fit in fits]
    best = int(np.argmax(accuracies))
    expected = fits[best].score(
        scaler.transform(x[test]), y[test]
    )  # the same fit: nothing is fitted on validation nodes
    assert node_score(x, y, SPLIT, LINEAR) == SplitScore(
        pytest.approx(expected), LINEAR.grid[best], 0, pytest.approx(max(accuracies))
    )


def test_the_auc_chooses_and_is_reported():
    x, y = problem(2, spread=0.4)
    train, validation, test = SPLIT
    scaler = StandardScaler().fit(x[train])
    fits = [LogisticRegression(C=c, max_iter=1000).fit(scaler.transform(x[train]), y[train]) for c in LINEAR.grid]
    areas = [
        [roc_auc_score(y[part], fit.decision_function(scaler.transform(x[part]))) for part in (validation, test)]
        for fit in fits
    ]
    best = int(np.argmax([area for area, _ in areas]))
    found = node_score(x, y, SPLIT, LINEAR, metric="auc")
    assert found.choice == LINEAR.grid[best] and found.score == pytest.approx(areas[best][1])


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("metric", ["accuracy", "auc"])
@pytest.mark.parametrize("scaler", ["standard", "l2", "none"])
def test_torch_s_probe_is_scikit_learn_s(classes, metric, scaler):
    if metric == "auc" and classes > 2:
        pytest.skip("the AUC is for two classes")
    x, y = problem(classes)
    x[:, 2] = 7.0  # a constant column has no scale
    settings = replace(LINEAR, scaler=scaler)
    theirs, ours = (node_score(x, y, SPLIT, settings, metric=metric, solver=s) for s in ("sklearn", "torch"))
    assert ours.score == pytest.approx(theirs.score, abs=0.004) and ours.choice == theirs.choice
    single = node_score(torch.from_numpy(x).float(), y, SPLIT, settings, metric=metric)
    assert single.score == pytest.approx(theirs.score, abs=0.02)


def test_the_solver_follows_the_number_of_rows(monkeypatch):
    from graphcl.evaluate import node_probes

    called = []
    monkeypatch.setattr(node_probes, "TORCH_ROWS", 30)
    monkeypatch.setattr(node_probes, "fit_logistic", lambda *a, **k: called.append(a) or fit(*a, **k))
    fit = __import__("graphcl.evaluate.logistic", fromlist=["fit_logistic"]).fit_logistic
    node_score(X, Y, SPLIT, LINEAR)
    assert len(called) == len(LINEAR.grid)
    node_score(X, Y, SPLIT, LINEAR, solver="sklearn")
    assert len(called) == len(LINEAR.grid)


def test_more_dimensions_than_training_nodes():
    x = np.concatenate([X, RNG.normal(size=(400, 200))], axis=1)
    train, validation, test = SPLIT
    scaler = StandardScaler().fit(x[train])
    fits = [
        LogisticRegression(C=c, max_iter=5000, tol=1e-8).fit(scaler.transform(x[train]), Y[train]) for c in LINEAR.grid
    ]
    found = node_score(x, Y, SPLIT, LINEAR)
    chosen = fits[LINEAR.grid.index(found.choice)]
    assert chosen.score(scaler.transform(x[validation]), Y[validation]) == pytest.approx(
        max(fit.score(scaler.transform(x[validation]), Y[validation]) for fit in fits), abs=0.026
    )
    assert found.score == pytest.approx(chosen.score(scaler.transform(x[test]), Y[test]), abs=0.01)


@pytest.mark.parametrize("name", ["node-linear-random", "node-bgrl-20-80", "node-grace-10-90", "knn"])
def test_the_test_nodes_choose_nothing(name):
    settings = replace(node_protocol(name), grid=node_protocol(name).grid[::4])
    split = random_splits(400, 1, train=settings.train, validation=settings.validation)[0]
    x, y = X.copy(), Y.copy()
    x[split.test] = 100 * RNG.normal(size=x[split.test].shape)
    y[split.test] = RNG.permutation(y[split.test])
    before, after = node_score(X, Y, split, settings), node_score(x, y, split, settings)
    assert before.choice == after.choice and before.score > 0.5 > after.score


@pytest.mark.parametrize(
    ("name", "inner"),
    [("node-grace-10-90", KFold(5)), ("node-bgrl-20-80", ShuffleSplit(5, test_size=0.5, random_state=0))],
)
def test_the_authors_probes(name, inner):
    settings = node_protocol(name)
    split = random_splits(400, 1, train=settings.train, validation=0)[0]
    unit, columns = normalize(X), np.eye(4, dtype=bool)[Y]
    search = GridSearchCV(
        OneVsRestClassifier(LogisticRegression(solver="liblinear")), {"estimator__C": settings.grid}, cv=inner
    ).fit(unit[split.train], columns[split.train])
    expected = (search.predict_proba(unit[split.test]).argmax(axis=1) == Y[split.test]).mean()
    assert node_score(X, Y, split, settings) == SplitScore(
        pytest.approx(expected), search.best_params_["estimator__C"], 0, pytest.approx(search.best_score_)
    )


def test_neighbours():
    settings = node_protocol("knn")
    train, validation, test = SPLIT
    fits = [
        KNeighborsClassifier(int(k), metric="cosine", algorithm="brute").fit(X[train], Y[train]) for k in settings.grid
    ]
    scores = [fit.score(X[validation], Y[validation]) for fit in fits]
    best = int(np.argmax(scores))
    found = node_score(X, Y, SPLIT, settings)
    expected = pytest.approx(fits[best].score(X[test], Y[test]))
    assert found == SplitScore(expected, settings.grid[best], 0, pytest.approx(max(scores)))
    small = NodeSplit(SPLIT.train[:8], SPLIT.validation, SPLIT.test)
    assert node_score(X, Y % 2, small, settings).choice <= 8  # no more neighbours than training nodes


def test_a_class_of_one_node_may_be_missing_from_training():
    y = Y.copy()
    y[SPLIT.test[0]] = 4
    for solver in ("sklearn", "torch"):
        found = node_score(X, y, SPLIT, LINEAR, solver=solver)
        without = node_score(X, Y, SPLIT, LINEAR, solver=solver)
        assert found.choice == without.choice and found.score <= without.score


def test_labels_outside_the_split_are_not_looked_at():
    y = Y.astype(float)
    part = NodeSplit(SPLIT.train, SPLIT.validation, SPLIT.test[:100])
    expected = node_score(X, y, part, LINEAR)
    y[SPLIT.test[100:]] = np.nan
    assert node_score(X, y, part, LINEAR) == expected


@pytest.mark.parametrize("kind", [str, object])
def test_classes_may_have_names(kind):
    names = np.array(["ant", "bee", "cat", "dog"]).astype(kind)[Y]
    assert node_score(X, names, SPLIT, LINEAR) == node_score(X, Y, SPLIT, LINEAR)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": np.arange(400) < 9}, "expected node numbers in train, got a mask; use mask_splits"),
        ({"test": np.concatenate([SPLIT.test, SPLIT.train[:2]])}, "overlap, got 2 nodes in both train and test"),
        (
            {"validation": np.array([400])},
            "expected node numbers from 0 to 399 in validation, got some from 400 to 400",
        ),
        ({"test": np.array([-1, 5])}, "expected node numbers from 0 to 399 in test, got some from -1 to 5"),
    ],
)
def test_a_split_that_would_leak_or_mislead_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        node_score(X, Y, SPLIT._replace(**change), LINEAR)


def spoiled(index, value):
    y = Y.astype(float)
    y[index] = value
    return y


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (
            np.where(np.arange(400)[:, None] == 3, np.nan, X),
            Y,
            {},
            "finite embeddings, got NaN or infinite values in 1 of 400 rows",
        ),
        (X[0], Y, {}, r"shape \[nodes, dimensions\], got \[6\]"),
        (X.astype(str), Y, {}, "real numbers, got dtype"),
        (X, Y[:-1], {}, r"one label per node, shape \[400\].*got shape \[399\]"),
        (X, Y[:, None], {}, r"got shape \[400, 1\]; .*y\[:, task\]"),
        (X, None, {}, "got none"),
        (X, spoiled(SPLIT.train[0], np.nan), {}, r"got NaN for 1 of 400; take these nodes out of .* x\[known\]"),
        (X, spoiled(SPLIT.test[0], 0.5), {}, "fractional"),
        (X, spoiled(SPLIT.test[:3], -1), {}, "negative labels for 3 nodes"),
        (X, np.where(np.arange(400) == SPLIT.test[0], None, Y), {}, "all numbers or all texts, got NoneType, int"),
        (X, np.zeros(400, dtype=int), {}, "at least 2 classes, got only"),
        (X, Y, {"metric": "f1"}, "expected the metric accuracy or auc, got 'f1'"),
        (X, Y, {"metric": "auc"}, "expected two classes for the AUC, got 4"),
        (X, Y, {"solver": "newton"}, "expected solver to be 'auto', 'sklearn' or 'torch'"),
    ],
)
def test_refusals(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        node_score(x, y, SPLIT, LINEAR, **options)


def test_a_split_of_tensors_is_that_of_arrays():
    """As OGB's get_idx_split gives it."""
    assert node_score(X, Y, NodeSplit(*map(torch.from_numpy, SPLIT)), LINEAR) == node_score(X, Y, SPLIT, LINEAR)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SPLIT._replace(test=SPLIT.test.astype(float)), r"expected node numbers \[n\] in test, got \[320\] of float64"),
        (SPLIT._replace(train=SPLIT.train[:, None]), r"expected node numbers \[n\] in train, got \[40, 1\]"),
    ],
)
def test_parts_that_are_no_node_numbers_are_refused(split, message):
    with pytest.raises(ValueError, match=message):
        node_score(X, Y, split, LINEAR)


@pytest.mark.parametrize("split", [SPLIT._asdict(), tuple(SPLIT)])
def test_what_is_no_split_is_refused(split):
    with pytest.raises(TypeError, match=r"expected a NodeSplit, got .*; write NodeSplit\(train, validation, test\)"):
        node_score(X, Y, split, LINEAR)


@pytest.mark.parametrize(
    ("name", "instead"), [("kmeans", "kmeans_scores"), ("link", "link_score"), ("ogb-link", "link_")]
)
def test_a_protocol_of_another_kind_is_refused(name, instead):
    with pytest.raises(ValueError, match=f"learns from the labels of nodes, got {name}; use {instead}"):
        node_score(X, Y, SPLIT, node_protocol(name))


def test_a_split_without_a_class_is_refused():
    y = Y.copy()
    y[SPLIT.train] %= 3
    with pytest.raises(ValueError, match=r"training part of split 0, but class 3 \(\d+ nodes\) has no node in it"):
        node_score(X, y, SPLIT, LINEAR)
    y = (np.arange(400) == SPLIT.validation[0]).astype(int)
    with pytest.raises(ValueError, match="all classes but one has no node in it"):
        node_score(X, y, SPLIT, LINEAR)
    y = np.zeros(400, dtype=int)
    y[SPLIT.train[:5]] = y[SPLIT.validation[:5]] = 1
    with pytest.raises(ValueError, match="both classes in the test part of split 0 for the AUC"):
        node_score(X, y, SPLIT, LINEAR, metric="auc")
    with pytest.raises(ValueError, match="expected the metric accuracy for node-grace-10-90, which chooses by it"):
        node_score(X, Y % 2, SPLIT, node_protocol("node-grace-10-90"), metric="auc")


@pytest.mark.gpu
def test_embeddings_on_a_gpu_stay_there():
    found = node_score(torch.from_numpy(X).cuda(), Y, SPLIT, LINEAR)
    assert found.score == pytest.approx(node_score(X, Y, SPLIT, LINEAR).score, abs=0.004)


def test_nodes_outside_the_split_need_no_label():
    part = SPLIT._replace(test=SPLIT.test[:50])
    labels = np.where(np.isin(np.arange(400), np.concatenate(part)), Y, None)
    assert node_score(X, labels, part, LINEAR) == node_score(X, Y, part, LINEAR)


def test_a_name_is_no_protocol():
    with pytest.raises(TypeError, match=r"expected a NodeProtocol, got 'knn'; write protocol\('knn'\)"):
        node_score(X, Y, SPLIT, "knn")
    with pytest.raises(TypeError, match=r"expected a NodeProtocol, got the Protocol tu-rbf-svm"):
        node_score(X, Y, SPLIT, protocol("tu-rbf-svm"))


@pytest.mark.parametrize("solver", ["sklearn", "torch"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_part_without_nodes_is_refused(part, solver):
    empty = SPLIT._replace(**{part: np.arange(0)})
    with pytest.raises(ValueError, match=f"expected nodes in the {part} part of split 0 for {LINEAR.name}, got none"):
        node_score(X, Y, empty, LINEAR, solver=solver)


def test_inner_folds_need_no_validation_nodes_but_test_nodes():
    inner = node_protocol("node-grace-10-90")
    assert 0 < node_score(X, Y, SPLIT._replace(validation=np.arange(0)), inner).score <= 1
    with pytest.raises(ValueError, match="nodes in the test part"):
        node_score(X, Y, SPLIT._replace(test=np.arange(0)), inner)
