"""Linear models on frozen embeddings: the training part alone is fitted, the validation part alone chooses."""

from typing import Any

import numpy as np
import pytest
import torch

from graphcl.data import from_smiles_list
from graphcl.evaluate import finetune, fingerprint_scores, linear_scores, task_rmse, task_roc_auc
from graphcl.nn import GraphEncoder, MoleculeEncoder

NAN = float("nan")


def problem(classification: bool, seed: int = 0) -> tuple[Any, Any, dict[str, Any]]:
    rng = np.random.Generator(np.random.PCG64(seed))
    x = rng.normal(size=(120, 6))
    y = x[:, :2] * [[1.0, -2.0]] + 0.3 * rng.normal(size=(120, 2))
    y = (y > 0).astype(float) if classification else 5 + 10 * y
    y[rng.random(y.shape) < 0.2] = NAN
    return x, y, {"train": np.arange(60), "valid": np.arange(60, 90), "test": np.arange(90, 120)}


@pytest.mark.parametrize("classification", [True, False])
def test_it_is_scikit_learn_at_the_penalty_that_validation_chooses(classification: bool) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    x, y, split = problem(classification)
    grid, found = (1e-3, 1e-1, 10.0), []
    scaled = StandardScaler().fit(x[split["train"]]).transform(x)
    for c in grid:
        said = np.empty_like(y)
        for task in (0, 1):
            rows = split["train"][~np.isnan(y[split["train"], task])]
            model = LogisticRegression(C=c) if classification else Ridge(alpha=1 / c)
            model.fit(scaled[rows], y[rows, task])
            said[:, task] = model.predict_proba(scaled)[:, 1] if classification else model.predict(scaled)
        score = task_roc_auc if classification else task_rmse
        found.append([score(y[split[part]], said[split[part]]).mean for part in ("valid", "test")])
    best = (np.argmax if classification else np.argmin)([valid for valid, _ in found])
    ours = linear_scores(x, y, split, classification=classification, grid=grid)
    assert ours.penalty == grid[best] and ours.unfinished == 0
    assert (ours.valid.mean, ours.test.mean) == pytest.approx(found[best], abs=1e-6)


def test_a_column_that_only_held_out_molecules_move_does_not_drown_the_others() -> None:
    x, y, split = problem(True)
    still = np.full((120, 3), [0.1, 0.3, 1 / 3])  # whose standard deviation is rounding noise, not 0
    moved = still + 0.01 * np.random.Generator(np.random.PCG64(0)).normal(size=still.shape)
    still[60:] = moved[60:]
    plain, wider = (linear_scores(z, y, split, classification=True) for z in (x, np.concatenate([x, still], 1)))
    assert wider.penalty == plain.penalty and wider.test.mean == pytest.approx(plain.test.mean, abs=0.01)


def test_labels_of_the_test_part_change_nothing_but_its_score() -> None:
    x, y, split = problem(True)
    other = y.copy()
    other[90:] = 1 - other[90:]
    one, two = (linear_scores(x, labels, split, classification=True) for labels in (y, other))
    assert (one.valid.mean, one.penalty) == (two.valid.mean, two.penalty)
    assert one.test.mean == pytest.approx(1 - two.test.mean)


def test_a_task_of_one_class_is_skipped_and_counted() -> None:
    x, y, split = problem(True)
    y = np.concatenate([y, np.ones((120, 1)), np.full((120, 1), NAN)], 1)
    assert linear_scores(x, y, split, classification=True).test.skipped == 2


def test_fits_that_do_not_end_are_counted() -> None:
    x, y, split = problem(True)
    assert linear_scores(x, y, split, classification=True, grid=(100.0,), max_iter=1).unfinished == 2


def test_refusals() -> None:
    x, y, split = problem(True)
    with pytest.raises(ValueError, match=r"expected labels of shape \[120, tasks\], got \[120\]"):
        linear_scores(x, y[:, 0], split, classification=True)
    with pytest.raises(ValueError, match="expected a grid of positive values"):
        linear_scores(x, y, split, classification=True, grid=())
    with pytest.raises(ValueError, match="expected a task that can be scored, got none"):
        linear_scores(x, y, split | {"test": [90]}, classification=True)


MASK = np.arange(120) < 60


@pytest.mark.parametrize("scored", ["linear model", "forest", "fine-tuning"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": MASK}, r"expected positions under 'train', got a mask; write mask.nonzero\(\).flatten\(\)"),
        ({"test": np.arange(85, 120)}, "overlap, got 5 items in both valid and test, the first of them 85"),
        ({"valid": np.arange(60, 121)}, "expected positions from 0 to 119 under 'valid', got some from 60 to 120"),
        ({"valid": np.arange(-3, 0)}, "expected positions from 0 to 119 under 'valid', got some from -3 to -1"),
        ({"test": np.arange(0)}, r"expected positions under 'test', whole numbers \[n\], got int64 \[0\]"),
        ({"test": np.arange(90.0, 120.0)}, r"whole numbers \[n\], got float64 \[30\]"),
        (None, "expected a split with positions under train, valid, test, got none under 'valid'"),
    ],
)
def test_a_split_that_would_leak_or_mislead_is_refused(scored: str, change: Any, message: str) -> None:
    x, y, split = problem(True)
    split = {"train": split["train"], "test": split["test"]} if change is None else split | change
    molecules: Any = from_smiles_list(["C"] * 120)
    molecules._data.y, molecules.slices["y"] = torch.tensor(y), molecules.slices["row"]
    call = {
        "linear model": lambda: linear_scores(x, y, split, classification=True),
        "forest": lambda: fingerprint_scores(["C"] * 120, y, split, classification=True),
        "fine-tuning": lambda: finetune(GraphEncoder(MoleculeEncoder(4, 1)), molecules, split, classification=True),
    }[scored]
    with pytest.raises(ValueError, match=message):
        call()
