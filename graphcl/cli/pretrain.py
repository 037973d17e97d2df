"""``graphcl pretrain``: train an encoder by contrast, without labels."""

import inspect
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcl._descriptors import VECTOR_WIDTHS
from graphcl._recipes import SETTINGS, recipe, settings_for
from graphcl._resolve import check_encoder_settings, make_method
from graphcl.cli import INTERRUPTED
from graphcl.cli._bench_training import OF_FIT
from graphcl.cli._data import leave_out, load_data, tell_overlaps, tell_skipped, with_modality
from graphcl.cli._settings import CALL_ONLY, DEFAULT_DATASET, add_options, run_config, unsaid, use_threads
from graphcl.cli._source import source_of_run
from graphcl.cli.evaluate import check_can_be_scored, score
from graphcl.distributed import rank, world
from graphcl.errors import ConfigError

__all__ = ["ABOUT", "add_options", "run", "unsaid"]

ABOUT = (
    "Pretrain an encoder. Settings come from flags, from a YAML file (--config), or both: flags win. What is left "
    "out is as in the method's paper, on the data set where it says so, which `graphcl methods NAME` shows. On several "
    "GPUs, or CPUs: torchrun --nproc-per-node=4 -m graphcl pretrain ..."
)

OF_TRAINING = (*OF_FIT, "accumulate", "seed")

# Of a run that is gone on with; a schedule depends on the number of epochs, too.
MAY_CHANGE = ("epochs", "root", "diagnostics")


def run(config: Any) -> int:
    """Train, and say where the run is."""
    from graphcl.train import pick_device
    from graphcl.train.ranks import process_group

    if config.resume and config.overwrite:
        raise ConfigError("expected --resume or --overwrite, got both")
    use_threads(config.threads)
    device = pick_device(config.device)
    with process_group(device):
        first = rank() == 0
        trained = _train(config, device)
    return _tell(*trained, config) if first else INTERRUPTED if trained[0].interrupted else 0


