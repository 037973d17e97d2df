"""``graphcl audit``: score any encoder of graphs, whoever trained it, beside the same one untrained."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphcl._recipes import recipe
from graphcl._resolve import NETWORKS, READOUTS, encoder_maker, make_method
from graphcl.cli._protocols import check_jobs, check_seeds, protocol_for
from graphcl.cli._scoring import check_labels_unseen
from graphcl.cli._settings import run_config
from graphcl.errors import ConfigError, RunError
from graphcl.pretrained import embeds_by_encoder

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Score any encoder of graphs beside raw features, the Weisfeiler-Lehman kernel and the same network untrained, "
    "as it is initialised and with batch statistics: what is left is the lift of its training, with its interval."
)


def add_options(parser: Any) -> None:
    """The options of audit."""
    add = parser.add_argument
    add(
        "encoder",
        type=str,
        help="MODULE:NAME of a class or function that makes it, such as torch_geometric.nn:GIN; a name of the "
        f"package's own ({', '.join(NETWORKS)}); or a run folder",
    )
    add("--dataset", type=str | None, default=None, help="name of the data set; by default the run's")
    add(
        "--arguments",
        type=dict[str, Any],
        default={},
        help="what it is called with: --arguments.hidden_channels 32; in_channels is filled in where it has one",
    )
    add("--weights", type=str | None, default=None, help="its weights: .safetensors, or .pt read as tensors only")
    add(
        "--readout",
        type=str | None,
        default=None,
        help=f"from nodes to graphs, of an encoder that is not a run's: {', '.join(READOUTS)}, by default sum; none if "
        "it does that",
    )
    add("--features", type=str | None, default=None, help="node features, as for pretrain")
    add(
        "--protocol",
        type=str | None,
        default=None,
        help="tu-rbf-svm, tu-rbf-svm-scaled or tu-linear-svm, each also with -grouped at its end: graphs that no "
        "message passing tells apart then stay together in the folds; or graph-knn, graph-kmeans, graph-retrieval; by "
        "default the data set's",
    )
    add(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1, 2, 3, 4],
        help="of the folds and of the untrained networks; by default 0 to 4",
    )
    add("--root", type=str | None, default=None, help="data folder")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--jobs", type=int, default=1, help="threads that share the folds")


def run(config: Any) -> int:
    """Score an encoder, and say what its training has added."""
    from graphcl.data import card, load
    from graphcl.evaluate import Provenance, audit, format_table
    from graphcl.train import RunFolder, pick_device

    check_seeds(config.seeds)
    check_jobs(config.jobs)
    folder = RunFolder(config.encoder) if Path(config.encoder).expanduser().is_dir() else None
    settings = run_config(folder) if folder else {}
    if folder and (beside := [f"--{name}" for name in ("weights", "arguments", "readout") if config[name]]):
        raise ConfigError(f"expected a run folder alone, got {' and '.join(beside)} beside it; the run has its own")
    name, root = config.dataset or settings.get("dataset"), config.root or settings.get("root")
    if name is None:
        raise ConfigError("expected --dataset, the set that the encoder is scored on; see graphcl datasets list")
    entry = card(name, root=root)
    if entry.level != "graph" or entry.task != "classification":
        mend = (
            "evaluate_nodes scores embeddings of nodes in Python" if entry.level == "node" else "see graphcl evaluate"
        )
        raise ConfigError(
            f"expected a data set with a class per graph, got {name} ({entry.task} of {entry.level}s); {mend}"
        )
    if folder:
        check_labels_unseen(settings, entry.name, recipe(settings["method"]).name, root)
    chosen = protocol_for(entry, config.protocol or _first_protocol(entry))
    features = config.features or settings.get("features")
    dataset = load(name, root=root, features=features)
    given = _of_run(folder, settings, dataset.num_features) if folder else _of_words(config, dataset.num_features)
    encoder, make, title = given
    readouts: dict[str, Any] = {**READOUTS, "none": None}
    readout = config.readout or "sum"  # a run's encoder has its own
    if readout not in readouts:
        raise ConfigError(f"expected readout out of {', '.join(readouts)}, got {readout!r}")
    device = pick_device(config.device)
    command = f"graphcl audit {shlex.quote(config.encoder)} --dataset {name} --protocol {chosen.name}"
    rows = audit(
        encoder.to(device),
        dataset,
        make=make,
        readout=readouts[readout],
        probe=chosen,
        seeds=config.seeds,
        name=title,
        dataset_name=name,
        features=features or entry.features or "",
        n_jobs=config.jobs,
        provenance=Provenance(device=str(device), command=command),
    )
    print(format_table(rows))
    own = [row for row in rows if row.method == title]
    for row in own:
        print(_lift(title if len(own) == 1 else f"{title}, {row.metric}", row))
    return 0


def _first_protocol(entry: Any) -> str:
    """The protocol that the card of a set of graphs names first."""
    from graphcl.evaluate import PROTOCOLS

    if not entry.protocols:
        return "tu-rbf-svm"
    if entry.protocols[0] not in PROTOCOLS:
        raise ConfigError(
            f"expected a data set whose graphs are scored in folds, got {entry.name} ({entry.protocols[0]}); molecules "
            "are scored by graphcl evaluate RUN or graphcl evaluate --model"
        )
    return entry.protocols[0]


def _of_run(folder: Any, settings: Mapping[str, Any], in_channels: int) -> tuple[Any, Callable[[int], Any], str]:
    """The encoder of a run, what makes it untrained, and what tables call its method."""

    def make(seed: int) -> Any:
        return make_method(settings, in_channels, seed=seed).encoder

    method = make_method(settings, in_channels)
    if not embeds_by_encoder(method):
        raise RunError(
            f"expected a run whose encoder is all there is to embed with, got one of {settings['method']}; score all "
            f"of it: graphcl evaluate {shlex.quote(str(folder.path))}"
        )
    folder.load_weights(method)
    return method.encoder, make, recipe(settings["method"]).name


def _of_words(config: Any, in_channels: int) -> tuple[Any, Callable[[int], Any], str]:
    """The encoder of that name with the weights of a file, what makes it untrained, and its name."""
    make = encoder_maker(config.encoder, config.arguments, in_channels)
    # Without weights it is one more untrained network, of a seed that none of the others has.
    encoder = make(max(config.seeds) + 1)
    if config.weights:
        _load_into(encoder, config.weights)
    return encoder, make, config.encoder.rpartition(":")[2]


def _load_into(encoder: Any, path: str) -> None:
    """Fill a network with the weights of a file, which may hold tensors and nothing else."""
    import torch
    from safetensors.torch import load_file

    path = str(Path(path).expanduser())
    if not Path(path).is_file():
        raise ConfigError(f"expected a file of weights, found none at {path}")
    try:
        weights = load_file(path) if path.endswith(".safetensors") else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in many ways: zip, pickle, end of file, header
        raise ConfigError(
            f"expected a file of tensors at {path}, but it cannot be read: {type(error).__name__}; save it by "
            "safetensors.torch.save_file(model.state_dict(), ...) or torch.save(model.state_dict(), ...)"
        ) from error
    try:
        encoder.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"expected weights of this network at {path}: {error}{_mend(weights)}") from error


def _mend(weights: Any) -> str:
    """What to do about a file of weights that fits by another name."""
    if not isinstance(weights, dict):
        return "; save model.state_dict()"
    inside = [key for key, value in weights.items() if isinstance(value, dict)]
    if inside:
        return (
            f"; it holds more than weights: save {inside[0]!r} of it alone, which torch.save(model.state_dict()) does"
        )
    for prefix in ("module.", "_orig_mod.", "model.", "encoder."):
        if weights and all(str(key).startswith(prefix) for key in weights):
            return f"; all names begin with {prefix!r}: save the state_dict() of what is inside"
    return ""


def _lift(title: str, row: Any) -> str:
    """What the training has added, in words."""
    from graphcl.evaluate.results import two_digits

    lift = f"{title}: lift over the same network untrained {two_digits(row.lift, '+')} points"
    if row.lift_low is None:  # one seed of clusters or retrieval: nothing to tell the spread from
        return f"{lift} without an interval; take more seeds"
    low, high = two_digits(row.lift_low, "+"), two_digits(row.lift_high, "+")
    shown = "" if row.lift_low > 0 or row.lift_high < 0 else ", which contains 0: none is shown"
    return f"{lift}, 95 % interval [{low}, {high}]{shown}"
