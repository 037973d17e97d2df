import numpy as np
from sklearn.model_selection import StratifiedKFold

from graphcl.evaluate import split_hash, stratified_folds

Y = np.random.default_rng(0).integers(0, 3, size=97)


def test_folds_are_sklearns():
    reference = StratifiedKFold(n_splits=10, shuffle=True, random_state=3).split(Y, Y)
    for (train, test), (train_too, test_too) in zip(stratified_folds(Y, 10, seed=3), reference, strict=True):
        np.testing.assert_array_equal(train, train_too)
        np.testing.assert_array_equal(test, test_too)
    inner = StratifiedKFold(n_splits=5).split(Y, Y)
    for fold, reference_fold in zip(stratified_folds(Y, 5), inner, strict=True):
        np.testing.assert_array_equal(fold[1], reference_fold[1])


def test_hash_tells_seeds_orders_and_counts_apart_and_is_stable():
    first, second = stratified_folds(Y, 10, seed=0), stratified_folds(Y, 10, seed=1)
    assert split_hash([first]) == split_hash([stratified_folds(Y, 10, seed=0)])
    hashes = {split_hash(splits) for splits in ([first], [second], [first, second], [second, first], [first[::-1]])}
    assert len(hashes) == 5
    tiny = [[(np.array([1]), np.array([0])), (np.array([0]), np.array([1]))]]
    assert split_hash(tiny) == "5cabf36843047540"
