"""``graphcl finetune``: tune a run's encoder on labelled molecules or few labelled graphs, beside one from scratch."""

import copy
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from graphcl._random import torch_seeded
from graphcl._resolve import make_encoder
from graphcl.cli._finetuning import add_tuning, tune_on_few, tuning_protocols
from graphcl.cli._molecules import check_run, judge, keep, split_of
from graphcl.cli._scoring import Scoring
from graphcl.cli._settings import use_threads
from graphcl.cli._source import Source, add_source, source_that_is_asked_for

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Tune a copy of a run's encoder, or of a pretrained one (--model), on a labelled set of molecules, with a linear "
    "head per task, beside the same encoder from random weights (scratch). Missing labels are masked, the test part is "
    "read once. On a set of other graphs with a class each, tune on 1 or 10 percent of the labels, fold by fold. "
    "Scores go to scores.csv in the run's folder, or in --out; a command that was interrupted goes on where it stopped."
)


def add_options(parser: Any) -> None:
    """The options of finetune."""
    add = parser.add_argument
    add_source(add)
    add("--dataset", type=str, required=True, help="the labelled set; see graphcl datasets list")
    add(
        "--protocol",
        type=str | None,
        default=None,
        help="moleculenet-finetune (the best epoch on validation), moleculenet-finetune-last-epoch, or ogb-finetune "
        "for OGB's sets (its own evaluator); for other graphs semi-supervised-1 or semi-supervised-10, the percentage "
        "of labels (10 by default; tu-semi-1 and tu-semi-10 are the same)",
    )
    add(
        "--seeds",
        type=int,
        nargs="+",
        default=None,
        help="of head, order and dropout; by default 0 to 9, on few labels 0 to 4",
    )
    add_tuning(add)


def run(config: Any) -> int:
    """Fine-tune the run of a folder, or a pretrained encoder."""
    use_threads(config.threads)
    with source_that_is_asked_for(config) as source:
        _tune(source, config)
    return 0


def _tune(source: Source, config: Any) -> None:
    """Tune what is asked for, keep its scores and print them."""
    from graphcl.data import card, load
    from graphcl.data.load import is_molecules
    from graphcl.evaluate import finetune_molecules, raw_path
    from graphcl.train import pick_device

    device = pick_device(config.device)
    root = config.root or source.config["root"]
    entry = card(config.dataset, root=root)
    base, chosen = tuning_protocols(config, entry)
    scoring = Scoring(source, entry, root, device)
    scoring.check_unseen()
    seeds = list(range(chosen.seeds)) if config.seeds is None else config.seeds
    command = _command(scoring, config, base.name, seeds)
    if not is_molecules(entry):
        tune_on_few(scoring, partial(_encoders, scoring), chosen, seeds, precision=config.precision, command=command)
        return
    check_run(source.config)
    dataset: Any = load(entry.name, root=root, vocab=source.config["vocab"])
    evaluation = finetune_molecules(
        _encoders(scoring, dataset.num_features),
        dataset,
        chosen,
        seeds,
        classification=entry.task == "classification",
        split=split_of(dataset),
        score=judge(entry),
        device=device,
        precision=config.precision,
        raw=raw_path(scoring.folder.path / "raw", entry.name, chosen),
        progress=lambda method, seed: print(f"{entry.name}, {method}, seed {seed}: done", file=sys.stderr),
    )
    keep(scoring, evaluation, command, {scoring.name: source.config["epochs"], "scratch": 0})


def _encoders(scoring: Scoring, in_channels: int) -> Mapping[str, Callable[[int], Any]]:
    """What is tuned, by seed: the encoder with random weights, and the pretrained one."""

    def scratch(seed: int) -> Any:
        with torch_seeded(seed):
            return make_encoder(scoring.config, in_channels)

    encoder = scoring.source.trained(in_channels, scoring.config["seed"]).encoder
    return {"scratch": scratch, scoring.name: lambda seed: copy.deepcopy(encoder)}


def _command(scoring: Scoring, config: Any, protocol_name: str, seeds: list[int]) -> str:
    """The command that makes these scores."""
    words = [scoring.command("finetune", protocol_name)]
    for key in ("epochs", "batch_size", "lr", "encoder_lr", "dropout"):
        if config[key] is not None:
            words.append(f"--{key.replace('_', '-')} {config[key]}")
    words += ["--head-only"] if config.head_only else []
    words += [f"--precision {config.precision}"] if config.precision != "fp32" else []
    return " ".join([*words, f"--seeds {' '.join(map(str, seeds))}"])
