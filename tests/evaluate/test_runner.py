import numpy as np
import pytest

from graphcl.errors import DataError
from graphcl.evaluate import (
    Protocol,
    evaluate_embeddings,
    fold_scores,
    kernel_fold_scores,
    kmeans_scores,
    protocol,
    raw_path,
    read_results,
    result_rows,
    retrieval_precision,
    runner,
    split_hash,
    stratified_folds,
    with_folds,
    write_results,
)

FEW = with_folds(protocol("tu-rbf-svm"), 4, 2)
SEEDS = [0, 3]
Y = np.arange(48) % 2
RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(48, 3)) + Y[:, None]
TRAINED = [RNG.normal(size=(48, 3)) + 2 * Y[:, None] for _ in SEEDS]
EMBEDDINGS = {"raw": [RAW] * 2, "GraphCL": TRAINED}


@pytest.fixture
def computed(monkeypatch):
    """Records how many folds were really computed."""
    folds = []

    def count(*args, only, **kwargs):
        folds.extend(only)
        return fold_scores(*args, only=only, **kwargs)

    monkeypatch.setattr(runner, "fold_scores", count)
    return folds


def same(a, b):
    for method in a.scores:
        np.testing.assert_array_equal(a.scores[method], b.scores[method])
        np.testing.assert_array_equal(a.choice[method], b.choice[method])
        np.testing.assert_array_equal(a.validation[method], b.validation[method])


def test_scores_are_those_of_the_probe_with_the_seed_of_the_model():
    kernel = RAW @ RAW.T
    found = evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, kernels={"wl": kernel})
    assert list(found.scores) == ["raw", "GraphCL", "wl"]
    for row, seed in enumerate(SEEDS):
        expected = {
            "raw": fold_scores(RAW, Y, FEW, seed=seed),
            "GraphCL": fold_scores(TRAINED[row], Y, FEW, seed=seed),
            "wl": kernel_fold_scores(kernel, Y, FEW, seed=seed),
        }
        for method, scores in expected.items():
            assert found.scores[method][row].tolist() == [100 * score.accuracy for score in scores]
            assert found.choice[method][row].tolist() == [score.penalty for score in scores]
            assert found.validation[method][row].tolist() == [100 * score.validation for score in scores]
    assert found.split_hash == split_hash([stratified_folds(Y, 4, seed=seed) for seed in SEEDS])
    assert (found.num_tested, found.sizes, found.baseline) == (48, (12, 36), "untrained")


def test_second_run_reads_and_gives_the_same(tmp_path, computed):
    path = raw_path(tmp_path / "raw", "toy", FEW)
    seen = []
    first = evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path, progress=lambda *done: seen.append(done))
    assert len(computed) == 16
    assert seen == [("raw", 0), ("raw", 3), ("GraphCL", 0), ("GraphCL", 3)]
    before = path.read_bytes()
    second = evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path)
    assert len(computed) == 16
    assert path.read_bytes() == before
    same(first, second)
    assert first.seconds == pytest.approx(second.seconds)
    same(first, evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS))


def test_only_what_is_missing_is_computed(tmp_path, computed):
    path = tmp_path / "raw.csv"
    first = evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:7]))  # header, four folds of raw/0, two of raw/3
    computed.clear()
    second = evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path)
    assert computed == [2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    same(first, second)
    assert [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()] == [
        line.rsplit(",", 2)[0] for line in "".join(lines).splitlines()
    ]


def test_an_interrupted_run_keeps_what_it_had(tmp_path, computed):
    path = tmp_path / "raw.csv"

    def stop(method, seed):
        if (method, seed) == ("raw", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path, progress=stop)
    computed.clear()
    evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path)
    assert len(computed) == 8


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"embeddings": {"raw": [RAW] * 2, "GraphCL": [TRAINED[0], TRAINED[1] + 1e-9]}}, 4),
        ({"labels": Y[::-1].copy()}, 16),
        ({"protocol": with_folds(protocol("tu-rbf-svm-scaled"), 4, 2)}, 16),
        ({"embeddings": EMBEDDINGS | {"new": TRAINED}}, 8),
        ({"embeddings": {"raw": [RAW.astype("f4").astype("f8")] * 2, "GraphCL": TRAINED}}, 8),
    ],
)
def test_what_changed_is_computed_anew(tmp_path, computed, change, again):
    path = tmp_path / "raw.csv"
    call = {"embeddings": EMBEDDINGS, "labels": Y, "protocol": FEW, "seeds": SEEDS}
    evaluate_embeddings(**call, raw=path)
    computed.clear()
    second = evaluate_embeddings(**(call | change), raw=path)
    assert len(computed) == again
    same(second, evaluate_embeddings(**(call | change)))


