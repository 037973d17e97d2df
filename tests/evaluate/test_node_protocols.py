import pytest

from graphcl.evaluate import NODE_PROTOCOLS, NodeProtocol, node_protocol, with_splits


def test_registry_holds_what_the_names_promise():
    public, random, fixed = (
        node_protocol(f"node-{name}") for name in ("linear-public", "linear-random", "fixed-splits")
    )
    assert random.name == "node-linear-random-10-10-80"
    assert (random.train, random.validation, random.count, random.inner) == (0.1, 0.1, 20, "")
    for entry, splits in (
        (public, "public"),
        (random, "random"),
        (fixed, "fixed"),
        (node_protocol("ogb-linear"), "public"),
    ):
        assert (entry.probe, entry.splits, entry.scaler) == ("logistic", splits, "standard")
    bgrl, grace = node_protocol("node-bgrl-20-80"), node_protocol("node-grace-10-90")
    assert (bgrl.probe, bgrl.scaler, bgrl.train, bgrl.validation, bgrl.count) == ("liblinear", "l2", 0.2, 0, 20)
    assert (grace.probe, grace.scaler, grace.train, grace.validation, grace.count) == ("liblinear", "l2", 0.1, 0, 3)
    assert bgrl.grid == tuple(2.0**k for k in range(-10, 11)) and grace.grid == tuple(2.0**k for k in range(-10, 10))
    assert (bgrl.inner, grace.inner) == ("shuffle", "kfold")
    assert (node_protocol("knn").probe, node_protocol("kmeans").count) == ("knn", 10)
    assert all(NODE_PROTOCOLS[name].name == name for name in NODE_PROTOCOLS)


def test_unknown_names_list_near_ones():
    with pytest.raises(ValueError, match="got 'node-linear'; did you mean .*node-linear-public or "):
        node_protocol("node-linear")
    with pytest.raises(ValueError, match="knn or link or node-bgrl-20-80"):
        node_protocol("zzz")


def test_another_number_of_splits_changes_the_name():
    assert with_splits(node_protocol("node-linear-random"), 3).name == "node-linear-random-10-10-80-3-splits"
    assert with_splits(node_protocol("kmeans"), 10) is node_protocol("kmeans")
    for name in ("node-linear-public", "node-fixed-splits", "link"):
        with pytest.raises(ValueError, match="whose splits are given"):
            with_splits(node_protocol(name), 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probe": "svm"}, "expected probe to be 'logistic'"),
        ({"scaler": "minmax"}, "expected scaler"),
        ({"grid": ()}, "grid"),
        ({"grid": (0.0, 1.0)}, "positive"),
        ({"train": 0.5, "validation": 0.5}, "leave test nodes"),
        ({"inner": "kfold"}, "got both or neither"),
        ({"validation": 0.0}, "got both or neither"),
        ({"count": 0}, "count of at least 1"),
    ],
)
def test_refusals(change, message):
    settings = {"name": "x", "probe": "logistic", "splits": "random", "scaler": "standard", "grid": (1.0,)}
    with pytest.raises(ValueError, match=message):
        NodeProtocol(**(settings | {"train": 0.1, "validation": 0.1} | change))
