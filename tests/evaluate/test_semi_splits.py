"""Folds with few labels: the folds of the other protocols, exact and stratified shares, nested draws, refusals."""

import numpy as np
import pytest

from graphcl.evaluate import SemiProtocol, label_splits, semi_protocol, stratified_folds

Y = np.random.default_rng(0).permutation([0] * 1500 + [1] * 700 + [2] * 33)
ONE, TEN = semi_protocol("semi-supervised-1"), semi_protocol("semi-supervised-10")


def test_parts_are_the_folds_of_the_seed_and_share_nothing() -> None:
    splits = label_splits(Y, TEN, seed=3)
    tests = [test for _, test in stratified_folds(Y, 10, seed=3)]
    for fold, split in enumerate(splits):
        np.testing.assert_array_equal(split.test, tests[fold])
        np.testing.assert_array_equal(split.validation, tests[fold - 1])
        together = np.concatenate(split)
        assert len(np.unique(together)) == len(together)
    np.testing.assert_array_equal(np.sort(np.concatenate([split.test for split in splits])), np.arange(len(Y)))


@pytest.mark.parametrize("protocol", [ONE, TEN])
def test_labels_are_as_many_as_the_share_says_in_every_class(protocol: SemiProtocol) -> None:
    for split in label_splits(Y, protocol, seed=0):
        left = np.setdiff1d(np.arange(len(Y)), np.concatenate([split.test, split.validation]))
        exact = protocol.share * np.bincount(Y[left])
        found = np.bincount(Y[split.train], minlength=3)
        assert (found >= np.maximum(1, np.floor(exact))).all() and (found <= np.ceil(exact)).all()
        # The rarest class is given one label where its share would be less.
        assert 0 <= len(split.train) - round(protocol.share * len(left)) <= 1


def test_a_smaller_share_is_a_subset_and_seeds_and_folds_differ() -> None:
    one, ten, other = label_splits(Y, ONE, seed=0), label_splits(Y, TEN, seed=0), label_splits(Y, TEN, seed=1)
    for small, large in zip(one, ten, strict=True):
        assert set(small.train) < set(large.train)
        np.testing.assert_array_equal(small.test, large.test)
    assert len({tuple(split.train) for split in ten + other}) == 20
    again = label_splits(Y, TEN, seed=0)
    assert all(np.array_equal(a, b) for x, y in zip(ten, again, strict=True) for a, b in zip(x, y, strict=True))


def test_every_fold_draws_for_itself() -> None:
    split = label_splits(Y, TEN, seed=0)[4]
    drawn = [np.isin(split.train, other.train).mean() for other in label_splits(Y, TEN, seed=0)]
    assert drawn[4] == 1 and max(drawn[:4] + drawn[5:]) < 0.3


def test_refusals() -> None:
    for labels, words in (
        (np.zeros(50), r"at least 2 classes, .* got only \[0.0\]"),
        ([], "at least 2 classes"),
        (
            np.array([0] * 50 + [1] * 9),
            r"each with a graph in every one of 10 folds, got 9 of class 1; use fewer",
        ),
        (np.eye(20), r"expected one class per graph \[graphs\], got shape \[20, 20\]"),
        (np.linspace(0, 1, 40), "expected one class per graph"),
        ([None, *[0, 1] * 20], "labels that are all numbers or all texts, got NoneType, int"),
    ):
        with pytest.raises(ValueError, match=words):
            label_splits(labels, TEN, seed=0)


def test_an_infinite_label_is_no_class() -> None:
    y = np.repeat([0.0, np.inf], 20)
    with pytest.raises(ValueError, match="expected one class per graph"):
        label_splits(y, semi_protocol("semi-supervised-10"), seed=0)
