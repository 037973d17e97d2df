"""Scores of encoders of molecules under one protocol, seed by seed, kept on disk and gone on with."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcl.data import split_digest
from graphcl.evaluate._checks import FloatArray, check_embeddings, check_runs, to_numpy
from graphcl.evaluate._positions import check_split
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.fingerprints import fingerprint_scores
from graphcl.evaluate.molecule_probe import linear_scores
from graphcl.evaluate.molecule_protocols import MoleculeProtocol
from graphcl.evaluate.molecule_tuning import check_tunes, finetune_by
from graphcl.evaluate.multitask import TaskScores
from graphcl.nn import GraphEncoder

__all__ = ["MoleculeEvaluation", "evaluate_molecules", "finetune_molecules"]

Score = Callable[[Any, Any], TaskScores]
"""Signature: (target [N, T], prediction [N, T]) -> TaskScores."""


@dataclass(frozen=True, kw_only=True)
class MoleculeEvaluation:
    """Scores of several methods under one protocol, on the same split.

    Attributes:
        protocol: How they were scored.
        seeds: The seeds.
        metric: ``auc`` or ``ap`` (average precision) in percent, or ``rmse`` in the target's unit.
        scores: For each method ``[seeds, 1]``, on the test part.
        valid: For each method ``[seeds, 1]``, on the validation part, at the same epoch or penalty.
        epochs: For each method the chosen epochs, one per seed; 0 where nothing was tuned.
        skipped: For each method how many tasks of the test part had no score.
        tasks: How many tasks there are.
        seconds: For each method the time its scores took.
        num_tested: Molecules in the test part.
        split_hash: :func:`graphcl.data.split_digest` of the split.
        baseline: The method that the others are compared with.
    """

    protocol: MoleculeProtocol
    seeds: tuple[int, ...]
    metric: str
    scores: dict[str, FloatArray]
    valid: dict[str, FloatArray]
    epochs: dict[str, list[int]]
    skipped: dict[str, int]
    tasks: int
    seconds: dict[str, float]
    num_tested: int
    split_hash: str
    baseline: str

    @property
    def tables(self) -> dict[str, dict[str, FloatArray]]:
        """For each metric and method, ``[seeds, 1]``."""
        return {self.metric: self.scores}

    @property
    def sizes(self) -> tuple[float, float] | None:
        """None, as there is one split; the interval of a lift is over the seeds."""
        return None


@dataclass(frozen=True)
class _Row:
    """The score of one seed as the raw file keeps it."""

    method: str
    seed: int
    test: float
    valid: float
    epoch: int
    skipped: int
    seconds: float
    key: str
    part: int = field(default=0)


@dataclass(frozen=True)
class _Task:
    """What every score here has in common."""

    protocol: MoleculeProtocol
    labels: FloatArray
    split: dict[str, Tensor]
    classification: bool
    metric: str
    store: RawFile[_Row]
    progress: Callable[[str, int], None] | None

    def row(self, method: str, seed: int, key: str, make: Callable[[], tuple[TaskScores, TaskScores, int]]) -> _Row:
        """The stored row, or one made now: ``make`` gives test and validation scores, and the epoch."""
        key = _digest(key, self.protocol, self.labels, split_digest(self.split), self.classification)
        done = self.store.find(method, seed, key)
        if 0 not in done:
            start = time.perf_counter()
            test, valid, epoch = make()
            row = _Row(method, seed, test.mean, valid.mean, epoch, test.skipped, time.perf_counter() - start, key)
            self.store.put(method, seed, [row])
            done = {0: row}
        if self.progress is not None:
            self.progress(method, seed)
        return done[0]

    def collect(self, rows: Mapping[str, list[_Row]], seeds: Sequence[int], baseline: str) -> MoleculeEvaluation:
        factor = 100.0 if self.classification else 1.0
        return MoleculeEvaluation(
            protocol=self.protocol,
            seeds=tuple(seeds),
            metric=self.metric,
            scores={name: factor * np.array([[row.test] for row in own]) for name, own in rows.items()},
            valid={name: factor * np.array([[row.valid] for row in own]) for name, own in rows.items()},
            epochs={name: [row.epoch for row in own] for name, own in rows.items()},
            skipped={name: own[0].skipped for name, own in rows.items()},
            tasks=self.labels.shape[1],
            seconds={name: sum(row.seconds for row in own) for name, own in rows.items()},
            num_tested=len(self.split["test"]),
            split_hash=split_digest(self.split),
            baseline=baseline,
        )


def evaluate_molecules(
    embeddings: Mapping[str, Sequence[Any]],
    labels: Any,
    split: Mapping[str, Any],
    protocol: MoleculeProtocol,
    seeds: Sequence[int],
    *,
    classification: bool,
    smiles: Sequence[str] | None = None,
    score: Score | None = None,
    raw: str | Path | None = None,
    jobs: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> MoleculeEvaluation:
    """Score frozen embeddings by linear models, and Morgan fingerprints by random forests beside them.

    Args:
        embeddings: For each method its embeddings ``[N, D]``, one for each seed.
        labels: ``[N, T]``, NaN for what was not measured.
        split: Positions under ``train``, ``valid`` and ``test``.
        protocol: How to score.
        seeds: The model seeds, which are those of the forests too.
        classification: Whether labels are classes 0 and 1 (ROC-AUC), or numbers (RMSE).
        smiles: N SMILES, for the row ``fingerprint``; there is none without them.
        score: How a part is scored, where not by the package's own ROC-AUC or RMSE; see :func:`ogb_scorer`. What it
            calls its ``metric``, if anything, is the name in the tables.
        raw: A CSV file of the scores per seed: what is in it, for the very same input, is not computed again.
        jobs: Threads of the forests.
        progress: Called with method and seed after each.

    Raises:
        ValueError: The protocol is one of fine-tuning, shapes or numbers of seeds differ, or a part cannot be scored.
        DataError: The raw file is unreadable.

    Example:
        >>> from graphcl.evaluate import molecule_protocol
        >>> y = np.array([[0.0], [1.0]] * 10)
        >>> split = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
        >>> linear = molecule_protocol("moleculenet-linear")
        >>> evaluate_molecules({"raw": [y]}, y, split, linear, [0], classification=True).scores["raw"].tolist()
        [[100.0]]
    """
    if protocol.probe != "linear":
        raise ValueError(f"expected a protocol for frozen embeddings, got {protocol.name}; use finetune_molecules")
    task = _task(labels, split, protocol, seeds, classification, score, raw, progress)
    for method, matrices in embeddings.items():
        if len(matrices) != len(seeds):
            raise ValueError(f"expected {len(seeds)} embeddings of {method}, one for each seed, got {len(matrices)}")
    rows: dict[str, list[_Row]] = {}
    for method, matrices in embeddings.items():
        rows[method] = []
        for seed, matrix in zip(seeds, matrices, strict=True):
            x = check_embeddings(matrix, f"embeddings of {method}")

            def probe(x: FloatArray = x) -> tuple[TaskScores, TaskScores, int]:
                found = linear_scores(x, task.labels, task.split, classification=classification, score=score)
                return found.test, found.valid, 0

            rows[method].append(task.row(method, seed, _digest(x), probe))
    if smiles is not None:
        rows["fingerprint"] = []
        for seed in seeds:

            def forest(seed: int = seed) -> tuple[TaskScores, TaskScores, int]:
                found = fingerprint_scores(
                    smiles, task.labels, task.split, classification=classification, seed=seed, jobs=jobs, score=score
                )
                return found["test"], found["valid"], 0

            rows["fingerprint"].append(task.row("fingerprint", seed, _digest("\n".join(smiles)), forest))
    return task.collect(rows, seeds, "untrained")


def finetune_molecules(
    encoders: Mapping[str, Callable[[int], GraphEncoder]],
    dataset: Any,
    protocol: MoleculeProtocol,
    seeds: Sequence[int],
    *,
    classification: bool,
    split: Mapping[str, Any] | None = None,
    score: Score | None = None,
    device: torch.device | str = "cpu",
    bf16: bool = False,
    raw: str | Path | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> MoleculeEvaluation:
    """Fine-tune encoders on a labelled set, seed by seed, and score each once on the test part.

    Args:
        encoders: Under each name, from a seed to the encoder that tuning begins with: the pretrained one, or under
            ``scratch`` the same with weights drawn by the seed. Its dropout is set to the protocol's.
        dataset: Molecules with labels ``y`` ``[1, tasks]``.
        protocol: How to tune, and which epoch to score.
        seeds: Of the head, the order of the molecules and dropout.
        classification: Whether labels are classes 0 and 1 (ROC-AUC), or numbers (RMSE).
        split: Positions under ``train``, ``valid`` and ``test``; by default the data set's own.
        score: As for :func:`evaluate_molecules`.
        device: Where to train.
        bf16: Compute in bfloat16 where that is safe.
        raw: A CSV file of the scores per seed: what is in it, for the very same input, is not computed again.
        progress: Called with method and seed after each.

    Raises:
        ValueError: The protocol is not one of fine-tuning, or what :func:`finetune` refuses.
        DataError: The raw file is unreadable.

    Example:
        >>> from graphcl.data import from_smiles_list
        >>> from graphcl.evaluate import molecule_protocol, with_tuning
        >>> from graphcl.nn import MoleculeEncoder, mean_readout
        >>> molecules = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
        >>> molecules._data.y, molecules.slices["y"] = torch.tensor([[0.0], [1.0]] * 10), molecules.slices["row"]
        >>> split = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
        >>> few = with_tuning(molecule_protocol("moleculenet-finetune"), epochs=20, batch_size=8, dropout=0.0)
        >>> scratch = lambda seed: GraphEncoder(MoleculeEncoder(16, 2), mean_readout)
        >>> found = finetune_molecules({"scratch": scratch}, molecules, few, [0], split=split, classification=True)
        >>> found.scores["scratch"].tolist()
        [[100.0]]
    """
    check_tunes(protocol)
    split = split if split is not None else getattr(dataset, "split", None)
    if split is None:
        raise ValueError("expected a split, got none; pass positions under 'train', 'valid' and 'test'")
    task = _task(dataset.y, split, protocol, seeds, classification, score, raw, progress)
    rows: dict[str, list[_Row]] = {}
    for method, make in encoders.items():
        rows[method] = []
        for seed in seeds:
            encoder = make(seed)

            def tune(seed: int = seed, encoder: GraphEncoder = encoder) -> tuple[TaskScores, TaskScores, int]:
                found = finetune_by(
                    protocol,
                    encoder,
                    dataset,
                    split,
                    classification=classification,
                    seed=seed,
                    device=device,
                    bf16=bf16,
                    score=score,
                )
                best = found.valid[found.epoch - 1]
                return found.test, TaskScores(best, found.test.each, 0), found.epoch

            rows[method].append(task.row(method, seed, _digest(encoder.state_dict(), bf16), tune))
    return task.collect(rows, seeds, "scratch")


def _task(
    labels: Any,
    split: Mapping[str, Any],
    protocol: MoleculeProtocol,
    seeds: Sequence[int],
    classification: bool,
    score: Score | None,
    raw: str | Path | None,
    progress: Callable[[str, int], None] | None,
) -> _Task:
    check_runs(seeds)
    y = to_numpy(labels).astype(np.float64)
    if y.ndim != 2:
        raise ValueError(f"expected labels [N, tasks], got {list(y.shape)}; a single task is [N, 1]")
    parts = {part: torch.from_numpy(positions) for part, positions in check_split(split, len(y)).items()}
    store = RawFile(Path(raw) if raw is not None else None, _Row)
    metric = getattr(score, "metric", None) or ("auc" if classification else "rmse")
    return _Task(protocol, y, parts, classification, metric, store, progress)


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        elif isinstance(part, dict):
            for name, value in part.items():
                digest.update(name.encode() + np.ascontiguousarray(to_numpy(value)).tobytes())
        else:
            digest.update(repr(part).encode() + b"\n")
    return digest.hexdigest()[:16]