def _train(config: Any, device: Any) -> tuple[Any, Any, str]:
    """The history of the run, its folder, and what its speed is counted in."""
    from graphcl.data import PackedDataset, card
    from graphcl.train import RunFolder, TensorBoard, fit, source_of
    from graphcl.train.ranks import in_turn, on_first

    settings = _settings(config)
    if config.resume:
        _check_same(RunFolder(config.out), settings, config)
    with in_turn(device):
        whole = with_modality(load_data(settings, root=config.root), settings, root=config.root)
        dataset, overlaps = leave_out(whole, config.exclude, config.exclude_by, root=config.root)
    known = recipe(config.method)
    one = known.kind.level == "node" and len(dataset) == 1
    usual = settings_for(config.method, config.dataset, vocab=config.vocab)["batch_size"]
    if one and not config.resume and config.batch_size != usual:
        raise ConfigError(
            f"expected no batch_size for {dataset.name}, which is one graph and a step, got {config.batch_size}; "
            "batches of its nodes are made in Python, with NeighbourSampler"
        )
    data = _without_link_labels(dataset[0]) if one else PackedDataset(dataset, graph_id=True)
    # Everything that can be refused is refused before anything is written.
    if config.evaluate:
        check_can_be_scored(settings, card(config.dataset, root=config.root), data)
    source = source_of(data, known.kind, config.batch_size, device)
    total_steps = config.epochs * -(-source.steps // config.accumulate)
    method = make_method(settings, dataset.num_features, total_steps=total_steps)
    if source.first is not None:
        method.check_needs(source.first)
    curves = [] if config.tensorboard is None else [TensorBoard(config.tensorboard)]
    folder = RunFolder(config.out or _new_folder(dataset.name, config.method, device))

    def prepare() -> None:
        _prepare(folder, settings, config)
        if not config.resume:  # then they lie there, of the same data
            tell_skipped(dataset, folder.path / "skipped.csv")
            tell_overlaps(overlaps, len(whole), len(dataset), folder.path / "overlap.csv")
        where = str(device) if world() == 1 else f"{world()} ranks"
        print(f"{dataset.name}: {source.size:,} {source.unit}, {known.name} on {where}, run folder {folder.path}")

    on_first(prepare, device)
    watch = _diagnostics(data) if settings["diagnostics"] else None
    history = fit(
        method,
        data,
        **{option: settings[option] for option in OF_TRAINING},
        device=device,
        folder=folder,
        resume=config.resume,
        callbacks=[*([] if watch is None else [watch]), *curves],
    )
    if watch is not None:  # of the weights that are kept: with patience not the last ones
        on_first(lambda: folder.write_profile(watch.profile(method)), device)
    return history, folder, source.unit


def _without_link_labels(data: Any) -> Any:
    """The graph without held-out links, which no method looks at and which would hold on to nodes that views drop."""
    return data.from_dict({key: value for key, value in data.to_dict().items() if "edge_label" not in key})


def _settings(config: Any) -> dict[str, Any]:
    """What the run folder keeps, its paths such that they are found from any working directory."""
    from graphcl.train._settings import Settings

    settings = {key: value for key, value in config.as_dict().items() if key not in CALL_ONLY}
    if config.root is not None:
        settings["root"] = str(Path(config.root).expanduser().resolve())
    for key in ("epochs", "batch_size", "lr", "accumulate", "temperature", "hidden", "layers"):
        if settings[key] is not None and not settings[key] > 0:
            raise ConfigError(f"expected {key} above 0, got {settings[key]}")
    if not -(2**63) <= settings["seed"] < 2**63:
        raise ConfigError(f"expected seed to be a whole number of 64 bits, got {settings['seed']}")
    Settings(**{key: settings[key] for key in OF_TRAINING})  # or an error says which is out of range
    check_encoder_settings(settings, SETTINGS, settings_for(config.method, config.dataset, vocab=config.vocab))
    _check_data(config)
    if config.evaluate and recipe(config.method).labels == "all":
        raise ConfigError(
            f"expected a method that learns without labels for --evaluate, got {config.method}: the set has no graph "
            "whose label it has not seen; run graphcl evaluate --dataset NAME afterwards, with another set"
        )
    kind = settings["arguments"].get("modality")
    if config.method == "cross-modal" and config.vocab is not None and kind in VECTOR_WIDTHS:
        settings["arguments"] = {**settings["arguments"], "modality_channels": VECTOR_WIDTHS[kind]}
    if config.data is not None:
        settings |= {"data": str(Path(config.data).expanduser().resolve()), "dataset": None}
    return settings


def _check_data(config: Any) -> None:
    """Refuse a file beside a data set."""
    if config.data is None:
        if config.dataset is None:
            raise ConfigError("expected --dataset or --data, got neither")
        if config.smiles_column is not None:
            raise ConfigError("expected --smiles-column with --data FILE, got it without")
        if config.encoding is not None:
            raise ConfigError("expected --encoding with --data FILE, got it without")
        return
    if config.dataset not in (None, DEFAULT_DATASET):
        raise ConfigError(f"expected --dataset or --data, got both, {config.dataset} and {config.data}")
    if config.evaluate:
        raise ConfigError("expected a data set with labels for --evaluate, got a file; run graphcl evaluate afterwards")


def _prepare(folder: Any, settings: Mapping[str, Any], config: Any) -> None:
    """Make the folder, or see that its run can be gone on with."""
    from graphcl.train import load_checkpoint

    if not config.resume:
        folder.create(settings, overwrite=config.overwrite)
        return
    done = load_checkpoint(folder.checkpoint_file).get("epoch", 0)
    if done > settings["epochs"]:  # or the run would be said to have fewer epochs than its weights
        raise ConfigError(
            f"expected at least the {done} epochs that {folder.path} has already, got {settings['epochs']}; leave "
            "--epochs out, or start a new run"
        )
    folder.go_on_with(settings)


def _check_same(folder: Any, settings: Mapping[str, Any], config: Any) -> None:
    """Refuse to go on with a run with other settings than its own."""
    before = folder.read_config().get("vocab")
    if before != settings["vocab"]:
        raise ConfigError(
            f"expected the index table of the run, {before}, to go on with it, got {settings['vocab']}: the same "
            f"number is another atom there; start a new run with --vocab {settings['vocab']}"
        )
    own = run_config(folder)
    # A learning rate or a momentum that follows a schedule to its end would not be that of one longer run.
    scheduled = (
        settings["schedule"] != "constant" or "total_steps" in inspect.signature(recipe(config.method).kind).parameters
    )
    fixed = [key for key in own if key not in MAY_CHANGE or (key == "epochs" and scheduled)]
    changed = [f"{key}={settings[key]} (there {own[key]})" for key in fixed if settings[key] != own[key]]
    if changed:
        raise ConfigError(
            f"expected to go on with the run of {folder.path} with its own settings, got {', '.join(changed)}; leave "
            "them out, or start a new run"
        )


def _new_folder(dataset: str, method: str, device: Any) -> Path:
    """One that is not there yet, by the clock of the first rank."""
    from graphcl.train.ranks import first_says

    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(first_says(time.time(), device)))
    paths = [Path("runs") / f"{dataset}-{method}-{stamp}{'' if i == 1 else f'-{i}'}" for i in range(1, 1000)]
    return paths[int(first_says(next(i for i, path in enumerate(paths) if not path.exists()), device))]


