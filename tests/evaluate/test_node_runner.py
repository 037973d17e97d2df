import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import normalize
from torch_geometric.data import Data

from graphcl.data import load
from graphcl.errors import DataError
from graphcl.evaluate import (
    NodeModel,
    evaluate_links,
    evaluate_nodes,
    format_table,
    kmeans_scores,
    link_score,
    link_split,
    merge_results,
    node_protocol,
    node_runner,
    node_score,
    node_split_hash,
    node_splits,
    paired_lift,
    raw_path,
    read_results,
    result_rows,
    with_splits,
    write_results,
)

RNG = np.random.default_rng(0)
SEEDS = [0, 3]
Y = np.arange(120) % 3
BASE = [RNG.normal(size=(120, 4)) + 0.5 * np.eye(4)[Y] for _ in SEEDS]
GOOD = [RNG.normal(size=(120, 4)) + 4 * np.eye(4)[Y] for _ in SEEDS]
EMBEDDINGS = {"raw": [BASE[0]] * 2, "untrained": BASE, "GRACE": GOOD}
FEW = with_splits(replace(node_protocol("node-linear-random"), grid=(0.1, 1.0), train=0.2), 4)


def graph(**more):
    return Data(y=torch.from_numpy(Y), num_nodes=120, **more)


def masks(count):
    parts = np.stack([RNG.permutation(120) for _ in range(count)], axis=1)
    bounds = {"train_mask": parts < 30, "val_mask": (parts >= 30) & (parts < 50), "test_mask": parts >= 50}
    return {key: torch.from_numpy(mask if count > 1 else mask[:, 0]) for key, mask in bounds.items()}


@pytest.fixture
def computed(monkeypatch):
    """Records every split that was really computed."""
    done = []
    score = node_runner.score_split

    def count(*args, **kwargs):
        done.append(args)
        return score(*args, **kwargs)

    monkeypatch.setattr(node_runner, "score_split", count)
    return done


def same(a, b):
    for metric, table in a.tables.items():
        for method in table:
            np.testing.assert_array_equal(table[method], b.tables[metric][method])
    assert (a.split_hash, a.sizes, a.num_tested) == (b.split_hash, b.sizes, b.num_tested)


def test_scores_are_those_of_the_probe_on_the_same_splits_for_all():
    found = evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS)
    splits = node_splits(graph(), FEW)
    for method in ("untrained", "GRACE"):
        for row, x in enumerate(EMBEDDINGS[method]):
            expected = [node_score(x, Y, split, FEW) for split in splits]
            assert found.tables["accuracy"][method][row].tolist() == [100 * score.score for score in expected]
            assert found.choice[method][row].tolist() == [score.choice for score in expected]
            assert found.validation[method][row].tolist() == [100 * score.validation for score in expected]
    assert found.split_hash == node_split_hash(splits)
    assert (found.num_tested, found.sizes) == (84, (84, 36))


def test_raw_features_have_rows_of_length_one():
    found = evaluate_nodes({"raw": [BASE[0]], "same": [BASE[0]]}, graph(), FEW, [0])
    unit = replace(FEW, scaler="none")
    expected = [100 * node_score(normalize(BASE[0]), Y, split, unit).score for split in node_splits(graph(), FEW)]
    assert found.tables["accuracy"]["raw"][0] == pytest.approx(expected)
    assert not np.array_equal(found.tables["accuracy"]["raw"], found.tables["accuracy"]["same"])


def test_a_second_run_reads_and_gives_the_same(tmp_path, computed):
    path = raw_path(tmp_path / "raw", "Cora", FEW)
    first = evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS, raw=path)
    assert len(computed) == 4 + 8 + 8  # raw features are the same for both seeds
    before = path.read_bytes()
    second = evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS, raw=path)
    assert len(computed) == 20 and path.read_bytes() == before
    same(first, second)
    same(first, evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS, n_jobs=3))
    assert first.seconds == pytest.approx(second.seconds)


def test_an_interrupted_run_keeps_what_it_had(tmp_path, computed):
    path = tmp_path / "raw.csv"

    def stop(method, seed):
        if (method, seed) == ("untrained", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS, raw=path, progress=stop)
    computed.clear()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))  # a kill in between
    evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS, raw=path)
    assert len(computed) == 8 + 2


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"embeddings": EMBEDDINGS | {"GRACE": [GOOD[0], GOOD[1] + 1e-9]}}, 4),
        ({"data": Data(y=torch.from_numpy(Y[::-1].copy()), num_nodes=120)}, 20),
        ({"protocol": replace(FEW, grid=(0.1, 10.0))}, 20),
        ({"protocol": with_splits(FEW, 5)}, 25),
        ({"protocol": replace(FEW, name="renamed")}, 0),
    ],
)
def test_what_changed_is_computed_anew(tmp_path, computed, change, again):
    path = tmp_path / "raw.csv"
    call = {"embeddings": EMBEDDINGS, "data": graph(), "protocol": FEW, "seeds": SEEDS}
    evaluate_nodes(**call, raw=path)
    computed.clear()
    evaluate_nodes(**(call | change), raw=path)
    assert len(computed) == again


