import datetime

import numpy as np
import pytest

import graphcl
from graphcl.evaluate import Evaluation, Note, Provenance, paired_lift, protocol, result_rows
from graphcl.evaluate.rows import _lift

RNG = np.random.default_rng(0)
UNTRAINED, TRAINED = RNG.uniform(70, 80, size=(2, 5, 10))


def evaluation(**accuracy):
    return Evaluation(
        protocol=protocol("tu-rbf-svm"),
        seeds=(0, 1, 2, 3, 4),
        tables={"accuracy": accuracy},
        choice={name: np.ones((5, 10)) for name in accuracy},
        validation=accuracy,
        unconverged=dict.fromkeys(accuracy, 0),
        seconds=dict.fromkeys(accuracy, 2.5),
        num_tested=200,
        sizes=(20, 180),
        split_hash="abc",
    )


def test_rows_carry_scores_lift_and_origin():
    baseline, trained = result_rows(
        evaluation(untrained=UNTRAINED, GraphCL=TRAINED),
        dataset="MUTAG",
        features="constant",
        notes={"GraphCL": Note(epochs=20, selected_by="fixed epoch", published=86.8, published_source="You et al.")},
        provenance=Provenance(command="graphcl table", device="cuda", date="2026-01-02"),
    )
    lift = paired_lift(TRAINED, UNTRAINED, n_test=20, n_train=180)
    assert (trained.lift, trained.lift_low, trained.lift_high, trained.p) == lift
    assert trained.mean == pytest.approx(TRAINED.mean())
    assert trained.std == pytest.approx(TRAINED.mean(1).std(ddof=1))
    assert trained.std_folds == pytest.approx(TRAINED.std(1, ddof=1).mean())
    assert (trained.seeds, trained.folds, trained.n_test, trained.std_over) == (5, 10, 200, "seeds")
    assert (trained.epochs, trained.selected_by, trained.published) == (20, "fixed epoch", 86.8)
    assert (trained.split_hash, trained.seconds, trained.command) == ("abc", 2.5, "graphcl table")
    assert (trained.device, trained.date, trained.version) == ("cuda", "2026-01-02", graphcl.__version__)
    assert (baseline.lift, baseline.p, baseline.epochs, baseline.features) == (None, None, None, "constant")


def test_no_lift_without_the_baseline():
    (row,) = result_rows(evaluation(GraphCL=TRAINED), dataset="MUTAG")
    assert row.lift is None
    assert row.date == datetime.date.today().isoformat()


def test_notes_on_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="expected notes on GraphCL, got one on GRACE"):
        result_rows(evaluation(GraphCL=TRAINED), dataset="MUTAG", notes={"GRACE": Note()})


def test_a_lift_may_be_over_another_row():
    rows = result_rows(
        evaluation(untrained=UNTRAINED, other=UNTRAINED + 1, A=TRAINED, B=TRAINED, C=TRAINED),
        dataset="MUTAG",
        over={"B": "other", "C": None},
    )
    lifts = {row.method: row.lift for row in rows}
    of_a = (TRAINED - UNTRAINED).mean()
    assert lifts == {
        "untrained": None,
        "other": None,
        "A": pytest.approx(of_a),
        "B": pytest.approx(of_a - 1),
        "C": None,
    }
    with pytest.raises(ValueError, match="got nothing"):
        result_rows(evaluation(A=TRAINED), dataset="MUTAG", over={"A": "nothing"})


def test_no_interval_of_differences_that_are_all_alike():
    scores = {"untrained": np.array([[75.0], [65.0]]), "mine": np.array([[90.0], [80.0]])}
    row = _lift(scores["mine"], scores["untrained"], None, False)
    assert row == {"lift": 15.0}