def _diagnostics(data: Any) -> Any:
    """Looks at a choice of graphs that is the same for every seed, or at the one graph."""
    from graphcl.data import PackedDataset
    from graphcl.evaluate import Diagnostics

    def say(words: str) -> None:
        print(f"graphcl: warning: {words}", file=sys.stderr)

    if not isinstance(data, PackedDataset):
        return Diagnostics(data, every=200, say=say)  # larger, against cheaper steps
    return Diagnostics(data.batch(data.loader(256, shuffle=True, seed=0).order[:256].sort().values), say=say)


def _tell(history: Any, folder: Any, unit: str, config: Any) -> int:
    """Say how the training went and what comes next."""
    from graphcl.data import card
    from graphcl.train.ranks import was_launched

    if history.left_out > 1:
        print(f"{history.left_out} graphs an epoch were left out: a last batch of fewer graphs than ranks")
    elif history.left_out:
        print("1 graph an epoch was left out: it formed a last batch of its own and had nothing to be contrasted with")
    if history.interrupted:
        command = "graphcl"
        if was_launched():
            nodes = f"--nnodes={n} " if (n := os.environ.get("GROUP_WORLD_SIZE", "1")) != "1" else ""
            command = f"torchrun {nodes}--nproc-per-node={os.environ['LOCAL_WORLD_SIZE']} -m graphcl"
        print(f"stopped; go on with: {command} pretrain --resume --out {shlex.quote(str(folder.path))}")
        return INTERRUPTED
    last = history.epochs[-1]
    print(f"epoch {int(last['epoch'])}: loss {last['loss']:.4f}, {last[f'{unit}_per_s']:,.0f} {unit}/s")
    if history.best_epoch is not None:
        print(f"weights of epoch {history.best_epoch}, which had the lowest loss")
    if config.evaluate:
        return score(source_of_run(folder), root=config.root, device=config.device)
    if config.data is None and card(config.dataset, root=config.root).level == "link":
        after = "links are scored in Python, by ogb_link_split and evaluate_links"
    else:
        more = " --dataset NAME" if config.data is not None else ""
        after = f"next: graphcl evaluate {shlex.quote(str(folder.path))}{more}"
    print(f"run folder: {folder.path}   ({after})")
    return 0