def test_the_lift_is_paired_and_corrected_by_the_sizes_of_the_split():
    found = evaluate_nodes(EMBEDDINGS, graph(), FEW, SEEDS)
    raw, untrained, grace = result_rows(found, dataset="toy")
    scores = found.tables["accuracy"]
    lift = paired_lift(scores["GRACE"], scores["untrained"], n_test=84, n_train=36)
    assert (grace.lift, grace.lift_low, grace.lift_high, grace.p) == lift
    assert (untrained.lift, raw.folds, grace.n_test, grace.seeds, grace.metric) == (None, 4, 84, 2, "accuracy")
    text = format_table([raw, untrained, grace])
    assert "toy, node-linear-random-10-10-80-4-splits: accuracy in %, 2 seeds x 4 splits, 84 nodes a split" in text


def test_on_the_public_split_the_interval_is_over_seeds():
    data = graph(**masks(1))
    found = evaluate_nodes(EMBEDDINGS, data, node_protocol("node-linear-public"), SEEDS)
    assert found.sizes is None and found.tables["accuracy"]["GRACE"].shape == (2, 1)
    scores = found.tables["accuracy"]
    row = result_rows(found, dataset="toy")[2]
    assert row.lift_high == pytest.approx(paired_lift(scores["GRACE"], scores["untrained"], n_test=0, n_train=1).high)
    one = evaluate_nodes({key: value[:1] for key, value in EMBEDDINGS.items()}, data, node_protocol("ogb-linear"), [0])
    row = result_rows(one, dataset="toy")[2]
    assert row.lift is not None and (row.lift_low, row.lift_high, row.p) == (None, None, None)
    assert f"{row.lift:+.2f}" in format_table([row]) and "1 seed x 1 split" in format_table([row])


def test_fixed_splits_are_resampled_data():
    found = evaluate_nodes(EMBEDDINGS, graph(**masks(10)), node_protocol("node-fixed-splits"), SEEDS)
    assert found.tables["accuracy"]["GRACE"].shape == (2, 10) and found.sizes == (70, 50)


def test_clusters_give_two_metrics_and_every_run_counts(tmp_path):
    settings = with_splits(node_protocol("kmeans"), 3)
    found = evaluate_nodes(EMBEDDINGS, graph(), settings, SEEDS, raw=tmp_path / "raw.csv")
    expected = [kmeans_scores(normalize(GOOD[1]), Y, run=run) for run in range(3)]
    for metric in ("nmi", "ari"):
        assert found.tables[metric]["GRACE"][1].tolist() == pytest.approx([100 * s[metric] for s in expected])
    rows = result_rows(found, dataset="toy")
    assert [(row.metric, row.method) for row in rows] == [(m, n) for m in ("nmi", "ari") for n in EMBEDDINGS]
    mean = [found.tables["nmi"][name].mean(axis=1)[:, None] for name in ("GRACE", "untrained")]
    assert rows[2].p == pytest.approx(paired_lift(*mean, n_test=0, n_train=1).p)  # runs are no new data
    write_results(tmp_path / "node.csv", rows)
    write_results(tmp_path / "node.csv", rows)
    assert [row.key for row in read_results(tmp_path / "node.csv")] == [row.key for row in rows]
    assert len(merge_results(rows, rows)) == 6
    assert "nmi in %, 2 seeds x 3 runs, 120 nodes a split" in format_table(rows)
    same(found, evaluate_nodes(EMBEDDINGS, graph(), settings, SEEDS, raw=tmp_path / "raw.csv"))


class Oracle(NodeModel):
    """Right on every node but the first `wrong` test nodes."""

    def __init__(self, wrong):
        self.wrong, self.calls = wrong, 0

    @property
    def key(self):
        return f"oracle {self.wrong}"

    def __call__(self, split, seed):
        self.calls += 1
        scores = np.eye(3)[Y]
        scores[split.test[: self.wrong]] *= -1
        return scores


def test_models_are_scored_on_the_same_splits(tmp_path):
    oracle = Oracle(21)
    call = {"models": {"supervised": oracle}, "raw": tmp_path / "raw.csv"}
    found = evaluate_nodes({"untrained": BASE}, graph(), FEW, SEEDS, **call)
    assert found.tables["accuracy"]["supervised"].tolist() == [[75.0] * 4] * 2
    evaluate_nodes({"untrained": BASE}, graph(), FEW, SEEDS, **call)
    assert oracle.calls == 8
    with pytest.raises(ValueError, match="a protocol that learns from labels, got kmeans"):
        evaluate_nodes({}, graph(), node_protocol("kmeans"), [0], models={"supervised": oracle})
    with pytest.raises(ValueError, match="got both for raw"):
        evaluate_nodes({"raw": [BASE[0]]}, graph(), FEW, [0], models={"raw": oracle})

    class Broken(Oracle):
        def __call__(self, split, seed):
            return np.full((120, 3), np.nan)

    with pytest.raises(ValueError, match=r"expected finite scores \[120, 3\] from oracle 0"):
        evaluate_nodes({}, graph(), FEW, [0], models={"supervised": Broken(0)})


