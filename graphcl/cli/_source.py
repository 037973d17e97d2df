"""What is scored or tuned: the encoder of a run, or a pretrained one by itself."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_method
from graphcl.cli._settings import run_config
from graphcl.errors import ConfigError, RunError

__all__ = [
    "Source",
    "add_named",
    "add_source",
    "check_named",
    "source_of_model",
    "source_of_run",
    "source_that_is_asked_for",
]


@dataclass(frozen=True)
class Source:
    """A trained encoder, and where its scores go.

    Attributes:
        folder: The run folder; of a pretrained encoder one for its scores alone.
        config: All settings of the run; of a pretrained encoder those of its network.
        name: What tables call it.
        words: How a command names it.
        pretrained: The encoder, where it is not a run's.
    """

    folder: Any
    config: Mapping[str, Any]
    name: str
    words: str
    pretrained: Any = None

    def make(self, in_channels: int, seed: int) -> Any:
        """The method as it is before training, by the seed of its weights."""
        return make_method(self.config, in_channels, seed=seed)

    def trained(self, in_channels: int, seed: int) -> Any:
        """The method with the trained encoder."""
        method = self.make(in_channels, seed)
        if self.pretrained is None:
            self.folder.load_weights(method)
            return method
        if in_channels != self.pretrained.facts["in_channels"]:
            wanted = self.pretrained.facts["in_channels"]
            raise RunError(f"expected {wanted} features for {self.pretrained.name}, got {in_channels}")
        method.encoder.load_state_dict(self.pretrained.encoder.state_dict())
        return method


def add_named(add: Any) -> None:
    """The options that name a run or a pretrained encoder."""
    add("run", type=str | None, nargs="?", help="the run folder")
    add("--model", type=str | None, default=None, help="instead of a run an encoder: its name, folder or file")


def add_source(add: Any) -> None:
    """The options that tell what is scored or tuned."""
    add_named(add)
    add("--out", type=str | None, default=None, help="with --model, the folder of the scores; by default in runs/")


@contextmanager
def source_that_is_asked_for(config: Any) -> Iterator[Source]:
    """The run, or the pretrained encoder; what fails within leaves no empty folder for the scores of the latter.

    Raises:
        ConfigError: Neither is named, or both, or ``out`` with a run.
        RunError: The folder for the scores is a run's, or cannot be made.
    """
    check_named(config)
    if config.out is not None and config.model is None:
        raise ConfigError("expected --out with --model, got it with a run, whose folder has its scores")
    from graphcl.data.home import no_empty_folders
    from graphcl.train import RunFolder

    if config.model is None:
        yield source_of_run(RunFolder(config.run))
        return
    source = source_of_model(config.model, config.out)
    path = source.folder.path
    with no_empty_folders(path / "raw", path, path.parent):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"expected a folder that can be made, got {path}: {error.strerror or error}") from error
        yield source


def check_named(config: Any) -> None:
    """Refuse options that name neither a run nor a pretrained encoder, or both."""
    if (config.run is None) == (config.model is None):
        raise ConfigError("expected a run folder or --model NAME, got " + ("both" if config.model else "neither"))


def source_of_run(folder: Any) -> Source:
    """The encoder of a run."""
    config = run_config(folder)
    return Source(folder, config, recipe(config["method"]).name, shlex.quote(str(folder.path)))


def source_of_model(words: str, out: str | None = None) -> Source:
    """A pretrained encoder, and the folder for its scores, which need not exist."""
    from graphcl.pretrained import load
    from graphcl.train import RunFolder

    model = load(words)
    folder = RunFolder(out or Path("runs") / f"{model.name}-scores")
    if folder.config_file.exists():
        raise RunError(f"expected a folder for the scores of {model.name}, got the run {folder.path}; choose another")
    # Any method embeds by its encoder alone; what this one was trained by, it no longer needs.
    config = {**settings_for("graphcl", vocab=model.vocab), **model.facts["settings"], "method": "graphcl", "seed": 0}
    config |= {"features": model.facts.get("features"), "dataset": None, "root": None, "epochs": None}
    named = f"--model {shlex.quote(words)} --out {shlex.quote(str(folder.path))}"
    return Source(folder, config, model.name, named, model)