def test_rows_of_other_methods_and_seeds_stay(tmp_path, computed):
    path = tmp_path / "raw.csv"
    evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=path)
    evaluate_embeddings({"other": [RAW]}, Y, FEW, [7], raw=path)
    computed.clear()
    evaluate_embeddings(EMBEDDINGS | {"other": [RAW, RAW]}, Y, FEW, SEEDS, raw=path)
    assert len(computed) == 8


def test_fits_without_convergence_are_reported():
    hasty = Protocol(name="hasty", kernel="linear", scaler=True, folds=3, inner_folds=2, max_iter=1)
    with pytest.warns(RuntimeWarning, match=r"hasty: LinearSVC fits that reached max_iter=1: \d+ for raw, of 45 "):
        found = evaluate_embeddings({"raw": [RAW]}, Y, hasty, [0])
    assert 0 < found.unconverged["raw"] <= 45


def test_usual_limit_is_not_reached():
    calm = with_folds(protocol("tu-linear-svm"), 3, 2)
    assert evaluate_embeddings({"raw": [RAW]}, Y, calm, [0]).unconverged == {"raw": 0}  # and no warning


def test_neighbours_are_scored_on_the_same_folds():
    few = with_folds(protocol("graph-knn"), 4, 2)
    found = evaluate_embeddings(EMBEDDINGS, Y, few, SEEDS, kernels={"wl": RAW @ RAW.T})
    assert found.split_hash == evaluate_embeddings({"raw": [RAW] * 2}, Y, FEW, SEEDS).split_hash
    for row, seed in enumerate(SEEDS):
        expected = [100 * score.accuracy for score in fold_scores(TRAINED[row], Y, few, seed=seed)]
        assert found.tables["accuracy"]["GraphCL"][row].tolist() == expected
    # The cosine in the space of a linear kernel is the cosine of the rows.
    np.testing.assert_array_equal(found.scores["wl"], found.scores["raw"])


def test_clusters_and_retrieval_are_those_of_their_functions():
    unit = TRAINED[1] / np.linalg.norm(TRAINED[1], axis=1, keepdims=True)
    clusters = evaluate_embeddings(EMBEDDINGS, Y, with_folds(protocol("graph-kmeans"), 3), SEEDS)
    expected = [kmeans_scores(unit, Y, run=run) for run in range(3)]
    for metric in ("nmi", "ari"):
        assert clusters.tables[metric]["GraphCL"].shape == (2, 3)
        np.testing.assert_allclose(clusters.tables[metric]["GraphCL"][1], [100 * run[metric] for run in expected])
    nearest = evaluate_embeddings(EMBEDDINGS, Y, protocol("graph-retrieval"), SEEDS)
    assert list(nearest.tables) == ["precision@1", "precision@5", "precision@10"]
    for k, value in retrieval_precision(TRAINED[1], Y, k=(1, 5, 10)).items():
        assert nearest.tables[f"precision@{k}"]["GraphCL"][1].tolist() == [100 * value]
    assert nearest.sizes is clusters.sizes is None
    assert nearest.num_tested == 48 and np.isnan(nearest.validation["raw"]).all()


@pytest.mark.parametrize("name", ["graph-kmeans", "graph-retrieval"])
def test_a_kernel_stands_for_the_vectors_whose_products_it_has(name):
    found = evaluate_embeddings({"raw": [RAW] * 2}, Y, protocol(name), SEEDS, kernels={"wl": RAW @ RAW.T})
    for table in found.tables.values():
        np.testing.assert_allclose(table["wl"], table["raw"])
    nothing = evaluate_embeddings({}, Y, protocol(name), [0], kernels={"wl": np.zeros((48, 48))})
    assert all(np.isfinite(table["wl"]).all() for table in nothing.tables.values())


