"""How an encoder is tuned on labels: the options, the protocol that they ask for, and tuning on few labels."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from graphcl._arguments import check_choice
from graphcl.cli._scoring import Scoring
from graphcl.errors import ConfigError, RunError

__all__ = ["add_tuning", "tune_on_few", "tuning_protocols"]

NUMBERS = ("epochs", "batch_size", "lr", "encoder_lr")  # options that change the protocol, and its name


def add_tuning(add: Any) -> None:
    """The options of tuning."""
    add("--head-only", action="store_true", help="leave the encoder as it is and tune the head alone")
    add("--epochs", type=int | None, default=None, help="passes over the training part; by default 100")
    add("--batch-size", type=int | None, default=None, help="graphs per step; by default 32, on few labels 128")
    add("--lr", type=float | None, default=None, help="Adam's learning rate; by default 0.001")
    add("--encoder-lr", type=float | None, default=None, help="the encoder's learning rate; by default the head's")
    add("--dropout", type=float | None, default=None, help="of an encoder of molecules; by default 0.5")
    add("--precision", type=str, default="fp32", help="fp32 or bf16")
    add("--root", type=str | None, default=None, help="data folder; by default the run's")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--threads", type=int | None, default=None, help="CPU threads; by default as many as torch chooses")


def tuning_protocols(config: Any, entry: Any) -> tuple[Any, Any]:
    """The protocol that is asked for, and the same with what the options change."""
    from graphcl.data.load import is_molecules

    check_choice("precision", config.precision, ("fp32", "bf16"))
    numbers = {key: config[key] for key in ("head_only", *NUMBERS)}
    return _for_molecules(config, entry, numbers) if is_molecules(entry) else _for_few_labels(config, entry, numbers)


def _for_molecules(config: Any, entry: Any, numbers: dict[str, Any]) -> tuple[Any, Any]:
    from graphcl.evaluate import molecule_protocol, with_tuning

    ogb = entry.loader == "ogb"
    base = molecule_protocol(config.protocol or ("ogb-finetune" if ogb else "moleculenet-finetune"))
    if base.ogb and not ogb:
        raise RunError(f"expected a set of OGB for {base.name}, got {entry.name}; use moleculenet-finetune")
    return base, with_tuning(base, **numbers, dropout=config.dropout)


def _for_few_labels(config: Any, entry: Any, numbers: dict[str, Any]) -> tuple[Any, Any]:
    from graphcl.evaluate import semi_protocol, with_semi_tuning

    if entry.level != "graph" or entry.task != "classification":
        raise RunError(
            f"expected a labelled set of molecules, or of graphs with a class each, to fine-tune on, got {entry.name} "
            f"({entry.task} of {entry.level}s)"
        )
    if config.dropout is not None:
        raise ConfigError(
            f"expected --dropout with a set of molecules, got it with {entry.name}, whose runs have their own"
        )
    base = semi_protocol(config.protocol or "semi-supervised-10")
    return base, with_semi_tuning(base, **numbers)


def tune_on_few(
    scoring: Scoring,
    encoders: Callable[[int], Mapping[str, Callable[[int], Any]]],
    chosen: Any,
    seeds: list[int],
    *,
    precision: Any,
    command: str,
) -> None:
    """Tune a run's encoder on few labels of a set of graphs, fold by fold, and score on the test folds.

    Args:
        scoring: The run and the data set.
        encoders: From the width of the node features to what is tuned, by name and seed.
        chosen: The protocol.
        seeds: Of folds, labels and head.
        precision: ``fp32`` or ``bf16``.
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
        precision=precision,
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
