"""Scores of encoders that are tuned on few labels, fold by fold and seed by seed, kept on disk and gone on with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from graphcl.data import PackedDataset
from graphcl.evaluate._checks import FloatArray, check_runs, to_numpy
from graphcl.evaluate._parts import PartRow, Scores, digest_text, run_parts
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.finetune import finetune
from graphcl.evaluate.node_splits import node_split_hash
from graphcl.evaluate.semi_protocols import SemiProtocol
from graphcl.evaluate.semi_splits import LabelSplit, label_splits
from graphcl.nn import GraphEncoder

__all__ = ["SemiEvaluation", "finetune_on_few", "normalised_head"]


@dataclass(frozen=True, kw_only=True)
class SemiEvaluation:
    """Scores of several methods under one protocol of few labels, on the same folds and labels.

    Attributes:
        protocol: How they were scored.
        seeds: The seeds.
        accuracy: For each method, percent ``[seeds, folds]`` of the test folds.
        valid: For each method, percent ``[seeds, folds]`` of the validation folds, at the chosen epoch.
        epochs: For each method the chosen epochs ``[seeds, folds]``.
        seconds: For each method the time its scores took.
        num_tested: Graphs that one seed tests, over all its folds.
        sizes: Graphs that a fold tests, and those whose labels it looks at before: to learn and to validate.
        split_hash: Hash of the parts of all folds of all seeds.
        baseline: The method that the others are compared with.
    """

    protocol: SemiProtocol
    seeds: tuple[int, ...]
    accuracy: dict[str, FloatArray]
    valid: dict[str, FloatArray]
    epochs: dict[str, FloatArray]
    seconds: dict[str, float]
    num_tested: int
    sizes: tuple[float, float]
    split_hash: str
    baseline: str = "scratch"

    @property
    def tables(self) -> dict[str, dict[str, FloatArray]]:
        """For each metric and method, percent ``[seeds, folds]``."""
        return {"accuracy": self.accuracy}


def finetune_on_few(
    encoders: Mapping[str, Callable[[int], GraphEncoder]],
    dataset: Any,
    protocol: SemiProtocol,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    bf16: bool = False,
    raw: str | Path | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> SemiEvaluation:
    """Tune encoders on a small share of the labels, fold by fold, and score each once on its test fold.

    Every method sees the same folds and the same labels, and its head, :func:`normalised_head`, begins with the same
    weights. The first epoch with the best accuracy on the validation fold is scored.

    Args:
        encoders: Under each name, from a seed to the encoder that tuning begins with: one pretrained on all graphs
            without labels, or under ``scratch`` the same with weights drawn by the seed.
        dataset: Graphs with a class each, ``y`` ``[1]`` of integers.
        protocol: How many labels, how to tune.
        seeds: Of the folds, the labels, the head, and the order of the graphs.
        device: Where to train.
        bf16: Compute in bfloat16 where that is safe.
        raw: A CSV file of the scores per seed and fold: what is in it, for the very same input, is not computed again.
        progress: Called with method and seed after each.

    Raises:
        ValueError: No seeds or repeated ones, no encoders, or what :func:`label_splits` and :func:`finetune` refuse.
        DataError: The raw file is unreadable.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import semi_protocol, with_semi_tuning
        >>> from graphcl.nn import GIN
        >>> graphs = load("synthetic-molecules")[:60]
        >>> few = with_semi_tuning(semi_protocol("semi-supervised-10"), folds=3, epochs=2)
        >>> scratch = lambda seed: GraphEncoder(GIN(graphs.num_features, 8, 2))
        >>> finetune_on_few({"scratch": scratch}, graphs, few, [0]).accuracy["scratch"].shape
        (1, 3)

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, section 5 (pretrained on all
    graphs, tuned on 1 % or 10 % of the labels, 10 folds).

    Differs from the paper: the epoch is chosen on the validation fold, where the authors' code takes by default the one
    with the best mean test accuracy, or that of the lowest validation loss; learning rate and epochs of pretraining are
    not searched; encoder and node features are the caller's, where the authors have a ResGCN of 5 layers on one-hot
    degrees.
    """
    check_runs(seeds)
    if not encoders:
        raise ValueError("expected at least one encoder, got none")
    packed = (dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset)).to(device)
    y = to_numpy(packed.y)
    splits = {seed: label_splits(y, protocol, seed=seed) for seed in seeds}

    def task_of(method: str, _: int, seed: int) -> tuple[str, Callable[[int], Scores]]:
        encoder = encoders[method](seed)
        weights = [part for name, value in encoder.state_dict().items() for part in (name, to_numpy(value))]
        made_of = digest_text(seed, node_split_hash(splits[seed]), *weights)
        return made_of, lambda fold: _tune(encoder, packed, splits[seed][fold], protocol, seed, device, bf16)

    settings = {key: value for key, value in vars(protocol).items() if key not in ("name", "source", "seeds")}
    common = digest_text(sorted(settings.items()), bf16, y)
    store = RawFile(Path(raw) if raw is not None else None, PartRow)
    rows = run_parts(
        list(encoders), seeds, protocol.folds, ("accuracy",), task_of, common, store, n_jobs=1, progress=progress
    )

    def table(method: str, value: Callable[[PartRow], float]) -> FloatArray:
        return np.array([[value(row) for row in folds] for folds in rows[method]], dtype=np.float64)

    every = [split for seed in seeds for split in splits[seed]]
    return SemiEvaluation(
        protocol=protocol,
        seeds=tuple(seeds),
        accuracy={method: table(method, lambda row: 100 * row.score) for method in rows},
        valid={method: table(method, lambda row: 100 * row.validation) for method in rows},
        epochs={method: table(method, lambda row: row.choice) for method in rows},
        seconds={method: round(sum(row.seconds for own in rows[method] for row in own), 3) for method in rows},
        num_tested=len(y),
        sizes=(
            float(np.mean([len(split.test) for split in every])),
            float(np.mean([len(split.train) + len(split.validation) for split in every])),
        ),
        split_hash=node_split_hash(every),
    )


def normalised_head(in_channels: int, out_channels: int) -> nn.Module:
    """Batch norm, a linear layer and ReLU, batch norm, and the classes.

    Sums over the nodes of a graph span orders of magnitude, and a linear layer alone learns from them slowly.

    Args:
        in_channels: Width of the embeddings, and of the layer between.
        out_channels: Number of classes.

    Example:
        >>> normalised_head(8, 3)(torch.randn(4, 8)).shape
        torch.Size([4, 3])

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, authors' code for TU data, what
    follows the pooling; there it is pretrained too, here the encoder alone.
    """
    return nn.Sequential(
        nn.BatchNorm1d(in_channels),
        nn.Linear(in_channels, in_channels),
        nn.ReLU(),
        nn.BatchNorm1d(in_channels),
        nn.Linear(in_channels, out_channels),
    )


def _tune(
    encoder: GraphEncoder,
    packed: PackedDataset,
    split: LabelSplit,
    protocol: SemiProtocol,
    seed: int,
    device: torch.device | str,
    bf16: bool,
) -> Scores:
    found = finetune(
        encoder,
        packed,
        {part: torch.from_numpy(index) for part, index in zip(("train", "valid", "test"), split, strict=True)},
        classification=True,
        epochs=protocol.epochs,
        batch_size=protocol.batch_size,
        lr=protocol.lr,
        head_only=protocol.head_only,
        seed=seed,
        device=device,
        bf16=bf16,
        head=normalised_head,
    )
    return {"accuracy": found.test.mean}, found.epoch, found.valid[found.epoch - 1], 0
