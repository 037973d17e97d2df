import math

import numpy as np
import pytest
from scipy import stats

from graphcl.evaluate import Lift, holm, lift_of_one, mean_lift, paired_lift


def test_hand_computed():
    # d = 1, 3, 2, 2: mean 2, variance 2/3, J = 4, test share 1/9. t(3) at 97.5 % is 3.182446.
    lift = paired_lift([[81.0, 83.0], [82.0, 82.0]], np.full((2, 2), 80.0), n_test=10, n_train=90)
    half = 3.182446305 * math.sqrt((1 / 4 + 1 / 9) * 2 / 3)
    assert lift.mean == 2
    assert lift.low == pytest.approx(2 - half)
    assert lift.high == pytest.approx(2 + half)
    assert lift.p == pytest.approx(2 * stats.t.sf(2 / math.sqrt((1 / 4 + 1 / 9) * 2 / 3), 3))


def test_without_overlap_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 10))
    lift = paired_lift(a, b, n_test=1e-12, n_train=1)
    plain = stats.ttest_rel(a.ravel(), b.ravel())
    assert lift.p == pytest.approx(plain.pvalue)
    assert (lift.low, lift.high) == pytest.approx(tuple(plain.confidence_interval()))
    corrected = paired_lift(a, b, n_test=1, n_train=9)
    assert corrected.high - corrected.low == pytest.approx((lift.high - lift.low) * math.sqrt(1 + 50 / 9))


def test_interval_and_p_agree_and_sign_turns_round():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = rng.normal(size=(2, 3, 5))
        a += rng.uniform(-2, 2)
        one, other = paired_lift(a, b, n_test=1, n_train=4), paired_lift(b, a, n_test=1, n_train=4)
        assert (one.p < 0.05) == (one.low > 0 or one.high < 0)
        assert (other.mean, other.low, other.high, other.p) == pytest.approx((-one.mean, -one.high, -one.low, one.p))


def test_constant_difference():
    a = np.arange(6.0).reshape(2, 3)
    assert paired_lift(a, a, n_test=1, n_train=2) == (0, 0, 0, 1)
    assert paired_lift(a + 1, a, n_test=1, n_train=2) == (1, 1, 1, 0)


def test_correction_keeps_the_error_rate_where_the_plain_test_does_not():
    """Ten overlapping folds of pure noise: J dependent differences with correlation near n_test / n."""
    rng = np.random.default_rng(2)
    correlation, found, naive = 0.1, 0, 0
    for _ in range(400):
        shared = rng.normal() * math.sqrt(correlation)
        d = (shared + rng.normal(size=50) * math.sqrt(1 - correlation)).reshape(5, 10)
        found += paired_lift(d, 0 * d, n_test=1, n_train=9).p < 0.05
        naive += stats.ttest_1samp(d.ravel(), 0).pvalue < 0.05
    assert found / 400 < 0.08
    assert naive / 400 > 0.25


def test_mean_over_sets_by_hand():
    # t(4) at 97.5 % is 2.776445: standard errors 1 and 3, of 5 scores each.
    lifts = [Lift(2.0, 2 - 2.776445105, 2 + 2.776445105, 0.1), Lift(6.0, 6 - 3 * 2.776445105, 6 + 3 * 2.776445105, 0.1)]
    mean, spread, freedom = 4.0, math.sqrt(1 + 9) / 2, (1 + 9) ** 2 / (1 / 4 + 81 / 4)
    half = stats.t.ppf(0.975, freedom) * spread
    found = mean_lift(lifts, [5, 5])
    assert found == pytest.approx((mean, mean - half, mean + half, 2 * stats.t.sf(mean / spread, freedom)))
    narrower = mean_lift(lifts, [5, 5], confidence=0.5)
    assert found.low < narrower.low < narrower.high < found.high


def test_mean_of_one_set_is_its_lift():
    lift = paired_lift([[81.0, 83.0], [82.0, 82.0]], np.full((2, 2), 80.0), n_test=10, n_train=90)
    assert mean_lift([lift], [4]) == pytest.approx(lift)
    assert mean_lift([Lift(1, 1, 1, 0), Lift(2, 2, 2, 0)], [4, 4]) == (1.5, 1.5, 1.5, 0)
    assert mean_lift([Lift(0, 0, 0, 1)], [4]) == (0, 0, 0, 1)


