"""Scores of encoders of molecules under one protocol, seed by seed, kept on disk and gone on with."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from graphcl._arguments import check_choice
from graphcl.data import PackedDataset, split_digest
from graphcl.evaluate._checks import FloatArray, check_embeddings, check_methods, check_runs, to_numpy
from graphcl.evaluate._keys import digest_of, tuning_key
from graphcl.evaluate._labels import scorable
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._objective import labels_of
from graphcl.evaluate._parts import Compute, PartScore, TaskOf, collect, run_parts
from graphcl.evaluate._positions import check_split, split_of
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.evaluation import Evaluation
from graphcl.evaluate.fingerprints import fingerprint_scores
from graphcl.evaluate.molecule_probe import linear_scores
from graphcl.evaluate.molecule_protocols import MoleculeProtocol
from graphcl.evaluate.molecule_tuning import check_tunes, finetune_by
from graphcl.evaluate.multitask import Judge, judge_of
from graphcl.nn import GraphEncoder

__all__ = ["evaluate_molecules", "finetune_molecules"]

FINGERPRINT = "fingerprint"


class _Task:
    """What every score here has in common."""

    def __init__(
        self,
        labels: Any,
        split: Mapping[str, Any],
        protocol: MoleculeProtocol,
        seeds: Sequence[int],
        classification: bool,
        score: Judge | None,
    ) -> None:
        seeds = check_runs(seeds)
        y = to_numpy(labels).astype(np.float64)
        if y.ndim != 2:
            raise ValueError(f"expected labels [N, tasks], got {list(y.shape)}; a single task is [N, 1]")
        self.split = check_split(split, len(y))
        self.labels = scorable(y, self.split, classification=classification)
        self.split_hash = split_digest(self.split)
        self.protocol, self.seeds, self.classification, self.score = protocol, seeds, classification, score
        named: str | None = getattr(score, "metric", None)
        self.metric: str = named or ("auc" if classification else "rmse")
        # Rows of one metric are told apart by what computes it, where that has no name for its metric.
        self.judge = [] if score is None or named else [getattr(score, "__qualname__", type(score).__qualname__)]

    def key(self, made_of: str) -> str:
        rate = self.protocol.encoder_lr
        more = [*self.judge, *([] if rate is None else [f"encoder_lr={rate}"])]
        return _digest(made_of, self.protocol, self.labels, self.split_hash, self.classification, *more)

    def evaluate(
        self,
        methods: Iterable[str],
        task_of: TaskOf,
        raw: str | Path | None,
        progress: Callable[[str, int], None] | None,
    ) -> Evaluation:
        metrics, tested = (self.metric,), self.labels[self.split["test"]]
        # Of forests, heads and orders the seed is not in the key.
        rows = run_parts(methods, self.seeds, 1, metrics, task_of, RawFile(raw), seeded=True, progress=progress)
        # Which tasks have a score is for their labels to say, whatever is predicted.
        score = judge_of(self.score, classification=self.classification)
        return collect(
            rows,
            self.protocol,
            self.seeds,
            metrics,
            num_tested=len(tested),
            sizes=None,  # there is one split
            split_hash=self.split_hash,
            unit=100.0 if self.classification else 1.0,
            skipped=score(tested, np.nan_to_num(tested)).skipped,
            tasks=self.labels.shape[1],
            is_error=not self.classification,
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
    score: Judge | None = None,
    raw: str | Path | None = None,
    n_jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
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
        n_jobs: Threads of the forests.
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
    check_protocol(protocol, MoleculeProtocol)
    if protocol.probe != "linear":
        raise ValueError(f"expected a protocol for frozen embeddings, got {protocol.name}; use finetune_molecules")
    task = _Task(labels, split, protocol, seeds, classification, score)
    checked = check_methods(embeddings, seeds, check_embeddings)

    def linear(x: FloatArray) -> PartScore:
        found = linear_scores(x, task.labels, task.split, classification=classification, score=score)
        return PartScore({task.metric: found.test.mean}, found.penalty, found.valid.mean, found.unfinished)

    def forest(seed: int) -> PartScore:
        assert smiles is not None
        found = fingerprint_scores(
            smiles, task.labels, task.split, classification=classification, seed=seed, n_jobs=n_jobs, score=score
        )
        return PartScore({task.metric: found["test"].mean}, validation=found["valid"].mean)

    def task_of(method: str, index: int, seed: int) -> tuple[str, Compute]:
        if method == FINGERPRINT and smiles is not None:
            return task.key(_digest("\n".join(smiles))), lambda _: [forest(seed)]
        x = checked[method][index]
        return task.key(_digest(x)), lambda _: [linear(x)]

    return task.evaluate([*checked, *([FINGERPRINT] if smiles is not None else [])], task_of, raw, progress)


def finetune_molecules(
    encoders: Mapping[str, Callable[[int], GraphEncoder]],
    dataset: Any,
    protocol: MoleculeProtocol,
    seeds: Sequence[int],
    *,
    classification: bool,
    split: Mapping[str, Any] | None = None,
    score: Judge | None = None,
    device: torch.device | str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    raw: str | Path | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
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
        precision: ``"bf16"`` computes in bfloat16 where that is safe.
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
    check_choice("precision", precision, ("fp32", "bf16"))
    split = split_of(dataset, split)
    packed = dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset)
    task = _Task(labels_of(packed), split, protocol, seeds, classification, score)
    graphs = digest_of(packed)

    def task_of(method: str, _: int, seed: int) -> tuple[str, Compute]:
        encoder = encoders[method](seed)

        def compute(_: Sequence[int]) -> list[PartScore]:
            found = finetune_by(
                protocol,
                encoder,
                packed,
                split,
                classification=classification,
                seed=seed,
                device=device,
                precision=precision,
                score=score,
            )
            return [PartScore({task.metric: found.test.mean}, found.epoch, found.valid[found.epoch - 1])]

        return tuning_key(task.key(_digest(encoder.state_dict(), precision == "bf16")), encoder, graphs), compute

    return task.evaluate(encoders, task_of, raw, progress)


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
