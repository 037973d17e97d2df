"""``graphcl predict``: tune a run's encoder on labelled molecules, and predict the labels of others."""

import csv
import io
import math
import sys
from pathlib import Path
from typing import Any

from graphcl.cli._data import add_columns, beside, check_new, load_data, tell_skipped
from graphcl.cli._finetuning import add_tuning, tuning_protocols
from graphcl.cli._molecules import check_run, judge, split_of
from graphcl.cli._scoring import Scoring
from graphcl.cli._settings import use_threads
from graphcl.cli._source import add_named, check_named, source_of_model, source_of_run
from graphcl.errors import ConfigError, RunError

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Tune copies of a run's encoder, or of a pretrained one (--model), on a labelled set of molecules, one per seed, "
    "each at its best epoch on the validation part, and write what they predict of a file of molecules: per task the "
    "mean over the seeds and, of several, their standard deviation. Of labels 0 and 1 a prediction is the probability "
    "of 1, of numbers it is in their own unit. A task without labels in the training part is left empty."
)


def add_options(parser: Any) -> None:
    """The options of predict."""
    add = parser.add_argument
    add_named(add)
    add("--dataset", type=str, required=True, help="the labelled set to learn from; see graphcl datasets list")
    add("--data", type=str, required=True, help="the file of molecules to predict")
    add_columns(add)
    add("--out", type=str, required=True, help="the CSV file to write: row, smiles, and a column per task")
    add("--overwrite", action="store_true", help="replace the file, and the list of rows that are not molecules")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of head, order and dropout, one tuned copy each")
    add(
        "--protocol",
        type=str | None,
        default=None,
        help="moleculenet-finetune (the best epoch on validation), moleculenet-finetune-last-epoch, or ogb-finetune",
    )
    add_tuning(add)


def run(config: Any) -> int:
    """Tune a copy per seed, predict with each, and write the means."""
    import torch

    from graphcl.data import card
    from graphcl.data.load import is_molecules
    from graphcl.train import RunFolder, pick_device
    from graphcl.train.checkpoint import write_atomically

    use_threads(config.threads)
    check_named(config)
    if len(set(config.seeds)) != len(config.seeds) or min(config.seeds) < 0:
        raise ConfigError(f"expected seeds of at least 0, each once, got {' '.join(map(str, config.seeds))}")
    out = Path(config.out).expanduser()
    check_new(out, ".csv", overwrite=config.overwrite, data=config.data)
    source = source_of_run(RunFolder(config.run)) if config.model is None else source_of_model(config.model)
    check_run(source.config)
    root = config.root or source.config["root"]
    entry = card(config.dataset, root=root)
    if not is_molecules(entry):
        raise RunError(
            f"expected a labelled set of molecules to learn from, got {entry.name}, which holds other graphs"
        )
    scoring = Scoring(source, entry, root, pick_device(config.device))
    scoring.check_unseen()
    asked = {"data": config.data, "smiles_column": config.smiles_column, "encoding": config.encoding}
    molecules = load_data({**source.config, **asked, "dataset": None}, root=root)
    predictions, tasks = _predictions(scoring, molecules, config)
    table = _table(molecules, torch.stack(predictions), tasks)
    write_atomically(out, lambda file: file.write(table.encode()))
    if untaught := [name for name, column in zip(tasks, predictions[0].T, strict=True) if column.isnan().all()]:
        print(f"{', '.join(untaught)}: no labels in the training part to learn from; left empty")
    print(
        f"{out}: {len(molecules):,} molecules, {len(tasks)} tasks, by {len(predictions)} tuned copies of {source.name}"
    )
    tell_skipped(molecules, beside(out))
    return 0


def _predictions(scoring: Scoring, molecules: Any, config: Any) -> tuple[list[Any], list[str]]:
    """``[N, tasks]`` by each seed, and the names of the tasks."""
    from graphcl.data import load
    from graphcl.evaluate import finetune_by
    from graphcl.evaluate.results import in_percent, with_unit

    entry = scoring.entry
    protocol = tuning_protocols(config, entry)[1]
    dataset: Any = load(entry.name, root=scoring.root, vocab=scoring.config["vocab"])
    encoder = scoring.source.trained(dataset.num_features, scoring.config["seed"]).encoder
    found = []
    for seed in config.seeds:
        tuned = finetune_by(
            protocol,
            encoder,
            dataset,
            split_of(dataset),
            classification=entry.task == "classification",
            settle=True,
            seed=seed,
            device=scoring.device,
            precision=config.precision,
            score=judge(entry),
        )
        found.append(tuned.predict(molecules))
        metric = getattr(judge(entry), "metric", "") or ("auc" if entry.task == "classification" else "rmse")
        scores = tuned.valid[tuned.epoch - 1], tuned.test.mean
        valid, test = (f"{100 * score if in_percent(metric) else score:.4g}" for score in scores)
        where = f"{entry.name}, seed {seed}: epoch {tuned.epoch}"
        print(f"{where}, {with_unit(metric)}: {valid} on validation, {test} on the test part", file=sys.stderr)
    names = getattr(dataset, "tasks", ()) or [f"task {i}" for i in range(found[0].size(1))]
    return found, list(names)


def _table(molecules: Any, found: Any, tasks: list[str]) -> str:
    """The predictions as CSV, a molecule per line; ``found`` is ``[seeds, N, tasks]``."""
    means = found.mean(0).tolist()
    spreads = found.std(0).tolist() if len(found) > 1 else [[]] * len(means)
    text = io.StringIO()
    writer = csv.writer(text)
    tasks = [f"{task} predicted" if task in ("row", "smiles") else task for task in tasks]
    writer.writerow(["row", "smiles", *tasks, *(f"{task} std" for task in tasks if len(found) > 1)])
    for row, smiles, mean, spread in zip(molecules._data.row.tolist(), molecules.smiles, means, spreads, strict=True):
        writer.writerow([row, smiles, *("" if math.isnan(value) else f"{value:.8g}" for value in (*mean, *spread))])
    return text.getvalue()