def test_mean_over_sets_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(500):
        pairs = [
            (rng.normal(size=(1, 8)) * scale + truth, np.zeros((1, 8))) for truth, scale in ((1, 1), (-2, 4), (4, 9))
        ]
        lifts = [paired_lift(a, b, n_test=0, n_train=1) for a, b in pairs]
        found = mean_lift(lifts, [8] * 3)
        missed += not found.low <= 1 <= found.high
    assert 0.02 < missed / 500 < 0.09


@pytest.mark.parametrize(
    ("lifts", "counts", "confidence", "words"),
    [
        ([], [], 0.95, "at least one lift"),
        ([Lift(1, 0, 2, 0.05)], [4, 4], 0.95, "one count for each"),
        ([Lift(1, 0, 2, 0.05)], [1], 0.95, "at least 2 paired scores"),
        ([Lift(1, 0, 2, 0.05)], [4], 1.0, "confidence"),
    ],
)
def test_mean_over_sets_refuses(lifts, counts, confidence, words):
    with pytest.raises(ValueError, match=words):
        mean_lift(lifts, counts, confidence=confidence)


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> never falling.
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert list(holm({"b": 0.9, "a": 0.8}).items()) == [("b", 1.0), ("a", 1.0)]
    assert holm({}) == {}
    assert holm({"only": 0.03}) == {"only": 0.03}


def test_refusals():
    good = np.ones((2, 3))
    cases = [
        ((good, good[:1], {"n_test": 1, "n_train": 2}), "one shape"),
        ((good[0], good[0], {"n_test": 1, "n_train": 2}), "one shape"),
        ((good[:1, :1], good[:1, :1], {"n_test": 1, "n_train": 2}), "at least 2 paired scores, got 1"),
        ((good * np.nan, good, {"n_test": 1, "n_train": 2}), "finite"),
        ((good, good, {"n_test": -1, "n_train": 2}), "at least 0"),
        ((good, good, {"n_test": 1, "n_train": 0}), "positive"),
        ((good, good, {"n_test": 1, "n_train": 2, "confidence": 95}), "between 0 and 1"),
    ]
    for (a, b, options), message in cases:
        with pytest.raises(ValueError, match=message):
            paired_lift(a, b, **options)
    with pytest.raises(ValueError, match="got 1.5 for NCI1"):
        holm({"NCI1": 1.5})


def test_one_encoder_by_hand():
    # Differences 2, 3, -5, 2; means of the untrained 78.5 and 82.5, of variance 8 with one degree of freedom.
    one, others = [[80.0, 82.0], [79.0, 83.0]], [[78.0, 79.0], [84.0, 81.0]]
    lift = lift_of_one(one, others, n_test=10, n_train=90)
    within, between = (1 / 4 + 1 / 9) * np.var([2, 3, -5, 2], ddof=1), 1.5 * 8
    freedom = (within + between) ** 2 / (within**2 / 3 + between**2 / 1)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(within + between)
    assert lift == pytest.approx(
        (0.5, 0.5 - half, 0.5 + half, 2 * stats.t.sf(0.5 / (within + between) ** 0.5, freedom))
    )
    single = lift_of_one(one[:1], others[:1], n_test=10, n_train=90)
    assert single == paired_lift(one[:1], others[:1], n_test=10, n_train=90)
    assert lift_of_one(others, others, n_test=10, n_train=90)[0] == 0


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_an_untrained_encoder_has_no_lift_however_much_or_little_the_folds_vary(noise):
    """Networks whose scores differ by their weights; one more of them is no better than the others, nor worse."""
    rng = np.random.default_rng(3)
    found, naive = 0, 0
    for _ in range(400):
        weights = rng.normal(size=6)
        scores = weights[:, None] + noise * rng.normal(size=(6, 10))
        same = weights[5] + noise * rng.normal(size=(5, 10))
        found += lift_of_one(same, scores[:5], n_test=1, n_train=9).p < 0.05
        naive += paired_lift(same, scores[:5], n_test=1, n_train=9).p < 0.05
    assert found / 400 < 0.07
    assert noise > 1 or naive / 400 > 0.25
