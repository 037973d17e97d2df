import pytest

from graphcl.evaluate import PROTOCOLS, Protocol, protocol, with_folds


def test_registry_holds_what_the_names_promise():
    rbf, scaled, linear = (PROTOCOLS[name] for name in ("tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"))
    assert (rbf.kernel, rbf.scaler) == ("rbf", False)
    assert (scaled.kernel, scaled.scaler) == ("rbf", True)
    assert (linear.kernel, linear.scaler) == ("linear", True)
    for entry in (rbf, scaled, linear):
        assert entry.grid == tuple(10.0**power for power in range(-3, 4))
        assert (entry.folds, entry.inner_folds) == (10, 5)
        assert PROTOCOLS[entry.name] is entry


def test_unknown_name_lists_near_ones():
    with pytest.raises(ValueError, match="got 'tu-rbf'; did you mean tu-rbf-svm "):
        protocol("tu-rbf")
    with pytest.raises(ValueError, match="tu-linear-svm or tu-rbf-svm or tu-rbf-svm-scaled"):
        protocol("zzz")


def test_other_fold_counts_change_the_name():
    changed = with_folds(protocol("tu-linear-svm"), 3, 2)
    assert (changed.name, changed.folds, changed.inner_folds) == ("tu-linear-svm-3x2-folds", 3, 2)
    assert with_folds(protocol("tu-linear-svm"), 10) is protocol("tu-linear-svm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": "poly"}, "kernel"),
        ({"grid": ()}, "grid"),
        ({"grid": (0.0, 1.0)}, "positive"),
        ({"folds": 1}, "at least 2 folds"),
        ({"kernel": "precomputed", "scaler": True}, "no scaler"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**({"name": "x", "kernel": "rbf", "scaler": False} | change))
