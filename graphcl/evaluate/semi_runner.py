"""Scores of encoders that are tuned on few labels, fold by fold and seed by seed, kept on disk and gone on with."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from graphcl._arguments import check_choice
from graphcl.data import PackedDataset
from graphcl.evaluate._checks import check_runs, to_numpy
from graphcl.evaluate._keys import digest_of, tuning_key
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate._parts import Compute, PartScore, collect, digest_text, run_parts
from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.evaluation import Evaluation
from graphcl.evaluate.finetune import finetune
from graphcl.evaluate.node_splits import node_split_hash
from graphcl.evaluate.semi_protocols import SemiProtocol
from graphcl.evaluate.semi_splits import LabelSplit, label_splits
from graphcl.nn import GraphEncoder

__all__ = ["finetune_on_few", "normalised_head"]


def finetune_on_few(
    encoders: Mapping[str, Callable[[int], GraphEncoder]],
    dataset: Any,
    protocol: SemiProtocol,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    raw: str | Path | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
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
        precision: ``"bf16"`` computes in bfloat16 where that is safe.
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
        >>> finetune_on_few({"scratch": scratch}, graphs, few, [0]).scores["scratch"].shape
        (1, 3)

    Source: You et al., "Graph Contrastive Learning with Augmentations", NeurIPS 2020, section 5 (pretrained on all
    graphs, tuned on 1 % or 10 % of the labels, 10 folds).

    Differs from the paper: the epoch is chosen on the validation fold, where the authors' code takes by default the one
    with the best mean test accuracy, or that of the lowest validation loss; learning rate and epochs of pretraining are
    not searched; encoder and node features are the caller's, where the authors have a ResGCN of 5 layers on one-hot
    degrees.
    """
    check_protocol(protocol, SemiProtocol)
    check_choice("precision", precision, ("fp32", "bf16"))
    seeds = check_runs(seeds)
    if not encoders:
        raise ValueError("expected at least one encoder, got none")
    packed = (dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset)).to(device)
    y = to_numpy(packed.y)
    splits = {seed: label_splits(y, protocol, seed=seed) for seed in seeds}
    graphs = digest_of(packed)

    settings = {key: value for key, value in vars(protocol).items() if key not in ("name", "source", "seeds")}
    settings = {key: value for key, value in settings.items() if value is not None}
    common = digest_text(sorted(settings.items()), precision == "bf16", y)

    def task_of(method: str, _: int, seed: int) -> tuple[str, Compute]:
        encoder = encoders[method](seed)
        weights = [part for name, value in encoder.state_dict().items() for part in (name, to_numpy(value))]
        key = digest_text(common, digest_text(seed, node_split_hash(splits[seed]), *weights))
        key = tuning_key(key, encoder, graphs)

        def compute(folds: Sequence[int]) -> list[PartScore]:
            return [_tune(encoder, packed, splits[seed][fold], protocol, seed, device, precision) for fold in folds]

        return key, compute

    rows = run_parts(encoders, seeds, protocol.folds, ("accuracy",), task_of, RawFile(raw), progress=progress)
    every = [split for seed in seeds for split in splits[seed]]
    return collect(
        rows,
        protocol,
        seeds,
        ("accuracy",),
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
    precision: Literal["fp32", "bf16"],
) -> PartScore:
    found = finetune(
        encoder,
        packed,
        {part: torch.from_numpy(index) for part, index in zip(("train", "valid", "test"), split, strict=True)},
        classification=True,
        epochs=protocol.epochs,
        batch_size=protocol.batch_size,
        lr=protocol.lr,
        encoder_lr=protocol.encoder_lr,
        head_only=protocol.head_only,
        seed=seed,
        device=device,
        precision=precision,
        head=normalised_head,
    )
    return PartScore({"accuracy": found.test.mean}, found.epoch, found.valid[found.epoch - 1])
