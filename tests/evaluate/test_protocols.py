import pytest

from graphcl.evaluate import (
    MOLECULE_PROTOCOLS,
    NODE_PROTOCOLS,
    PROTOCOLS,
    SEMI_PROTOCOLS,
    Protocol,
    molecule_protocol,
    node_protocol,
    protocol,
    with_folds,
    with_semi_tuning,
    with_splits,
    with_tuning,
)


def test_registry_holds_what_the_names_promise():
    rbf, scaled, linear = (PROTOCOLS[name] for name in ("tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"))
    assert (rbf.kernel, rbf.scaler) == ("rbf", False)
    assert (scaled.kernel, scaled.scaler) == ("rbf", True)
    assert (linear.kernel, linear.scaler) == ("linear", True)
    for entry in (rbf, scaled, linear):
        assert entry.grid == tuple(10.0**power for power in range(-3, 4))
        assert (entry.folds, entry.inner_folds) == (10, 5)
        assert PROTOCOLS[entry.name] is entry


def test_protocols_without_a_classifier():
    knn, kmeans, retrieval = (PROTOCOLS[f"graph-{name}"] for name in ("knn", "kmeans", "retrieval"))
    assert knn.nested and not kmeans.nested and not retrieval.nested
    assert (knn.folds, knn.inner_folds, knn.grid, knn.metrics) == (10, 5, (1, 3, 5, 10, 20), ("accuracy",))
    assert (kmeans.folds, kmeans.metrics) == (10, ("nmi", "ari"))
    assert (retrieval.folds, retrieval.metrics) == (1, ("precision@1", "precision@5", "precision@10"))
    assert [name for name in PROTOCOLS if name.startswith("graph") and name.endswith("grouped")] == [
        "graph-knn-grouped"
    ]


def test_one_name_is_enough_for_every_kind_of_protocol():
    for kind, table in ((node_protocol, NODE_PROTOCOLS), (molecule_protocol, MOLECULE_PROTOCOLS)):
        assert all(protocol(name) is kind(name) is table[name] for name in table)
    assert protocol("tu-semi-10") is SEMI_PROTOCOLS["semi-supervised-10"]
    assert protocol("node-linear-random") is NODE_PROTOCOLS["node-linear-random-10-10-80"]
    tables = (PROTOCOLS, NODE_PROTOCOLS, MOLECULE_PROTOCOLS, SEMI_PROTOCOLS)
    assert len({name for table in tables for name in table}) == sum(map(len, tables))


@pytest.mark.parametrize("change", [with_folds, with_splits])
def test_a_protocol_of_another_kind_is_refused(change):
    with pytest.raises(TypeError, match=r"expected a \w*Protocol, got the MoleculeProtocol moleculenet-linear$"):
        change(protocol("moleculenet-linear"), 3)
    for change in (with_tuning, with_semi_tuning):
        with pytest.raises(TypeError, match=r"expected a \w*Protocol, got the NodeProtocol kmeans$"):
            change(protocol("kmeans"))
    with pytest.raises(TypeError, match="got the NodeProtocol kmeans; for graphs it is graph-kmeans"):
        with_folds(protocol("kmeans"), 3)


def test_unknown_name_lists_near_ones():
    with pytest.raises(ValueError, match="got 'tu-rbf'; did you mean tu-rbf-svm "):
        protocol("tu-rbf")
    with pytest.raises(ValueError, match="tu-linear-svm or tu-rbf-svm or tu-rbf-svm-scaled"):
        protocol("zzz")


def test_other_fold_counts_change_the_name():
    changed = with_folds(protocol("tu-linear-svm"), 3, 2)
    assert (changed.name, changed.folds, changed.inner_folds) == ("tu-linear-svm-3x2-folds", 3, 2)
    assert with_folds(protocol("tu-linear-svm"), 10) is protocol("tu-linear-svm")
    assert with_folds(protocol("graph-kmeans"), 10) is protocol("graph-kmeans")
    runs = with_folds(protocol("graph-kmeans"), 3)
    assert (runs.name, runs.folds) == ("graph-kmeans-3-runs", 3)
    for name, inner in (("graph-retrieval", None), ("graph-kmeans", 2)):
        with pytest.raises(ValueError, match=f"folds, got {name}"):
            with_folds(protocol(name), 3, inner)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": "poly"}, "kernel"),
        ({"grid": ()}, "grid"),
        ({"grid": (0.0, 1.0)}, "positive"),
        ({"folds": 1}, "at least 2 folds"),
        ({"kernel": "precomputed", "scaler": True}, "no scaler"),
        ({"probe": "forest"}, "expected probe to be 'svm', 'knn', 'kmeans' or 'retrieval', got 'forest'"),
        ({"probe": "knn"}, "expected the kernel of knn to be 'cosine' or 'precomputed', got 'rbf'"),
        ({"probe": "knn", "kernel": "cosine", "grid": (1, 2.5)}, "whole numbers of neighbours"),
        ({"probe": "kmeans", "kernel": "cosine", "folds": 0}, "got 0 and grouped=False"),
        ({"probe": "kmeans", "kernel": "cosine", "grouped": True}, "expected folds to group"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**({"name": "x", "kernel": "rbf", "scaler": False} | change))
