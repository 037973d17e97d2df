"""Tuning a run's encoder on few labels of a set of graphs, fold by fold."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from graphcl.cli._scoring import Scoring
from graphcl.errors import ConfigError, RunError

__all__ = ["few_labels_protocol", "tune_on_few"]

CHANGED = ("epochs", "batch_size", "lr", "encoder_lr")  # options that change the protocol, and its name


def few_labels_protocol(options: Any, entry: Any) -> tuple[Any, Any]:
    """The protocol that is asked for, and the same with what the options change."""
    from graphcl.evaluate import semi_protocol, with_semi_tuning

    if entry.level != "graph" or entry.task != "classification":
        raise RunError(
            f"expected a labelled set of molecules, or of graphs with a class each, to fine-tune on, got {entry.name} "
            f"({entry.task} of {entry.level}s)"
        )
    if options.dropout is not None:
        raise ConfigError(
            f"expected --dropout with a set of molecules, got it with {entry.name}, whose runs have their own"
        )
    base = semi_protocol(options.protocol or "semi-supervised-10")
    return base, with_semi_tuning(base, head_only=options.head_only, **{key: options[key] for key in CHANGED})


def tune_on_few(
    scoring: Scoring,
    encoders: Callable[[int], Mapping[str, Callable[[int], Any]]],
    chosen: Any,
    seeds: list[int],
    *,
    bf16: bool,
    command: str,
) -> None:
    """Tune fold by fold, and score on the test folds.

    Args:
        scoring: The run and the data set.
        encoders: From the width of the node features to what is tuned, by name and seed.
        chosen: The protocol.
        seeds: Of folds, labels and head.
        bf16: Whether to compute in bfloat16.
        command: What makes these scores.
    """
    from graphcl.data import load
    from graphcl.evaluate import Note, finetune_on_few, raw_path

    config, entry = scoring.config, scoring.entry
    if config["vocab"] is not None:
        raise RunError(f"expected a run on graphs with features, for {entry.name}, got one on molecules")
    dataset = load(entry.name, root=scoring.root, features=config["features"])
    evaluation = finetune_on_few(
        encoders(dataset.num_features),
        dataset,
        chosen,
        seeds,
        device=scoring.device,
        bf16=bf16,
        raw=raw_path(scoring.folder.path / "raw", entry.name, chosen),
        progress=lambda method, seed: print(f"{entry.name}, {method}, seed {seed}: done", file=sys.stderr),
    )
    by = "best validation epoch"
    scoring.keep(
        evaluation,
        command,
        features=config["features"] or entry.features or "",
        notes={"scratch": Note(epochs=0, selected_by=by), scoring.name: Note(epochs=config["epochs"], selected_by=by)},
    )
    assert evaluation.sizes is not None  # there are folds
    tested, seen = evaluation.sizes
    print(
        f"A fold tests {tested:.0f} graphs and learns from {seen - tested:.0f} labels; those of a fold as large as the "
        "test fold choose the epoch."
    )
    if config["dataset"] == entry.name:
        print("The encoder was pretrained on all graphs, those of the test folds included, without labels.")
    print(f"run folder: {scoring.folder.path}")
