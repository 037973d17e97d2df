"""A run is a folder: its settings, its metrics, its checkpoint and its weights."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphcl.errors import CheckpointError, ConfigError, RunError
from graphcl.train.checkpoint import check_readable, write_atomically

__all__ = ["RunFolder"]


class RunFolder:
    """``config.yaml``, ``metrics.jsonl``, ``checkpoint.pt`` and ``model.safetensors`` of one run.

    Args:
        path: The folder.
    """

    FILES = (
        *("config.yaml", "metrics.jsonl", "checkpoint.pt", "model.safetensors", "report.html", "scores.csv"),
        *("embeddings.json", "skipped.csv", "overlap.csv"),  # of runs that are watched, of runs on molecules
    )

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser()
        self._next: dict[str, Any] | None = None

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def profile_file(self) -> Path:
        return self.path / "embeddings.json"

    @property
    def checkpoint_file(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def weights_file(self) -> Path:
        return self.path / "model.safetensors"

    def create(self, config: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Begin a run: make the folder and write its settings.

        Raises:
            RunError: A run is there already and ``overwrite`` is not set, something else than a run is there, or the
                folder cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"expected {self.path} to be a folder or new, got a file; choose another output folder")
        if self.path.is_dir():
            present = sorted(entry.name for entry in self.path.iterdir())
            ours = [name for name in present if name in self.FILES]
            if ours and not overwrite:
                raise RunError(
                    f"expected a new run folder, but {self.path} holds a run already ({', '.join(ours)}); "
                    "continue it with --resume, replace it with --overwrite, or choose another --out"
                )
            if present and not ours:
                raise RunError(
                    f"expected a new or empty folder, but {self.path} holds other files; choose another --out"
                )
        self._make()
        with self.alone():
            try:
                for name in self.FILES:
                    (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._unwritable(error) from error
            self.write_config(config)

    def begin(self) -> None:
        """Make ready for the first step of a run: the folder is there, and holds no step of another run.

        Raises:
            RunError: The folder holds a run that has begun, or cannot be made.
        """
        files = (self.metrics_file, self.checkpoint_file, self.weights_file)
        begun = [file.name for file in files if file.exists()]
        if begun:
            raise RunError(
                f"expected a run that has not begun, but {self.path} holds {', '.join(begun)}; go on with it "
                "(resume=True), take another folder, or replace it: folder.create(config, overwrite=True)"
            )
        self._make()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The block in which nobody else trains into the folder, or begins a run there.

        Where the system knows no locks, or the folder's does not, it is for the user to see to.

        Raises:
            RunError: Somebody does.
        """
        with ExitStack() as opened:
            try:
                import fcntl

                folder = os.open(self.path, os.O_RDONLY)
                opened.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                opened.callback(fcntl.flock, folder, fcntl.LOCK_UN)  # workers that outlive the block hold it open
            except BlockingIOError as error:
                raise RunError(
                    f"expected {self.path} for this run alone, but another process is training into it; wait until it "
                    "has ended, or choose another --out"
                ) from error
            except (ImportError, OSError):
                pass
            yield

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunError:
        return RunError(f"expected a writable output folder, got {self.path}: {error.strerror or error}")

    def write_config(self, config: Mapping[str, Any]) -> None:
        import yaml

        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        write_atomically(self.config_file, lambda file: file.write(text.encode()))

    def read_config(self) -> dict[str, Any]:
        """The settings of the run.

        Raises:
            RunError: The folder or its ``config.yaml`` is missing.
            ConfigError: The file is no mapping of settings.
        """
        import yaml

        if not self.path.is_dir():
            raise RunError(f"expected a run folder, found nothing at {self.path}; make one with graphcl pretrain --out")
        if not self.config_file.is_file():
            raise RunError(
                f"expected a run folder with config.yaml, {self.path} has none; a run that was made in Python has no "
                "settings to make its method by: read its weights there by RunFolder(path).load_weights(method), or "
                "make it with graphcl pretrain"
            )
        try:
            config = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"expected settings in {self.config_file}, but it is no YAML: {error}") from error
        if not isinstance(config, dict):
            raise ConfigError(f"expected settings in {self.config_file}, got {type(config).__name__}")
        return config

    def append_metrics(self, row: Mapping[str, float]) -> None:
        try:
            with open(self.metrics_file, "a", encoding="utf-8") as file:
                file.write(json.dumps(dict(row)) + "\n")
        except OSError as error:
            raise RunError(f"could not write {self.metrics_file}: {error}; the last checkpoint is intact") from error

    def read_metrics(self) -> list[dict[str, float]]:
        """One row per finished epoch; a last line that a kill cut short is left out.

        Raises:
            RunError: Another line is no row of an epoch.
        """
        rows: list[dict[str, float]] = []
        if not self.metrics_file.is_file():
            return rows
        lines = self.metrics_file.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
                if number == len(lines):
                    break
            if not isinstance(row, dict) or not {"epoch", "loss"} <= row.keys():
                raise RunError(
                    f"expected the row of an epoch in line {number} of {self.metrics_file}, got {line!r:.80}; take the "
                    "line out"
                )
            rows.append(row)
        return rows

    def write_profile(self, profile: Mapping[str, Sequence[float]]) -> None:
        """Keep what :meth:`graphcl.evaluate.Diagnostics.profile` says of the weights at the end of the run.

        Raises:
            RunError: The file cannot be written; what was there is untouched.
        """
        text = json.dumps(dict(profile))
        write_atomically(self.profile_file, lambda file: file.write(text.encode()))

    def read_profile(self) -> dict[str, list[float]]:
        """What :meth:`write_profile` has kept, empty if nothing.

        Raises:
            RunError: The file is damaged.
        """
        if not self.profile_file.is_file():
            return {}
        try:
            found = json.loads(self.profile_file.read_text(encoding="utf-8", errors="replace"))
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or (found and not _is_profile(found)):
            raise RunError(f"expected lists of numbers in {self.profile_file}, got something else; delete it")
        return found

    def keep_metrics(self, epochs: int) -> None:
        """Drop the rows after the given epoch: a resumed run will write them again."""
        rows = [row for row in self.read_metrics() if row["epoch"] <= epochs]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.metrics_file, lambda file: file.write(text.encode()))

    def save_weights(self, method: nn.Module) -> None:
        """Write the method's weights and buffers as safetensors, to share and to embed with."""
        from safetensors.torch import save

        # Cloned, as safetensors refuses weights that two parts of a method share.
        tensors = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, value in method.state_dict().items()
        }
        data = save(tensors, metadata={"method": type(method).__name__})
        write_atomically(self.weights_file, lambda file: file.write(data))

    def go_on_with(self, config: Mapping[str, Any]) -> None:
        """The settings to keep once the run goes on, which is not before its checkpoint has been accepted."""
        self._next = dict(config)

    def go_on(self) -> None:
        """Make ready for the steps that are left.

        The weights, and what was seen of them, are removed: they would pass for those of the end.

        Raises:
            RunError: They cannot be removed, or the settings not written.
        """
        try:
            self.weights_file.unlink(missing_ok=True)
            self.profile_file.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        if self._next is not None:
            self.write_config(self._next)

    def load_weights(self, method: nn.Module) -> None:
        """Fill ``method`` with the weights of the run.

        Raises:
            CheckpointError: There are none, the file is damaged, or they are of another model.
        """
        try:
            method.load_state_dict(self.weights())
        except RuntimeError as error:
            why = ", got some of other sizes; do the graphs have the features that the run was trained on?"
            why = why if "size mismatch" in str(error) else ":"
            raise CheckpointError(f"expected weights of this model at {self.weights_file}{why} {error}") from error

    def weights(self) -> dict[str, Tensor]:
        """The weights of the run, by name.

        Raises:
            CheckpointError: There are none, or the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self.weights_file.is_file():
            raise CheckpointError(
                f"expected weights at {self.weights_file}, found none; finish the run first: "
                f"graphcl pretrain --resume --out {self.path}"
            )
        check_readable(self.weights_file)
        try:
            return load_file(self.weights_file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"expected weights at {self.weights_file}, but the file is damaged: {error}"
            ) from error


def _is_profile(found: Mapping[str, Any]) -> bool:
    """Whether it has the lists of a profile, those of similarities all or not at all."""
    similarities = ("edges", "positive_similarity", "negative_similarity")
    names = ("singular_values", "dimension_std", *(similarities if any(name in found for name in similarities) else ()))
    lists = [found.get(name) for name in names]
    return all(isinstance(each, list) and each and all(isinstance(n, int | float) for n in each) for each in lists)
