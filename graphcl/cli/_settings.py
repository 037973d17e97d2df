"""The settings of a run: the options that tell them, what they are where nothing is said, what a run folder holds."""

from collections.abc import Sequence
from typing import Any

from graphcl._recipes import DEFAULTS, METHODS, near, settings_for
from graphcl._resolve import ACTIVATIONS, CONVS, ENCODERS, NORMS, READOUTS, VIEWS
from graphcl.cli._data import add_columns
from graphcl.cli._parser import build_parser, new_parser, parse
from graphcl.errors import ConfigError

__all__ = ["CALL_ONLY", "DEFAULT_DATASET", "add_options", "run_config", "unsaid", "use_threads"]

DEFAULT_DATASET = "synthetic-molecules"

# What a run folder's config.yaml holds; the rest of pretrain's options is about the call, not about the run.
CALL_ONLY = ("config", "resume", "overwrite", "evaluate", "out", "device", "threads", "tensorboard")


def add_options(parser: Any) -> None:
    """The options of pretrain."""
    parser.add_argument("--config", action="config", help="YAML file with any of the settings below")
    _add_data(parser.add_argument)
    _add_method(parser.add_argument)
    _add_training(parser.add_argument)
    _add_call(parser.add_argument)
    known = {action.dest for action in parser._actions} - {"method"}
    parser.set_defaults({key: value for key, value in settings_for(DEFAULTS["graph"]).items() if key in known})


def _add_data(add: Any) -> None:
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
    add_columns(add)
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
        help="node features: original, constant, degree, degree-onehot, normalized, or attributes, those of a TU set "
        "before its own; by default its own, else its card's choice",
    )


def _add_method(add: Any) -> None:
    add(
        "--method",
        type=str,
        default=None,
        help=f"what to train by: {', '.join(METHODS)}; see graphcl methods; by default {DEFAULTS['graph']}, and on the "
        f"nodes of one graph {DEFAULTS['node']}",
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
    add("--unit", type=bool, help="whether each layer's output, and the features beside them, have length 1 per node")
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


def _add_training(add: Any) -> None:
    add("--epochs", type=int, help="passes over the data; on one graph steps")
    add("--batch-size", type=int, help="graphs per step; not where one graph is a step")
    add("--lr", type=float, help="the learning rate")
    add("--weight-decay", type=float, help="Adam's L2 penalty, or AdamW's decay")
    add("--optimizer", type=str, help="adam or adamw")
    add("--schedule", type=str, help="of the learning rate: constant or cosine")
    add("--warmup", type=int, help="epochs in which the learning rate rises")
    add("--clip", type=float | None, help="largest norm of the gradient")
    add("--accumulate", type=int, default=1, help="batches whose mean gradient makes one step of the optimiser")
    add("--precision", type=str, help="fp32 or bf16")
    add("--patience", type=int | None, help="stop after so many epochs without a lower loss, and take the best")
    add("--seed", type=int, default=0, help="seed of weights, views and the order of the graphs")


def _add_call(add: Any) -> None:
    add("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add("--threads", type=int | None, default=None, help="CPU threads; by default as many as torch chooses")
    add(
        "--diagnostics",
        type=bool,
        default=True,
        help="look at 256 graphs every 100 steps, or at the one graph every 200, for about 2 percent of the time at "
        "batches of 128: alignment, uniformity, effective rank; warn of a collapse",
    )
    add(
        "--tensorboard",
        type=str | None,
        default=None,
        metavar="FOLDER",
        help="write the curves of the run there for TensorBoard (the extra tensorboard)",
    )
    add("--out", type=str | None, default=None, help="run folder; by default a new one in runs/")
    add("--resume", action="store_true", help="go on with the run in --out, with its own settings")
    add("--overwrite", action="store_true", help="replace the run in --out")
    add("--evaluate", action="store_true", help="score the run at the end, as graphcl evaluate does")


def use_threads(count: int | None) -> None:
    """Let torch use so many threads, or as many as it chooses.

    Raises:
        ConfigError: The number is below 1.
    """
    import torch

    if count is not None and count < 1:
        raise ConfigError(f"expected threads of at least 1, got {count}")
    if count is not None:
        torch.set_num_threads(count)


def unsaid(arguments: Sequence[str]) -> dict[str, Any]:
    """What pretrain's settings are where nothing is said: those of the run to resume, else those of the method."""
    # A first reading tells the run to resume, or the method and the data set, wherever and however they are named.
    asked = [word for word in arguments if not word.startswith("--print")]
    chosen = parse(build_parser("pretrain"), asked)["pretrain"]
    if chosen.resume:
        return _resumed(chosen.out)
    if chosen.data is not None:
        return settings_for(chosen.method or DEFAULTS["graph"], vocab=chosen.vocab or "ogb")
    from graphcl.data import card
    from graphcl.data.load import is_molecules

    entry = card(chosen.dataset or DEFAULT_DATASET, root=chosen.root)
    vocab = (chosen.vocab or "ogb") if is_molecules(entry) else None
    return settings_for(chosen.method or DEFAULTS[entry.level], entry.name, vocab=vocab)


def _resumed(out: str | None) -> dict[str, Any]:
    """The settings of the run that is to be resumed."""
    if out is None:
        raise ConfigError("expected the run folder to resume, got none; name it: graphcl pretrain --resume --out RUN")
    from graphcl.train import RunFolder

    return run_config(RunFolder(out))


def run_config(folder: Any) -> dict[str, Any]:
    """All settings of a run, also those that its file leaves out.

    Raises:
        ConfigError: Its file has a key that is not a setting.
    """
    config = folder.read_config()
    usual = settings_for(config.get("method", DEFAULTS["graph"]), config.get("dataset"), vocab=config.get("vocab"))
    parser = new_parser()
    add_options(parser)
    known = {action.dest: action.default for action in parser._actions if action.dest not in ("help", "print_config")}
    unknown = [key for key in config if key not in known]
    if unknown:
        nearest = near(unknown[0], known, listed_by="graphcl pretrain --help")
        raise ConfigError(f"{folder.config_file}: unknown key {unknown[0]!r}; nearest: {nearest}")
    return {**{key: value for key, value in known.items() if key not in CALL_ONLY}, **usual, **config}
