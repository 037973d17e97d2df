"""``graphcl export``: write a run's encoder with its card, to share and to embed with."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_method
from graphcl.cli._settings import run_config
from graphcl.errors import RunError

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Write a run's encoder to a folder of its own, as float16 safetensors with its card, for graphcl.load and "
    "graphcl embed --model."
)


def add_options(parser: Any) -> None:
    """The options of export."""
    parser.add_argument("run", type=str, help="the run folder")
    parser.add_argument("--out", type=str, required=True, help="a new folder; its name becomes the encoder's")


def run(config: Any) -> int:
    """Write the encoder of a run."""
    from graphcl import __version__
    from graphcl.pretrained import embeds_by_encoder, save
    from graphcl.train import RunFolder

    folder, out = RunFolder(config.run), config.out
    settings = run_config(folder)
    in_channels = _width(settings, folder.weights())
    method = make_method(settings, in_channels)
    folder.load_weights(method)
    if not embeds_by_encoder(method):
        raise RunError(f"expected a method whose encoder is all there is to embed with, got {settings['method']}")
    command = _command(settings)
    path = save(
        method.encoder,
        out,
        settings,
        in_channels=in_channels,
        card=_card(Path(out).name, folder, settings, command),
        features=settings["features"],
        method=recipe(settings["method"]).name,
        data=Path(settings["data"]).name if settings["data"] else settings["dataset"],
        command=command,
        version=__version__,
    )
    size = sum(file.stat().st_size for file in path.iterdir())
    graphs = "--dataset NAME" if settings["vocab"] is None else "--data FILE"
    embedding = f"graphcl embed --model {shlex.quote(str(path))} {graphs} --out z.npz"
    print(f"{path}: {size / 1e6:.1f} MB in float16   (next: {embedding})")
    return 0


def _width(config: Mapping[str, Any], weights: Mapping[str, Any]) -> int:
    """The width of the node features that a run was trained on, told by its weights without its data."""
    if config["vocab"] is not None:
        from graphcl._vocabulary import table

        return len(table(config["vocab"]).atom)
    first = next(value for name, value in weights.items() if name.startswith("encoder.") and value.dim() == 2)
    return int(first.size(1))


def _command(config: Mapping[str, Any]) -> str:
    """The command that trains such a run: what differs from the method's own settings."""
    usual = settings_for(config["method"], config["dataset"], vocab=config["vocab"])
    own = {"exclude": [], "exclude_by": "inchikey", "seed": 0, "smiles_column": None, "encoding": None, "vocab": None}
    source = f"--data {shlex.quote(Path(config['data']).name)}" if config["data"] else f"--dataset {config['dataset']}"
    words = [f"graphcl pretrain {source} --method {config['method']}"]
    for key, value in config.items():
        expected = {**usual, **own}.get(key, value)
        if value == expected or key in ("dataset", "data", "method", "root"):
            continue
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, dict):
            words += [f"{flag}.{name} {inner}" for name, inner in value.items()]
        elif isinstance(value, list):
            words.append(f"{flag} {' '.join(shlex.quote(str(item)) for item in value)}")
        else:
            words.append(f"{flag} {shlex.quote(str(value))}")
    return " ".join(words)


def _card(name: str, folder: Any, config: Mapping[str, Any], command: str) -> str:
    """What there is to say of an encoder, for people."""
    from graphcl.evaluate import format_table, read_results
    from graphcl.evaluate.results import of_weights

    chosen = recipe(config["method"])
    history = folder.read_metrics()
    lines = [f"# {name}", "", f"An encoder pretrained by {chosen.name} ({chosen.paper}).", "", "    " + command, ""]
    if history:
        lines += [f"{int(history[-1]['epoch'])} epochs, last loss {history[-1]['loss']:.4f}.", ""]
    if config["vocab"] is not None:
        lines += [f"Molecules have the index table `{config['vocab']}`.", ""]
    overlap = folder.path / "overlap.csv"
    if overlap.is_file():
        lines += ["What the data shared with labelled sets, and was left out of them:", ""]
        lines += ["    " + line for line in overlap.read_text(encoding="utf-8").splitlines()] + [""]
    scores = of_weights(read_results(folder.path / "scores.csv"), config["epochs"])
    if scores:
        lines += ["    " + line if line else "" for line in format_table(scores).splitlines()]
    return "\n".join(lines) + "\n"
