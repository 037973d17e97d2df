"""The command line; it alone reads settings, flags and YAML."""

import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphcl._molecules import export, leave_out, load_data, score_molecules, tell_overlaps, tell_skipped, tune
from graphcl._recipes import METHODS, near, recipe, settings_for
from graphcl._resolve import ACTIVATIONS, CONVS, ENCODERS, NORMS, READOUTS, VIEWS, encoder_maker, make_method
from graphcl.errors import ConfigError, GraphCLError, RunError

__all__ = ["main"]

INTERRUPTED = 130  # what a shell reports after Ctrl-C
DEFAULT_METHOD, DEFAULT_DATASET = "graphcl", "synthetic-molecules"

# What a run folder's config.yaml holds; the rest of pretrain's options is about the call, not about the run.
CALL_ONLY = ("config", "resume", "overwrite", "evaluate", "out", "device", "threads")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for a mistake that the message explains, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except (GraphCLError, ValueError, TypeError) as error:
        if os.environ.get("GRAPHCL_DEBUG"):
            raise
        print(f"graphcl: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("graphcl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    config = _parse(build_parser(_defaults(arguments)), arguments)
    command = config["command"]
    if command is None:
        build_parser().print_help()
        return 0
    chosen = config[command]
    if command in ("datasets", "methods"):
        return _datasets(chosen) if command == "datasets" else _methods(chosen)
    return {
        "pretrain": _pretrain,
        "evaluate": _evaluate,
        "finetune": _finetune,
        "audit": _audit,
        "embed": _embed,
        "export": _export,
        "report": _report,
    }[command](chosen)


def build_parser(defaults: Mapping[str, Any] | None = None) -> Any:
    """The parser of all commands; ``defaults`` replace those of pretrain (a resumed run's own settings)."""
    from jsonargparse import ArgumentParser

    from graphcl import __version__

    parser = ArgumentParser(
        prog="graphcl",
        description="Graph contrastive learning: pretrain a graph neural network without labels, see what it is worth.",
        epilog="Begin with: graphcl pretrain --evaluate   (offline, on a data set that the package makes itself)",
        exit_on_error=False,
        version=__version__,
    )
    commands = parser.add_subcommands(required=False, dest="command", metavar="COMMAND")
    commands.add_subcommand(
        "pretrain", _pretrain_parser(defaults or {}), help="train an encoder by contrast, without labels"
    )
    commands.add_subcommand(
        "evaluate", _evaluate_parser(), help="score a run's embeddings beside the untrained encoder's"
    )
    commands.add_subcommand(
        "audit", _audit_parser(), help="score any encoder of graphs, whoever trained it, beside the same one untrained"
    )
    commands.add_subcommand(
        "finetune", _finetune_parser(), help="tune a run's encoder on labelled molecules, beside one from scratch"
    )
    commands.add_subcommand("embed", _embed_parser(), help="write a run's embeddings to a file")
    exported = _new_parser(
        "Write a run's encoder to a folder of its own, as float16 safetensors with its card, for graphcl.load and "
        "graphcl embed --model."
    )
    exported.add_argument("run", type=str, help="the run folder")
    exported.add_argument("--out", type=str, required=True, help="a new folder; its name becomes the encoder's")
    commands.add_subcommand("export", exported, help="write a run's encoder, to share and to embed with")
    report = _new_parser(
        "Write a page with the loss curve, scores and settings of a run (needs matplotlib: the extra plot)."
    )
    report.add_argument("run", type=str, help="the run folder")
    commands.add_subcommand("report", report, help="write the page of a run, report.html")
    known = _new_parser("The methods that the package knows: what they are from, what they need, their settings.")
    known.add_argument("name", type=str | None, nargs="?", default=None, help="show the settings of one method")
    known.add_argument("--dataset", type=str | None, default=None, help="its settings on that data set")
    commands.add_subcommand("methods", known, help="list the methods, or the settings of one")
    datasets = _new_parser(
        "The data sets that the package knows, as cards: what they are, their traps, published scores."
    )
    commands.add_subcommand("datasets", datasets, help="list, show and add data sets")
    _add_dataset_actions(datasets)  # after its parent, as jsonargparse demands
    return parser


def _new_parser(description: str, **options: Any) -> Any:
    from jsonargparse import ArgumentParser

    return ArgumentParser(description=description, exit_on_error=False, **options)


def _pretrain_parser(defaults: Mapping[str, Any]) -> Any:
    parser = _new_parser(
        "Pretrain an encoder. Settings come from flags, from a YAML file (--config), or both: flags win. What is left "
        "out is as in the method's paper, on the data set where it says so, which `graphcl methods NAME` shows.",
        print_config="--print-%s",
    )
    add = parser.add_argument
    add("--config", action="config", help="YAML file with any of the settings below")
    add(
        "--dataset",
        type=str | None,
        default=DEFAULT_DATASET,
        help="name of the data set; see graphcl datasets list",
    )
    add(
        "--data",
        type=str | None,
        default=None,
        help="instead of a data set a file of molecules, CSV, TSV, SMI, SDF or Parquet, plain or gzip",
    )
    add("--smiles-column", type=str | None, default=None, help="its column of SMILES; by default the one of that name")
    add(
        "--vocab",
        type=str | None,
        help="index table of atoms and bonds, for molecules alone: ogb (the default there), pyg or hu2020",
    )
    add("--root", type=str | None, default=None, help="data folder; by default $GRAPHCL_HOME, else the user's cache")
    add(
        "--exclude",
        type=str,
        nargs="*",
        default=[],
        metavar="NAME",
        help="sets of molecules that the run will be tested on: their molecules are left out, and the overlap is told",
    )
    add(
        "--exclude-by",
        type=str,
        default="inchikey",
        help="what is the same molecule: inchikey, or skeleton, whatever the stereo marks, isotopes and protons",
    )
    add(
        "--features",
        type=str | None,
        default=None,
        help="node features: original, constant, degree, degree-onehot; by default its own, else its card's choice",
    )
    add(
        "--method",
        type=str,
        default=DEFAULT_METHOD,
        help=f"what to train by: {', '.join(METHODS)}; see graphcl methods",
    )
    add("--encoder", type=str, help=f"the network: {', '.join(ENCODERS)}")
    add("--conv", type=str, help=f"kind of the layers of encoder molecule: {', '.join(CONVS)}")
    add("--virtual-node", type=bool, help="whether encoder molecule has a virtual node")
    add("--hidden", type=int, help="width of each layer")
    add("--last-width", type=int | None, help="width of the last layer, not for gin; by default that of the others")
    add("--layers", type=int, help="number of layers")
    add("--dropout", type=float, help="between layers, not for gin")
    add("--act-last", type=bool, help="whether the last layer too has a norm and an activation; gin always does")
    add("--activation", type=str, help=f"between layers, not for gin: {', '.join(ACTIVATIONS)}")
    add("--norm", type=str, help=f"normalisation after each layer: {', '.join(NORMS)}")
    add("--joined", type=bool, help="whether the outputs of all layers are joined; gin always does")
    add("--readout", type=str, help=f"from nodes to graphs: {', '.join(READOUTS)}")
    add(
        "--views",
        type=str,
        nargs="*",
        metavar="VIEW",
        help="the views, each NAME or NAME:SHARE, several joined by + to be applied one after the other, or several "
        f"joined by | of which each graph draws one, out of {', '.join(VIEWS)}; random4 draws one of the four "
        "augmentations of GraphCL for each graph; for joao the augmentations to choose from",
    )
    add("--temperature", type=float | None, help="temperature of the loss")
    add("--objective", type=dict[str, Any], help="further arguments of the loss: --objective.decorrelation 0.001")
    add("--arguments", type=dict[str, Any], help="further arguments of the method: --arguments.momentum 0.99")
    add("--epochs", type=int, help="passes over the data; on one graph steps")
    add("--batch-size", type=int, help="graphs per step")
    add("--lr", type=float, help="the learning rate")
    add("--weight-decay", type=float, help="Adam's L2 penalty, or AdamW's decay")
    add("--optimizer", type=str, help="adam or adamw")
    add("--schedule", type=str, help="of the learning rate: constant or cosine")
    add("--warmup", type=int, help="epochs in which the learning rate rises")
    add("--clip", type=float | None, help="largest norm of the gradient")
    add("--precision", type=str, help="fp32 or bf16")
    add("--patience", type=int | None, help="stop after so many epochs without a lower loss, and take the best")
    add("--seed", type=int, default=0, help="seed of weights, views and the order of the graphs")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add("--threads", type=int | None, default=None, help="CPU threads; by default as many as torch chooses")
    add(
        "--diagnostics",
        type=bool,
        default=True,
        help="look at 256 graphs every 100 steps, or at the one graph every 200, for about 2 percent of the time: "
        "alignment, uniformity, effective rank; warn of a collapse",
    )
    add("--out", type=str | None, default=None, help="run folder; by default a new one in runs/")
    add("--resume", action="store_true", help="go on with the run in --out, with its own settings")
    add("--overwrite", action="store_true", help="replace the run in --out")
    add("--evaluate", action="store_true", help="score the run at the end, as graphcl evaluate does")
    known = {action.dest for action in parser._actions}
    usual = {**settings_for(DEFAULT_METHOD), **defaults}
    parser.set_defaults({key: value for key, value in usual.items() if key in known})
    return parser


def _evaluate_parser() -> Any:
    parser = _new_parser(
        "Score the embeddings of a run by a named protocol, beside raw features, the Weisfeiler-Lehman kernel and the "
        "same encoder untrained. Labels are used here and nowhere else."
    )
    parser.add_argument("run", type=str, help="the run folder")
    parser.add_argument(
        "--protocol",
        type=str | None,
        default=None,
        help="for graphs tu-rbf-svm, tu-rbf-svm-scaled or tu-linear-svm; for nodes node-linear-public, "
        "node-linear-random, node-fixed-splits, node-bgrl-20-80, node-grace-10-90, ogb-linear, knn or kmeans; for "
        "molecules moleculenet-linear; by default the first one on the data set's card",
    )
    parser.add_argument("--dataset", type=str | None, default=None, help="another data set than the run's")
    parser.add_argument("--root", type=str | None, default=None, help="data folder; by default the run's")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    parser.add_argument("--jobs", type=int, default=1, help="threads that share the folds")
    return parser


def _audit_parser() -> Any:
    parser = _new_parser(
        "Score any encoder of graphs beside raw features, the Weisfeiler-Lehman kernel and the same network untrained, "
        "as it is initialised and with batch statistics: what is left is the lift of its training, with its interval."
    )
    add = parser.add_argument
    add(
        "encoder",
        type=str,
        help="MODULE:NAME of a class or function that makes it, such as torch_geometric.nn:GIN; a name of the "
        f"package's own ({', '.join(ENCODERS)}); or a run folder",
    )
    add("--dataset", type=str | None, default=None, help="name of the data set; by default the run's")
    add(
        "--arguments",
        type=dict[str, Any],
        default={},
        help="what it is called with: --arguments.hidden_channels 32; in_channels is filled in where it has one",
    )
    add("--weights", type=str | None, default=None, help="its weights: .safetensors, or .pt read as tensors only")
    add("--readout", type=str, default="sum", help=f"from nodes to graphs: {', '.join(READOUTS)}; none if it does that")
    add("--features", type=str | None, default=None, help="node features, as for pretrain")
    add(
        "--protocol",
        type=str | None,
        default=None,
        help="tu-rbf-svm, tu-rbf-svm-scaled, tu-linear-svm, or one of them with -grouped at its end: graphs that no "
        "message passing tells apart then stay together in the folds; by default the data set's",
    )
    add("--seeds", type=int, default=5, help="seeds of the folds and of the untrained networks")
    add("--root", type=str | None, default=None, help="data folder")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--jobs", type=int, default=1, help="threads that share the folds")
    return parser


def _finetune_parser() -> Any:
    parser = _new_parser(
        "Tune a copy of a run's encoder on a labelled set of molecules, with a linear head per task, beside the same "
        "encoder from random weights (scratch). Missing labels are masked, the test part is read once. Scores go to "
        "the run's scores.csv; a command that was interrupted goes on where it stopped."
    )
    add = parser.add_argument
    add("run", type=str, help="the run folder")
    add("--dataset", type=str, required=True, help="the labelled set; see graphcl datasets list")
    add(
        "--protocol",
        type=str | None,
        default=None,
        help="moleculenet-finetune (the best epoch on validation), moleculenet-finetune-last-epoch, or ogb-finetune "
        "for OGB's sets (its own evaluator)",
    )
    add("--head-only", action="store_true", help="leave the encoder as it is and tune the head alone")
    add("--seeds", type=int, nargs="+", default=None, help="of head, order and dropout; by default 0 to 9")
    add("--epochs", type=int | None, default=None, help="passes over the training part; by default 100")
    add("--batch-size", type=int | None, default=None, help="molecules per step; by default 32")
    add("--lr", type=float | None, default=None, help="Adam's learning rate; by default 0.001")
    add("--dropout", type=float | None, default=None, help="of the encoder; by default 0.5")
    add("--precision", type=str, default="fp32", help="fp32 or bf16")
    add("--root", type=str | None, default=None, help="data folder; by default the run's")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--threads", type=int | None, default=None, help="CPU threads; by default as many as torch chooses")
    return parser


def _embed_parser() -> Any:
    parser = _new_parser(
        "Write embeddings to an .npz file, by a run or by a pretrained encoder (--model): of graphs, and of nodes "
        "where the graphs are no molecules."
    )
    add = parser.add_argument
    add("run", type=str | None, nargs="?", default=None, help="the run folder")
    add("--model", type=str | None, default=None, help="instead of a run an encoder: its name, folder or file")
    add("--out", type=str, required=True, help="the file: arrays graph, y, row (of a file), node, ptr (first nodes)")
    add("--dataset", type=str | None, default=None, help="another data set than the run's")
    add("--data", type=str | None, default=None, help="instead of a data set a file of molecules")
    add("--smiles-column", type=str | None, default=None, help="its column of SMILES; by default the one of that name")
    add("--nodes", type=bool | None, default=None, help="write the node embeddings; by default not those of molecules")
    add("--root", type=str | None, default=None, help="data folder")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--overwrite", action="store_true", help="replace the file")
    return parser


def _add_dataset_actions(parser: Any) -> None:
    actions = parser.add_subcommands(required=False, dest="action", metavar="ACTION")
    listing = _new_parser("One line per data set.")
    listing.add_argument("--root", type=str | None, default=None, help="data folder")
    show = _new_parser("All that is known about one data set.")
    show.add_argument("name", type=str, help="name of the data set")
    show.add_argument("--root", type=str | None, default=None, help="data folder")
    new = _new_parser("Add a data set from raw TU files that are already on disk.")
    new.add_argument("name", type=str, help="name of the data set, the prefix of its files")
    new.add_argument("--from", dest="source", type=str, required=True, help="folder or zip archive with the raw files")
    new.add_argument("--root", type=str | None, default=None, help="data folder")
    for name, sub, words in (
        ("list", listing, "one line each"),
        ("show", show, "one card"),
        ("add", new, "from raw files"),
    ):
        actions.add_subcommand(name, sub, help=words)


def _parse(parser: Any, arguments: list[str]) -> Any:
    from argparse import ArgumentError

    # Both spellings work, as YAML keys have underscores and flags hyphens.
    arguments = [re.sub(r"^--[\w-]+", lambda m: "--" + m[0][2:].replace("_", "-"), word) for word in arguments]
    try:
        return parser.parse_args(arguments)
    except ArgumentError as error:
        raise ConfigError(_with_hint(str(error), parser, arguments)) from error


def _with_hint(message: str, parser: Any, arguments: Sequence[str]) -> str:
    """Add the nearest valid key to a complaint about an unknown one."""
    unknown = re.search(r"does not accept option '([\w.-]+)'|Unrecognized arguments: (-\S+)", message, re.IGNORECASE)
    if unknown is None:
        return " ".join(message.split())
    word = (unknown[1] or unknown[2]).lstrip("-")
    sub = parser._subcommands_action._name_parser_map if hasattr(parser, "_subcommands_action") else {}
    command = next((argument for argument in arguments if argument in sub), None)
    known = [
        action.dest
        for action in (sub[command] if command else parser)._actions
        if action.dest not in ("help", "config")
    ]
    spelling = [name if unknown[1] else "--" + name.replace("_", "-") for name in known]
    asked = word if unknown[1] else f"--{word}"
    return f"expected a known setting, got {asked!r}; did you mean {near(asked, spelling)}?"


def _defaults(arguments: list[str]) -> dict[str, Any]:
    """What pretrain's settings are where nothing is said: those of the run to resume, else those of the method."""
    if "pretrain" not in arguments[:1]:
        return {}
    if "--resume" in arguments:
        return _resumed(arguments)
    # A first reading tells the method and the data set, wherever they are named.
    asked = [word for word in arguments if not word.startswith("--print")]
    chosen = _parse(build_parser(), asked)["pretrain"]
    return settings_for(chosen.method, chosen.dataset, vocab=_vocabulary(chosen))


def _vocabulary(chosen: Any) -> str | None:
    """The index table of the molecules, if it is molecules that are asked for."""
    from graphcl.data import card
    from graphcl.data.load import is_molecules

    if chosen.data is None and not is_molecules(card(chosen.dataset or DEFAULT_DATASET, root=chosen.root)):
        return None
    return chosen.vocab or "ogb"


def _resumed(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings of the run that the arguments ask to resume."""
    out = next((w[6:] for w in arguments if w.startswith("--out=")), None)
    if out is None and "--out" in arguments[:-1]:
        out = arguments[list(arguments).index("--out") + 1]
    if out is None:
        raise ConfigError("expected the run folder to resume, got none; name it: graphcl pretrain --resume --out RUN")
    from graphcl.train import RunFolder

    return RunFolder(out).read_config()


def _pretrain(config: Any) -> int:
    import torch

    from graphcl.data import PackedDataset
    from graphcl.train import RunFolder, fit, load_checkpoint, pick_device, source_of

    if config.resume and config.overwrite:
        raise ConfigError("expected --resume or --overwrite, got both")
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    settings = {key: value for key, value in config.as_dict().items() if key not in CALL_ONLY}
    if config.root is not None:  # the run must find its data from any working directory
        settings["root"] = str(Path(config.root).resolve())
    _check_numbers(settings)
    _check_data(config, settings)
    whole = load_data(settings, root=config.root)
    dataset, overlaps = leave_out(whole, config.exclude, config.exclude_by, root=config.root)
    kind = recipe(config.method).kind
    data = dataset[0] if kind.level == "node" and len(dataset) == 1 else PackedDataset(dataset, graph_id=True)
    # Everything that can be refused is refused before anything is written.
    source = source_of(data, kind, config.batch_size, device)
    method = make_method(settings, dataset.num_features, total_steps=config.epochs * source.steps)
    folder = RunFolder(config.out or _new_folder(dataset.name, config.method))
    if config.resume:
        _check_vocabulary(folder, settings)
        load_checkpoint(folder.checkpoint_file)
        folder.write_config(settings)
    else:
        folder.create(settings, overwrite=config.overwrite)
    tell_skipped(dataset, folder.path / "skipped.csv")
    tell_overlaps(overlaps, len(whole), len(dataset), folder.path / "overlap.csv")
    print(
        f"{dataset.name}: {source.size:,} {source.unit}, {recipe(config.method).name} on {device}, "
        f"run folder {folder.path}"
    )
    options = ("epochs", "batch_size", "lr", "weight_decay", "optimizer", "schedule", "warmup", "clip")
    options += ("precision", "patience", "seed")  # type: ignore[assignment]
    history = fit(
        method,
        data,
        **{option: settings[option] for option in options},
        device=device,
        folder=folder,
        resume=config.resume,
        callbacks=[_diagnostics(data)] if settings["diagnostics"] else [],
    )
    if history.left_out:
        print("1 graph an epoch was left out: it formed a last batch of its own and had nothing to be contrasted with")
    if history.interrupted:
        print(f"stopped; go on with: graphcl pretrain --resume --out {shlex.quote(str(folder.path))}")
        return INTERRUPTED
    last = history.epochs[-1]
    speed = last[f"{source.unit}_per_s"]
    print(f"epoch {int(last['epoch'])}: loss {last['loss']:.4f}, {speed:,.0f} {source.unit}/s")
    if history.best_epoch is not None:
        print(f"weights of epoch {history.best_epoch}, which had the lowest loss")
    if config.evaluate:
        return _score(folder, None, config.root, config.device, jobs=1)
    more = " --dataset NAME" if config.data is not None else ""
    print(f"run folder: {folder.path}   (next: graphcl evaluate {shlex.quote(str(folder.path))}{more})")
    return 0


def _diagnostics(data: Any) -> Any:
    """Looks at a choice of graphs that is the same for every seed, or at the one graph."""
    from graphcl.data import PackedDataset
    from graphcl.evaluate import Diagnostics

    def say(words: str) -> None:
        print(f"graphcl: warning: {words}", file=sys.stderr)

    if not isinstance(data, PackedDataset):
        return Diagnostics(data, every=200, say=say)  # larger, against cheaper steps
    return Diagnostics(data.batch(data.loader(256, shuffle=True, seed=0).order[:256].sort().values), say=say)


def _check_data(config: Any, settings: dict[str, Any]) -> None:
    """Refuse a file beside a data set, and make the file one that the run finds from any working directory."""
    if config.data is None:
        if config.dataset is None:
            raise ConfigError("expected --dataset or --data, got neither")
        if config.smiles_column is not None:
            raise ConfigError("expected --smiles-column with --data FILE, got it without")
        return
    if config.dataset not in (None, DEFAULT_DATASET):
        raise ConfigError(f"expected --dataset or --data, got both, {config.dataset} and {config.data}")
    if config.evaluate:
        raise ConfigError("expected a data set with labels for --evaluate, got a file; run graphcl evaluate afterwards")
    settings |= {"data": str(Path(config.data).expanduser().resolve()), "dataset": None}


def _check_vocabulary(folder: Any, settings: Mapping[str, Any]) -> None:
    before = folder.read_config().get("vocab")
    if before != settings["vocab"]:
        raise ConfigError(
            f"expected the index table of the run, {before}, to go on with it, got {settings['vocab']}: the same "
            f"number is another atom there; start a new run with --vocab {settings['vocab']}"
        )


def _check_numbers(settings: Mapping[str, Any]) -> None:
    for key in ("epochs", "batch_size", "lr", "temperature", "hidden", "layers"):
        if settings[key] is not None and not settings[key] > 0:
            raise ConfigError(f"expected {key} above 0, got {settings[key]}")


def _new_folder(dataset: str, method: str) -> Path:
    base = Path("runs") / f"{dataset}-{method}-{time.strftime('%Y%m%d-%H%M%S')}"
    return next(path for i in range(1, 1000) if not (path := base if i == 1 else Path(f"{base}-{i}")).exists())


def _evaluate(config: Any) -> int:
    from graphcl.train import RunFolder

    folder, dataset = RunFolder(config.run), config.dataset
    return _score(folder, config.protocol, config.root, config.device, jobs=config.jobs, dataset_name=dataset)


def _finetune(config: Any) -> int:
    import torch

    from graphcl.train import RunFolder, pick_device

    if config.threads is not None:
        torch.set_num_threads(config.threads)
    folder = RunFolder(config.run)
    tune(folder, _run_config(folder), config, pick_device(config.device))
    return 0


def _score(
    folder: Any, protocol_name: str | None, root: str | None, device_name: str, *, jobs: int,
    dataset_name: str | None = None,
) -> int:  # fmt: skip
    from graphcl.data import PackedDataset, card, load
    from graphcl.data.load import is_molecules
    from graphcl.evaluate import (
        Note,
        Provenance,
        compared_embeddings,
        evaluate_embeddings,
        format_table,
        protocol,
        result_rows,
        wl_classes,
        write_results,
    )
    from graphcl.train import pick_device

    config = _run_config(folder)
    root = root or config["root"]
    config["dataset"] = dataset_name or config["dataset"]
    if config["dataset"] is None:
        raise RunError("expected --dataset NAME to score on, as the run is on a file without labels")
    entry = card(config["dataset"], root=root)
    if is_molecules(entry):
        score_molecules(folder, config, entry, protocol_name, root, pick_device(device_name), jobs=jobs)
        return 0
    if entry.level == "node":
        return _score_nodes(folder, config, entry, protocol_name, root, pick_device(device_name), jobs=jobs)
    chosen = protocol(protocol_name or (entry.protocols[0] if entry.protocols else "tu-rbf-svm"))
    if entry.level != "graph" or entry.task != "classification":
        raise RunError(
            f"expected a data set with a class per graph for {chosen.name}, "
            f"got {entry.name} ({entry.task} of {entry.level}s)"
        )
    device = pick_device(device_name)
    dataset = load(config["dataset"], root=root, features=config["features"])
    graphs = PackedDataset(dataset, graph_id=True).to(device)

    def make(seed: int) -> Any:
        return make_method(config, dataset.num_features, seed=seed).to(device)

    def trained(seed: int) -> Any:
        method = make(seed)
        folder.load_weights(method)
        return method

    name, seed = recipe(config["method"]).name, config["seed"]
    embeddings, kernels = compared_embeddings(
        graphs, [seed], make=make, trained={name: trained}, batch_size=config["batch_size"]
    )
    groups = wl_classes(list(dataset)) if chosen.grouped else None
    labels = graphs.y.cpu().numpy()
    evaluation = evaluate_embeddings(embeddings, labels, chosen, [seed], kernels=kernels, groups=groups, n_jobs=jobs)
    command = f"graphcl evaluate {shlex.quote(str(folder.path))} --protocol {chosen.name}"
    rows = result_rows(
        evaluation,
        dataset=entry.name,
        features=config["features"] or entry.features or "",
        notes={name: Note(epochs=config["epochs"], selected_by="fixed epoch")},
        provenance=Provenance(device=str(device), command=command),
    )
    write_results(folder.path / "scores.csv", rows)
    print(format_table(rows))
    print("One seed: the interval is over its folds. The committed tables are over several seeds.")
    print(f"run folder: {folder.path}")
    return 0


def _load_into(encoder: Any, path: str) -> None:
    """Fill a network with the weights of a file, which may hold tensors and nothing else."""
    import torch
    from safetensors.torch import load_file

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
        raise ConfigError(f"expected weights of this network at {path}: {error}") from error


def _audit(config: Any) -> int:
    from graphcl.data import card, load
    from graphcl.evaluate import Provenance, audit, format_table, protocol
    from graphcl.train import RunFolder, pick_device

    if config.seeds < 1:
        raise ConfigError(f"expected seeds of at least 1, got {config.seeds}")
    folder = RunFolder(config.encoder) if Path(config.encoder).is_dir() else None
    run = _run_config(folder) if folder else {}
    if folder and (config.weights or config.arguments):
        raise ConfigError("expected a run folder alone, got --weights or --arguments beside it; the run has its own")
    name, root = config.dataset or run.get("dataset"), config.root or run.get("root")
    if name is None:
        raise ConfigError("expected --dataset, the set that the encoder is scored on; see graphcl datasets list")
    entry = card(name, root=root)
    if entry.level != "graph" or entry.task != "classification":
        raise ConfigError(f"expected a data set with a class per graph, got {name} ({entry.task} of {entry.level}s)")
    chosen = protocol(config.protocol or (entry.protocols[0] if entry.protocols else "tu-rbf-svm"))
    features = config.features or run.get("features")
    dataset = load(name, root=root, features=features)
    make: Any
    if folder:

        def make(seed: int) -> Any:
            return make_method(run, dataset.num_features, seed=seed).encoder

        method = make_method(run, dataset.num_features)
        folder.load_weights(method)
        encoder, title = method.encoder, type(method).__name__
    else:
        make = encoder_maker(config.encoder, config.arguments, dataset.num_features)
        # Without weights it is one more untrained network, of a seed that none of the others has.
        encoder, title = make(config.seeds), config.encoder.rpartition(":")[2]
        if config.weights:
            _load_into(encoder, config.weights)
    readouts: dict[str, Any] = {**READOUTS, "none": None}
    if config.readout not in readouts:
        raise ConfigError(f"expected readout out of {', '.join(readouts)}, got {config.readout!r}")
    command = f"graphcl audit {shlex.quote(config.encoder)} --dataset {name} --protocol {chosen.name}"
    rows = audit(
        encoder.to(pick_device(config.device)),
        dataset,
        make=make,
        readout=readouts[config.readout],
        probe=chosen,
        seeds=range(config.seeds),
        name=title,
        dataset_name=name,
        features=features or entry.features or "",
        n_jobs=config.jobs,
        provenance=Provenance(device=str(pick_device(config.device)), command=command),
    )
    print(format_table(rows))
    row = next(row for row in rows if row.method == title)
    assert row.lift is not None and row.lift_low is not None and row.lift_high is not None  # there are several folds
    shown = "" if row.lift_low > 0 or row.lift_high < 0 else ", which contains 0: none is shown"
    print(
        f"{title}: lift over the same network untrained {row.lift:+.2f} points, 95 % interval [{row.lift_low:+.2f}, "
        f"{row.lift_high:+.2f}]{shown}"
    )
    return 0


def _score_nodes(
    folder: Any, config: Mapping[str, Any], entry: Any, protocol_name: str | None, root: str | None, device: Any, *,
    jobs: int,
) -> int:  # fmt: skip
    """Score a run on one graph, its nodes beside raw features, the untrained encoder and a supervised network."""
    from graphcl.data import load
    from graphcl.evaluate import (
        Note,
        Provenance,
        SupervisedGCN,
        compared_node_embeddings,
        evaluate_nodes,
        format_table,
        node_protocol,
        result_rows,
        write_results,
    )

    chosen = node_protocol(protocol_name or (entry.protocols[0] if entry.protocols else "node-linear-random"))
    if chosen.probe == "link":
        raise RunError(
            f"expected a protocol that scores nodes, got {chosen.name}: its edges must be taken away before "
            f"pretraining; use link_split and evaluate_links in Python"
        )
    data = load(config["dataset"], root=root, features=config["features"])[0].to(str(device))

    def make(seed: int) -> Any:
        return make_method(config, data.num_features, seed=seed).to(device)

    def trained(seed: int) -> Any:
        method = make(seed)
        folder.load_weights(method)
        return method

    name, seed = recipe(config["method"]).name, config["seed"]
    evaluation = evaluate_nodes(
        compared_node_embeddings(data, [seed], make=make, trained={name: trained}),
        data,
        chosen,
        [seed],
        models={"supervised": SupervisedGCN(data)} if chosen.probe == "logistic" else None,
        metric="auc" if entry.metric == "auc" and chosen.probe != "liblinear" else "accuracy",
        n_jobs=jobs,
    )
    command = f"graphcl evaluate {shlex.quote(str(folder.path))} --protocol {chosen.name}"
    rows = result_rows(
        evaluation,
        dataset=entry.name,
        features=config["features"] or entry.features or "",
        notes={name: Note(epochs=config["epochs"], selected_by="fixed epoch")},
        provenance=Provenance(device=str(device), command=command),
    )
    write_results(folder.path / "scores.csv", rows)
    print(format_table(rows))
    print("One seed: an interval is over splits alone. The committed tables are over several seeds.")
    print(f"run folder: {folder.path}")
    return 0


def _run_config(folder: Any) -> dict[str, Any]:
    config = folder.read_config()
    usual = settings_for(config.get("method", DEFAULT_METHOD), config.get("dataset"), vocab=config.get("vocab"))
    known = {action.dest: action.default for action in _pretrain_parser(usual)._actions}
    unknown = [key for key in config if key not in known]
    if unknown:
        raise ConfigError(f"{folder.config_file}: unknown key {unknown[0]!r}; nearest: {near(unknown[0], known)}")
    return {**{key: value for key, value in known.items() if key not in CALL_ONLY}, **config}


def _embed(config: Any) -> int:
    import numpy as np
    import torch

    from graphcl.data import PackedDataset
    from graphcl.train import pick_device
    from graphcl.train.checkpoint import write_atomically

    out = Path(config.out)
    if out.exists() and not config.overwrite:
        raise RunError(f"expected a new file, but {out} is there already; choose another --out, or --overwrite")
    if not out.parent.is_dir():
        raise RunError(f"expected the folder {out.parent} to exist; make it first")
    if (config.run is None) == (config.model is None):
        raise ConfigError("expected a run folder or --model NAME, got " + ("both" if config.model else "neither"))
    device = pick_device(config.device)
    encode, dataset = (_of_run if config.model is None else _of_model)(config, device)
    graphs = PackedDataset(dataset).to(device)
    nodes = graphs.vocab is None if config.nodes is None else config.nodes
    arrays: dict[str, Any] = {"graph": [], "node": [], "ptr": [torch.zeros(1, dtype=torch.int64)]}
    for batch in graphs.batches(1024):
        embeddings = encode(batch)
        arrays["graph"].append(embeddings.graph.cpu())
        if nodes:
            arrays["node"].append(embeddings.node.cpu())
            arrays["ptr"].append(batch.ptr[1:].cpu() + arrays["ptr"][-1][-1])
    arrays = {name: torch.cat(parts).numpy() for name, parts in arrays.items() if nodes or name == "graph"}
    if dataset._data.y is not None:
        arrays["y"] = graphs.y.cpu().numpy()
    if "row" in dataset._data:
        arrays["row"] = dataset._data.row.numpy()
    write_atomically(out, lambda file: np.savez(file, **arrays))
    print(f"{out}: {', '.join(f'{name} {list(array.shape)}' for name, array in arrays.items())}")
    tell_skipped(dataset, out.with_suffix(".skipped.csv"))
    return 0


def _of_run(config: Any, device: Any) -> tuple[Any, Any]:
    """How a run embeds a batch, and the data set."""
    from graphcl.train import RunFolder

    folder = RunFolder(config.run)
    settings = _run_config(folder)
    dataset = load_data(_asked(config, settings), root=config.root or settings["root"])
    method = make_method(settings, dataset.num_features).to(device)
    folder.load_weights(method)
    return method.embed, dataset


def _of_model(config: Any, device: Any) -> tuple[Any, Any]:
    """How a pretrained encoder embeds a batch, and the data set."""
    from graphcl.pretrained import load

    model = load(config.model).to(device)
    if config.data is None and config.dataset is None:
        raise ConfigError("expected --data FILE or --dataset NAME to embed, got neither")
    settings = {"dataset": None, "data": None, "smiles_column": None, "vocab": model.vocab}
    dataset = load_data({**_asked(config, settings), "features": model.facts.get("features")}, root=config.root)
    if dataset.num_features != model.facts["in_channels"]:
        raise ConfigError(
            f"expected {model.facts['in_channels']} features for {model.name}, got {dataset.num_features}"
        )
    return model.encode, dataset


def _asked(config: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the data that the command asks for in the place of the run's."""
    if config.data is not None and config.dataset is not None:
        raise ConfigError(f"expected --dataset or --data, got both, {config.dataset} and {config.data}")
    if config.data is not None and settings["vocab"] is None:
        raise ConfigError("expected an encoder of molecules for a file of molecules, got one of other graphs")
    if config.data is not None:
        return {**settings, "data": config.data, "dataset": None, "smiles_column": config.smiles_column}
    if config.dataset is not None:
        return {**settings, "data": None, "dataset": config.dataset}
    return dict(settings)


def _export(config: Any) -> int:
    from graphcl.train import RunFolder

    folder = RunFolder(config.run)
    export(folder, _run_config(folder), config.out)
    return 0


def _report(config: Any) -> int:
    from graphcl.report import write_report
    from graphcl.train import RunFolder

    print(write_report(RunFolder(config.run)))
    return 0


def _methods(config: Any) -> int:
    if config.name is not None:
        chosen = recipe(config.name)
        print(f"{config.name}: {chosen.kind.__name__}, {chosen.paper}")
        for key, value in settings_for(config.name, config.dataset).items():
            print(f"  {key}: {value}")
        for dataset, settings in chosen.datasets.items():
            print(f"  on {dataset}: {', '.join(f'{key} {value}' for key, value in settings.items())}")
        return 0
    width = max(map(len, METHODS))
    for name, known in METHODS.items():
        needs = f"  needs {known.needs}" if known.needs else ""
        print(f"{name:<{width}}  {known.kind.level:<5}  {known.paper}{needs}")
    return 0


def _datasets(config: Any) -> int:
    from graphcl.data import add, card, cards, home

    action = config["action"] or "list"
    root = config[action]["root"] if config["action"] else None
    if action == "list":
        entries = cards(root=root)
        width = max(len(entry.name) for entry in entries)
        for entry in entries:
            print(
                f"{entry.name:<{width}}  {entry.counts['graphs']:>5} graphs  {entry.level:<5}  {entry.loader:<8}  "
                f"{entry.title}"
            )
        print(f"data folder: {home(root)}")
    elif action == "show":
        print(card(config["show"]["name"], root=root).path.read_text(), end="")
    else:
        chosen = config["add"]
        entry = add(chosen["name"], chosen["source"], root=root)
        print(
            f"added {entry.name}: {entry.counts['graphs']} graphs, {entry.counts['classes']} classes, card {entry.path}"
        )
    return 0
