"""Labels that cannot be learned from or scored are refused before anything is computed, by all that score molecules."""

import sys
from typing import Any

import numpy as np
import pytest
import torch

from graphcl.data import from_smiles_list
from graphcl.evaluate import finetune, fingerprint_scores, linear_scores
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout

NAN = float("nan")
SPLIT = {"train": np.arange(12), "valid": np.arange(12, 16), "test": np.arange(16, 20)}
Y = np.repeat([[0.0, 1.0]], 20, 0) * 1.0
Y[::2] = 1 - Y[::2]


def scored(way: str, y: np.ndarray, *, classification: bool) -> Any:
    molecules = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
    if way == "linear model":
        return linear_scores(np.eye(20), y, SPLIT, classification=classification).test
    if way == "forest":
        return fingerprint_scores(list(molecules.smiles), y, SPLIT, classification=classification, trees=2)["test"]
    molecules._data.y, molecules.slices["y"] = torch.from_numpy(y), molecules.slices["row"]
    encoder = GraphEncoder(MoleculeEncoder(8, 2), mean_readout)
    parts = {part: torch.from_numpy(positions) for part, positions in SPLIT.items()}
    return finetune(encoder, molecules, parts, classification=classification, epochs=1).test


def changed(rows: Any, to: float) -> np.ndarray:
    y = Y.copy()
    y[rows] = to
    return y


@pytest.mark.parametrize("way", ["linear model", "forest", "fine-tuning"])
@pytest.mark.parametrize(
    ("y", "classification", "message"),
    [
        (changed(0, 2.0), True, "expected labels 0, 1 or NaN, got others"),  # in the training part alone
        (changed(0, np.inf), False, "expected finite targets, or NaN for what was not measured, got 2 infinite"),
        (changed(SPLIT["train"], NAN), True, "expected labels to learn from, got none in the training part"),
        (changed(SPLIT["train"], NAN), False, "expected labels to learn from, got none in the training part"),
        (
            changed(SPLIT["valid"], 1.0),
            True,
            "can be scored, got none in the valid part: every task has molecules of one",
        ),
        (
            changed(SPLIT["test"], 0.0),
            True,
            "can be scored, got none in the test part: every task has molecules of one",
        ),
        (changed(SPLIT["test"], NAN), False, "can be scored, got none in the test part: nothing was measured there"),
    ],
)
def test_refused_at_once(
    way: str, y: np.ndarray, classification: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["graphcl.evaluate.finetune"]._Tuning, "run", None)  # what would take its time
    monkeypatch.setattr("graphcl.evaluate.molecule_probe._predictions", None)
    monkeypatch.setattr("graphcl.evaluate.fingerprints.morgan_fingerprints", None)
    with pytest.raises(ValueError, match=message):
        scored(way, y, classification=classification)


@pytest.mark.parametrize("way", ["linear model", "forest", "fine-tuning"])
def test_a_task_without_a_label_is_skipped_and_counted(way: str) -> None:
    y = Y.copy()
    y[:, 1] = NAN
    assert scored(way, y, classification=True).skipped == 1


@pytest.mark.parametrize("way", ["linear model", "forest", "fine-tuning"])
def test_numbers_that_are_not_there_to_learn_from_are_refused(way: str) -> None:
    y = Y.copy()
    y[SPLIT["train"], 1] = NAN
    with pytest.raises(ValueError, match="got nothing for task 1; leave it out"):
        scored(way, y, classification=False)


@pytest.mark.parametrize("way", ["linear model", "forest", "fine-tuning"])
def test_a_task_without_labels_to_learn_from_has_no_score(way: str) -> None:
    y = Y.copy()
    y[SPLIT["train"], 0] = NAN
    found = scored(way, y, classification=True)
    assert found.skipped == 1 and np.isnan(found.each[0]) and found.mean == found.each[1]


def test_nothing_is_predicted_of_such_a_task() -> None:
    molecules = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
    y = Y.copy()
    y[:, 1] = NAN
    molecules._data.y, molecules.slices["y"] = torch.from_numpy(y), molecules.slices["row"]
    parts = {part: torch.from_numpy(positions) for part, positions in SPLIT.items()}
    encoder = GraphEncoder(MoleculeEncoder(8, 2), mean_readout)
    said = finetune(encoder, molecules, parts, classification=True, epochs=1).predict(molecules)
    assert bool(said[:, 0].isfinite().all()) and bool(said[:, 1].isnan().all())