@pytest.mark.parametrize("name", ["graph-kmeans", "graph-retrieval"])
def test_runs_are_kept_on_disk_and_rows_made_of_them(tmp_path, monkeypatch, name):
    path, calls, score_run = raw_path(tmp_path, "toy", protocol(name)), [], runner.score_run
    monkeypatch.setattr(runner, "score_run", lambda *args: calls.append(args) or score_run(*args))
    embeddings = EMBEDDINGS | {"untrained": [RAW, TRAINED[0]]}
    first = evaluate_embeddings(embeddings, Y, protocol(name), SEEDS, raw=path, n_jobs=2)
    # Raw rows are the same for both seeds, and computed once.
    assert len(calls) == protocol(name).folds * 5
    second = evaluate_embeddings(embeddings, Y, protocol(name), SEEDS, raw=path)
    assert len(calls) == protocol(name).folds * 5
    evaluate_embeddings(embeddings, np.roll(Y, 1), protocol(name), SEEDS, raw=path)
    assert len(calls) == protocol(name).folds * 10  # other labels
    for metric, table in first.tables.items():
        for method, scores in table.items():
            np.testing.assert_array_equal(scores, second.tables[metric][method])
    rows = result_rows(first, dataset="toy")
    assert [row.metric for row in rows[::3]] == list(protocol(name).metrics)
    trained = next(row for row in rows if row.method == "GraphCL")
    table = first.tables[trained.metric]
    assert trained.lift == pytest.approx((table["GraphCL"] - table["untrained"]).mean())
    assert trained.lift_low is not None  # over the seeds
    assert (trained.n_test, trained.folds) == (48, protocol(name).folds)
    write_results(tmp_path / "table.csv", rows)
    assert [row.mean for row in read_results(tmp_path / "table.csv")] == pytest.approx([row.mean for row in rows], 1e-4)


def test_clusters_need_no_class_in_every_fold():
    y = np.array([0] * 47 + [1])
    found = evaluate_embeddings({"raw": [RAW]}, y, with_folds(protocol("graph-kmeans"), 1), [0])
    assert found.tables["nmi"]["raw"].shape == (1, 1)
    with pytest.raises(ValueError, match="at least 2 classes"):
        evaluate_embeddings({"raw": [RAW]}, 0 * y, protocol("graph-retrieval"), [0])
    with pytest.raises(ValueError, match="n_jobs of at least 1"):
        evaluate_embeddings({"raw": [RAW]}, y, protocol("graph-retrieval"), [0], n_jobs=0)


def test_refusals(tmp_path):
    cases = [
        ((EMBEDDINGS, Y, FEW, []), {}, "at least one seed"),
        ((EMBEDDINGS, Y, FEW, [1, 1]), {}, r"each once, got \[1, 1\]"),
        ((EMBEDDINGS, Y, FEW, [1]), {}, "expected 1 embeddings of raw, one for each seed, got 2"),
        (({}, Y, FEW, SEEDS), {}, "at least one method"),
        ((EMBEDDINGS | {"short": [RAW[:5]] * 2}, Y, FEW, SEEDS), {}, "expected 48 graphs in all .* got 5 for short"),
        ((EMBEDDINGS | {"broken": [RAW, RAW * np.nan]}, Y, FEW, SEEDS), {}, "finite embeddings of broken, got 144 NaN"),
        ((EMBEDDINGS, Y, FEW, SEEDS), {"kernels": {"raw": np.eye(48)}}, "got both for raw"),
    ]
    for args, options, message in cases:
        with pytest.raises(ValueError, match=message):
            evaluate_embeddings(*args, **options)
    for embeddings, message in ((RAW, "write {'mine': .embeddings.}"), ({"mine": RAW}, "one array per seed for mine")):
        with pytest.raises(TypeError, match=message):
            evaluate_embeddings(embeddings, Y, FEW, SEEDS)
    bad = tmp_path / "bad.csv"
    evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=bad)
    bad.write_text(bad.read_text().replace("raw,0,0", "raw,zero,0"))
    with pytest.raises(DataError, match=r"bad.csv, row 1: .*zero"):
        evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=bad)
    bad.write_text("method,seed,fold,accuracy,penalty,unconverged,seconds,key\nraw,0,0,0.5,1.0,0,0.1,abc\n")
    with pytest.raises(DataError, match="expected the columns method,seed,split,.* got method,seed,fold,.* move"):
        evaluate_embeddings(EMBEDDINGS, Y, FEW, SEEDS, raw=bad)


def test_rows_that_another_process_writes_meanwhile_stay(tmp_path):
    path, kept = tmp_path / "raw.csv", {"raw": [RAW] * 2}

    def meanwhile(method, seed):
        if seed == SEEDS[0]:
            evaluate_embeddings({"GraphCL": TRAINED}, Y, FEW, SEEDS, raw=path)

    evaluate_embeddings(kept, Y, FEW, SEEDS, raw=path, progress=meanwhile)
    before = path.read_text()
    assert len(before.splitlines()) == 1 + 2 * 2 * FEW.folds
    evaluate_embeddings(kept | {"GraphCL": TRAINED}, Y, FEW, SEEDS, raw=path)
    assert path.read_text() == before
