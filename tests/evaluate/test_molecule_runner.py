"""Scores of encoders of molecules: on one split, seed by seed, beside scratch or untrained, and gone on with."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from graphcl.data import MoleculeDataset, PackedDataset, from_smiles_list, split_digest
from graphcl.evaluate import (
    MoleculeProtocol,
    evaluate_molecules,
    finetune_molecules,
    fingerprint_scores,
    format_table,
    linear_scores,
    molecule_protocol,
    result_rows,
    task_average_precision,
    task_rmse,
    with_tuning,
)
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout, sum_readout

NAN = float("nan")
SMILES = ["C" * (1 + n // 2) + "ON"[n % 2] for n in range(32)]
LABELS = torch.stack([torch.arange(32) % 2, torch.ones(32)], 1).float()  # the second task cannot be scored
SPLIT = {"train": torch.arange(16), "valid": torch.arange(16, 24), "test": torch.arange(24, 32)}
LINEAR = molecule_protocol("moleculenet-linear")
FEW = with_tuning(molecule_protocol("moleculenet-finetune"), epochs=3, batch_size=8)


def molecules(y: torch.Tensor = LABELS) -> MoleculeDataset:
    dataset = from_smiles_list(SMILES)
    dataset._data.y, dataset.slices["y"] = y, dataset.slices["row"]
    return dataset


def scratch(seed: int, dropout: float = 0.0) -> GraphEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphEncoder(MoleculeEncoder(8, 2, dropout=dropout), mean_readout)


def test_frozen_scores_are_those_of_the_probe_and_of_fingerprints() -> None:
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(32, 3)) + LABELS[:, :1].numpy() for _ in range(2)]
    found = evaluate_molecules(
        {"untrained": x[::-1], "Mine": x}, LABELS, SPLIT, LINEAR, [0, 1], classification=True, smiles=SMILES
    )
    for seed in range(2):
        expected = linear_scores(x[seed], LABELS, SPLIT, classification=True)
        assert found.scores["Mine"][seed, 0] == 100 * expected.test.mean
        assert found.validation["Mine"][seed, 0] == 100 * expected.valid.mean
        forest = fingerprint_scores(SMILES, LABELS, SPLIT, classification=True, seed=seed)
        assert found.scores["fingerprint"][seed, 0] == 100 * forest["test"].mean
        assert found.choice["Mine"][seed, 0] == expected.penalty and found.choice["fingerprint"][seed, 0] == 0
    assert list(found.tables) == ["auc"] and found.unconverged == dict.fromkeys(found.scores, 0)
    assert (found.skipped, found.tasks, found.num_tested, found.split_hash) == (1, 2, 8, split_digest(SPLIT))
    rows = {row.method: row for row in result_rows(found, dataset="toy")}
    assert rows["Mine"].lift == pytest.approx((found.scores["Mine"] - found.scores["untrained"]).mean())
    assert rows["untrained"].lift is None and rows["Mine"].folds == 1 and rows["Mine"].seeds == 2
    assert "toy, moleculenet-linear: auc in %, 2 seeds x 1 split, 8 molecules" in format_table(list(rows.values()))


def test_the_lift_of_an_error_is_how_much_smaller_it_is() -> None:
    y = np.arange(32.0)[:, None]
    good, bad = y + 0.1 * np.sin(np.arange(32))[:, None], np.ones((32, 1))
    found = evaluate_molecules({"untrained": [bad], "Mine": [good]}, y, SPLIT, LINEAR, [0], classification=False)
    rows = result_rows(found, dataset="toy")
    assert rows[1].metric == "rmse" and rows[1].mean < rows[0].mean
    assert rows[1].lift == pytest.approx(rows[0].mean - rows[1].mean)
    assert "rmse in the target's unit" in format_table(rows)

    class Absolute:
        metric = "mae"

        def __call__(self, target: Any, said: Any) -> Any:
            return task_rmse(target, said)._replace(mean=float(np.abs(np.asarray(target) - said).mean()))

    found = evaluate_molecules(
        {"untrained": [bad], "Mine": [good]}, y, SPLIT, LINEAR, [0], classification=False, score=Absolute()
    )
    rows = result_rows(found, dataset="toy")
    assert rows[1].metric == "mae" and rows[1].lift == pytest.approx(rows[0].mean - rows[1].mean) and rows[1].lift > 0
    assert "mae, 1 seed" in format_table(rows)


def test_tuning_is_scored_beside_scratch() -> None:
    start = scratch(7)
    found = finetune_molecules(
        {"scratch": scratch, "Mine": lambda seed: start}, molecules(), FEW, [0, 1], split=SPLIT, classification=True
    )
    assert found.baseline == "scratch" and found.scores["Mine"].shape == (2, 1)
    assert ((found.choice["Mine"] >= 1) & (found.choice["Mine"] <= 3)).all()
    assert start.gnn.dropout == 0.0  # that of the protocol is its copies'
    rows = result_rows(found, dataset="toy")
    assert rows[0].lift is None and rows[1].lift == pytest.approx(rows[1].mean - rows[0].mean)
    table = format_table(rows)
    assert "lift over scratch" in table and "moleculenet-finetune-3-epochs-batch-size-8" in table


def test_what_was_scored_is_not_scored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["graphcl.evaluate.molecule_runner"]
    real, seen = module.finetune_by, []
    monkeypatch.setattr(module, "finetune_by", lambda *a, **k: (seen.append(k["seed"]), real(*a, **k))[1])  # type: ignore[attr-defined]

    def run(seeds: list[int], protocol: MoleculeProtocol = FEW, make: Any = scratch) -> Any:
        raw = tmp_path / "raw.csv"
        return finetune_molecules(
            {"scratch": make}, molecules(), protocol, seeds, split=SPLIT, classification=True, raw=raw
        )

    first = run([0])
    both = run([0, 1])
    assert seen == [0, 1] and both.scores["scratch"][0] == first.scores["scratch"][0]
    run([0], with_tuning(FEW, epochs=2))
    run([0], make=lambda seed: scratch(seed + 5))
    assert seen == [0, 1, 0, 0]
    # A pretrained encoder is the same for all seeds; its head and the order of the molecules are not.
    run([2, 3], make=lambda seed: scratch(0))
    assert seen[4:] == [2, 3]
    slow = with_tuning(FEW, encoder_lr=1e-5)
    for _ in range(2):
        run([0], slow)
    run([0], dataclasses.replace(slow, encoder_lr=1e-6))  # of the same name
    assert seen[6:] == [0, 0]


def test_scores_of_another_network_with_the_same_weights_or_of_other_graphs_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["graphcl.evaluate.molecule_runner"]
    seen: list[Any] = []
    answer = SimpleNamespace(test=SimpleNamespace(mean=0.5), epoch=1, valid=[0.5])
    monkeypatch.setattr(module, "finetune_by", lambda *a, **k: (seen.append(a[1]), answer)[1])

    def run(make: Any = scratch, dataset: Any = None, score: Any = None) -> int:
        raw = tmp_path / "raw.csv"
        asked = {"split": SPLIT, "classification": True, "raw": raw, "score": score}
        finetune_molecules({"scratch": make}, molecules() if dataset is None else dataset, FEW, [0], **asked)
        return len(seen)

    assert [run(), run()] == [1, 1]
    assert run(dataset=list(molecules())) == 1 and run(dataset=PackedDataset(molecules(), graph_id=True)) == 1
    assert run(make=lambda seed: GraphEncoder(scratch(seed).gnn, sum_readout)) == 2
    other = molecules()
    other._data.x = other._data.x.clone()
    other._data.x[0, 2] += 1
    assert [run(dataset=other), run(dataset=other)] == [3, 3]
    assert [run(score=task_average_precision), run(score=task_average_precision), run(score=None)] == [4, 4, 5]


def test_another_judge() -> None:
    def judge(target: Any, said: Any) -> Any:
        return task_rmse(target, said)._replace(mean=42.0)

    y = LABELS[:, :1]
    found = finetune_molecules(
        {"scratch": scratch}, molecules(y), FEW, [0], split=SPLIT, classification=False, score=judge
    )
    assert found.scores["scratch"].item() == 42.0 and found.choice["scratch"].item() == 1
    frozen = evaluate_molecules({"raw": [y.numpy()]}, y, SPLIT, LINEAR, [0], classification=False, score=judge)
    assert frozen.scores["raw"].item() == 42.0


def test_refusals() -> None:
    x, y = np.ones((32, 2)), LABELS
    with pytest.raises(ValueError, match="use finetune_molecules"):
        evaluate_molecules({"raw": [x]}, y, SPLIT, FEW, [0], classification=True)
    with pytest.raises(ValueError, match="use evaluate_molecules"):
        finetune_molecules({"scratch": scratch}, molecules(), LINEAR, [0], split=SPLIT, classification=True)
    with pytest.raises(ValueError, match="expected 2 embeddings of raw"):
        evaluate_molecules({"raw": [x]}, y, SPLIT, LINEAR, [0, 1], classification=True)
    with pytest.raises(ValueError, match="at least one seed, each once"):
        evaluate_molecules({"raw": [x, x]}, y, SPLIT, LINEAR, [1, 1], classification=True)
    with pytest.raises(ValueError, match=r"a single task is \[N, 1\]"):
        evaluate_molecules({"raw": [x]}, y[:, 0], SPLIT, LINEAR, [0], classification=True)
    with pytest.raises(ValueError, match="expected a split, got none"):
        finetune_molecules({"scratch": scratch}, molecules(), FEW, [0], classification=True)