def test_links_are_scored_on_the_split_of_their_seed(tmp_path):
    network = load("synthetic-social")[0]
    splits = [link_split(network, seed=seed) for seed in SEEDS]
    settings = replace(node_protocol("link"), grid=(0.01, 1.0))
    embeddings = {name: [RNG.normal(size=(1000, 4)) for _ in SEEDS] for name in ("untrained", "GRACE")}
    found = evaluate_links(embeddings, splits, settings, SEEDS, raw=tmp_path / "raw.csv")
    expected = link_score(embeddings["GRACE"][1], splits[1], settings)
    assert {metric: table["GRACE"][1, 0] for metric, table in found.tables.items()} == pytest.approx(
        {metric: 100 * score for metric, score in expected.scores.items()}
    )
    same(found, evaluate_links(embeddings, splits, settings, SEEDS, raw=tmp_path / "raw.csv"))
    rows = result_rows(found, dataset="synthetic-social")
    assert [row.metric for row in rows[::2]] == ["auc", "mrr", "hits@50"] and rows[1].lift_low is not None
    assert "996 pairs a split" in format_table(rows)
    tested = splits[0].test.shape[1]
    assert found.sizes == (tested, splits[0].train.shape[1] + splits[0].validation.shape[1])
    # The interval is corrected for what is tested, whatever the shares of the protocol, and raw features are products.
    plain = graph().clone()
    plain.edge_index = torch.combinations(torch.arange(120)).T
    plain.edge_index = torch.cat([plain.edge_index[:, ::8], plain.edge_index[:, ::8].flip(0)], 1)
    half = [link_split(plain, seed=seed, validation=0.1, test=0.4) for seed in SEEDS]
    given = {"raw": BASE, "same": BASE}
    found = evaluate_links(given, half, settings, SEEDS)
    assert found.sizes == pytest.approx((357, 536), abs=1)
    assert found.scores["raw"].tolist() == found.scores["same"].tolist()
    with pytest.raises(ValueError, match="expected 2 splits, one for each seed, got 1"):
        evaluate_links(embeddings, splits[:1], settings, SEEDS)
    with pytest.raises(ValueError, match="got knn; use evaluate_nodes"):
        evaluate_links(embeddings, splits, node_protocol("knn"), SEEDS)
    with pytest.raises(ValueError, match="got link; use evaluate_links"):
        evaluate_nodes(embeddings, network, node_protocol("link"), SEEDS)


def test_fits_without_convergence_are_reported():
    hasty = replace(FEW, max_iter=1, grid=(1.0,))
    with pytest.warns(RuntimeWarning, match=r"logistic regressions that reached max_iter=1: \d+ for untrained; "):
        evaluate_nodes({"untrained": BASE}, graph(), hasty, SEEDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate_nodes({"untrained": BASE}, graph(), FEW, SEEDS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ((EMBEDDINGS, graph(), FEW, []), "at least one seed"),
        ((EMBEDDINGS, graph(), FEW, [1, 1]), r"each once, got \[1, 1\]"),
        ((EMBEDDINGS, graph(), FEW, [1]), "expected 1 embeddings of raw, one for each seed, got 2"),
        (({}, graph(), FEW, SEEDS), "at least one method"),
        (({"a": [BASE[0][:9]]}, graph(), FEW, [0]), "expected 120 rows in the embeddings of a, one per node, got 9"),
        (({"a": [BASE[0] * np.nan]}, graph(), FEW, [0]), "expected finite embeddings of a"),
        (({"a": [BASE[0]]}, graph(), node_protocol("node-linear-public"), [0]), "without train_mask"),
        (({"a": [BASE[0]]}, Data(y=torch.full((120,), torch.nan), num_nodes=120), FEW, [0]), "got NaN for 120 of 120"),
        (
            ({"a": [np.eye(2)]}, Data(y=torch.tensor([0, 0]), num_nodes=2), node_protocol("kmeans"), [0]),
            "at least 2 classes",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        evaluate_nodes(*call)


def test_a_spoiled_raw_file_is_named(tmp_path):
    path = tmp_path / "bad.csv"
    evaluate_nodes({"raw": [BASE[0]]}, graph(), FEW, [0], raw=path)
    path.write_text(path.read_text().replace("raw,0,0", "raw,zero,0"))
    with pytest.raises(DataError, match=r"bad.csv, row 1: .*zero"):
        evaluate_nodes({"raw": [BASE[0]]}, graph(), FEW, [0], raw=path)
