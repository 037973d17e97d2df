"""Tuning on few labels: same folds for all, the test fold's labels never looked at before, resumable, table rows."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphcl.data import PackedDataset, load
from graphcl.evaluate import (
    finetune,
    finetune_on_few,
    format_table,
    label_splits,
    normalised_head,
    result_rows,
    semi_protocol,
    semi_runner,
    with_semi_tuning,
)
from graphcl.nn import GIN, GraphEncoder, mean_readout

GRAPHS = load("synthetic-molecules")[:90]
FEW = with_semi_tuning(semi_protocol("semi-supervised-10"), folds=3, epochs=12, lr=0.03)


def scratch(seed: int) -> GraphEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphEncoder(GIN(GRAPHS.num_features, 8, 2))


def labelled(y: torch.Tensor) -> list[Any]:
    graphs = [copy.copy(graph) for graph in GRAPHS]
    for graph, label in zip(graphs, y, strict=True):
        graph.y = label.reshape(1)
    return graphs


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Records every tuning."""
    calls: list[Any] = []

    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        return finetune(*args, **kwargs)

    monkeypatch.setattr(semi_runner, "finetune", count)
    return calls


def test_scores_are_those_of_finetune_on_the_splits_of_the_seed() -> None:
    found = finetune_on_few({"scratch": scratch, "GraphCL": lambda seed: scratch(seed + 7)}, GRAPHS, FEW, [0, 3])
    y = torch.cat([graph.y for graph in GRAPHS])
    for row, seed in enumerate((0, 3)):
        for fold, split in enumerate(label_splits(y, FEW, seed=seed)):
            parts = {part: torch.from_numpy(i) for part, i in zip(("train", "valid", "test"), split, strict=True)}
            one = finetune(
                scratch(seed + 7),
                GRAPHS,
                parts,
                classification=True,
                epochs=12,
                batch_size=128,
                lr=0.03,
                seed=seed,
                head=normalised_head,
            )
            assert found.scores["GraphCL"][row, fold] == 100 * one.test.mean
            assert found.validation["GraphCL"][row, fold] == 100 * max(one.valid)
            assert found.choice["GraphCL"][row, fold] == one.epoch == 1 + int(np.argmax(one.valid))
    assert found.num_tested == 90 and found.sizes == (30.0, 33.0)
    assert not np.array_equal(found.scores["GraphCL"], found.scores["scratch"])


def test_only_the_labels_that_were_drawn_are_looked_at() -> None:
    """With every other label of the training folds turned around, the scores are the same."""
    y = torch.cat([graph.y for graph in GRAPHS])
    split = label_splits(y, FEW, seed=0)[0]
    hidden = np.setdiff1d(np.arange(90), np.concatenate(split))
    turned = y.clone()
    turned[hidden] = 1 - turned[hidden]
    parts = {part: torch.from_numpy(i) for part, i in zip(("train", "valid", "test"), split, strict=True)}
    runs = [
        finetune(scratch(0), labelled(labels), parts, classification=True, epochs=12, lr=0.03) for labels in (y, turned)
    ]
    assert runs[0].valid == runs[1].valid and runs[0].test.mean == runs[1].test.mean
    # Those of the test fold are looked at once, after everything was chosen.
    wrong = y.clone()
    wrong[split.test] = 1 - wrong[split.test]
    last = finetune(scratch(0), labelled(wrong), parts, classification=True, epochs=12, lr=0.03)
    assert last.valid == runs[0].valid and last.epoch == runs[0].epoch
    assert last.test.mean == pytest.approx(1 - runs[0].test.mean)


def test_scores_of_another_network_with_the_same_weights_or_of_other_graphs_are_not_taken(
    tmp_path: Path, tuned: list[Any]
) -> None:
    few = with_semi_tuning(FEW, epochs=1)

    def run(make: Callable[[int], GraphEncoder] = scratch, graphs: Any = GRAPHS) -> int:
        finetune_on_few({"scratch": make}, graphs, few, [0], raw=tmp_path / "raw.csv")
        return len(tuned)

    other = labelled(torch.cat([graph.y for graph in GRAPHS]))
    assert [run(), run(graphs=PackedDataset(other, graph_id=True))] == [3, 3]
    assert run(lambda seed: GraphEncoder(scratch(seed).gnn, mean_readout)) == 6
    other[0].x = other[0].x.flip(0) + 1
    assert [run(graphs=other), run(graphs=other)] == [9, 9]


def test_interrupted_it_goes_on_where_it_stopped(tmp_path: Path, tuned: list[Any]) -> None:
    path, seen = tmp_path / "raw.csv", []
    encoders: dict[str, Callable[[int], GraphEncoder]] = {"scratch": scratch}

    def stop(method: str, seed: int) -> None:
        seen.append((method, seed))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune_on_few(encoders, GRAPHS, FEW, [0, 1], raw=path, progress=stop)
    assert len(tuned) == 3 and seen == [("scratch", 0)]
    whole = finetune_on_few(encoders, PackedDataset(GRAPHS), FEW, [0, 1], raw=path)
    assert len(tuned) == 6
    again = finetune_on_few(encoders, GRAPHS, FEW, [0, 1], raw=path)
    assert len(tuned) == 6
    np.testing.assert_array_equal(whole.scores["scratch"], again.scores["scratch"])
    np.testing.assert_array_equal(whole.choice["scratch"], again.choice["scratch"])
    finetune_on_few(encoders, GRAPHS, with_semi_tuning(FEW, lr=0.1), [0], raw=path)
    finetune_on_few({"scratch": lambda seed: scratch(9)}, GRAPHS, FEW, [0], raw=path)
    assert len(tuned) == 12  # other settings, other weights
    for _ in range(2):
        finetune_on_few(encoders, GRAPHS, with_semi_tuning(FEW, encoder_lr=1e-3), [0], raw=path)
    assert len(tuned) == 15


def test_rows_compare_with_scratch() -> None:
    found = finetune_on_few({"scratch": scratch, "GraphCL": lambda seed: scratch(seed + 7)}, GRAPHS, FEW, [0, 1])
    rows = result_rows(found, dataset="toy")
    assert [(row.method, row.protocol, row.metric) for row in rows] == [
        ("scratch", "semi-supervised-10-3-folds-12-epochs-lr-0.03", "accuracy"),
        ("GraphCL", "semi-supervised-10-3-folds-12-epochs-lr-0.03", "accuracy"),
    ]
    lift = (found.scores["GraphCL"] - found.scores["scratch"]).mean()
    assert rows[1].lift == pytest.approx(lift) and rows[0].lift is None
    assert rows[1].lift_low is not None and rows[1].lift_low < lift
    assert (rows[1].folds, rows[1].n_test, rows[1].split_hash) == (3, 90, found.split_hash)
    assert "accuracy in %, 2 seeds x 3 folds, 90 graphs" in format_table(rows)
    assert "lift over scratch" in format_table(rows)


def test_refusals() -> None:
    for encoders, seeds, words in (
        ({"scratch": scratch}, [], "at least one seed"),
        ({"scratch": scratch}, [1, 1], "each once"),
        ({}, [0], "at least one encoder"),
    ):
        with pytest.raises(ValueError, match=words):
            finetune_on_few(encoders, GRAPHS, FEW, seeds)
