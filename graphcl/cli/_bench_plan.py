"""What ``graphcl bench`` does on one data set: the methods to train, the protocols, and whose lift is over what."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphcl._recipes import DEFAULTS, recipe, settings_for
from graphcl.cli._bench_training import Training
from graphcl.cli._protocols import GIVEN, check_graphs, check_nodes, protocol_for, score_graphs, score_nodes
from graphcl.errors import ConfigError
from graphcl.pretrained import OF_ENCODER, embeds_by_encoder

__all__ = ["Plan", "notes_on", "untrained_as"]

# An encoder that differs from this method's in none of these is the one of the row `untrained`.
REFERENCE = {"graph": "graphcl", "node": "grace"}


class Plan:
    """The tables of one data set.

    Args:
        entry: The card of the data set.
        config: What the command was called with.
        folder: Where everything is kept.
        device: Where to train.

    Raises:
        ConfigError: The data set has no classes, a method cannot be trained on it or has seen what is tested, or a
            protocol does not score such data.
        ValueError: A protocol cannot score this set: a class is too rare for its folds, or the graph has no split.
    """

    def __init__(self, entry: Any, config: Any, folder: Path, device: str) -> None:
        from graphcl.data.load import is_molecules

        if is_molecules(entry) or entry.task != "classification":
            instead = "; use graphcl pretrain, then evaluate or finetune" if is_molecules(entry) else ""
            raise ConfigError(
                f"expected a data set with a class per graph or node, got {entry.name} ({entry.task}, scored by "
                f"{', '.join(entry.protocols) or 'nothing here'}){instead}"
            )
        self.entry, self.config, self.folder, self.device = entry, config, folder, device
        self.protocols = [protocol_for(entry, name) for name in config.protocol or [None]]
        self.trainings: dict[str, Training] = {}
        self.methods = config.method or [DEFAULTS[entry.level]]
        for method in self.methods:
            name = recipe(method).name
            self.trainings[f"{name} ({method})" if name in self.trainings else name] = self._training(method)
        data = next(iter(self.trainings.values())).data
        for protocol in self.protocols:
            if entry.level == "node":
                check_nodes(data, entry, protocol)
            else:
                check_graphs(data, entry, protocol, config.seeds)

    def _settings(self, method: str) -> dict[str, Any]:
        """Those of the method's paper, but for what the command says."""
        settings = settings_for(method, self.entry.name)
        if self.config.features is not None:
            settings["features"] = self.config.features
        if self.config.epochs is not None:
            warmup = settings["warmup"] * self.config.epochs // settings["epochs"]
            settings |= {"epochs": self.config.epochs, "warmup": warmup}
        return settings

    def _training(self, method: str) -> Training:
        import torch

        from graphcl.train import source_of

        settings = self._settings(method)
        labels = recipe(method).labels
        tested = [p.name for p in self.protocols if labels == "all" or getattr(p, "splits", "") not in GIVEN]
        if labels and tested:
            raise ConfigError(
                f"expected a method that has not seen the labels that {tested[0]} tests, got {method}, which learns "
                "from them; leave it out"
            )
        training = Training(self.entry.name, self.config.root, settings, self.device, self.folder / "embeddings")
        source = source_of(training.data, recipe(method).kind, settings["batch_size"], torch.device(self.device))
        model = training.method(0)
        if source.first is not None:
            model.check_needs(source.first)
        return training

    def score(self) -> None:
        """Print and keep a table for each protocol."""
        embeddings: dict[str, list[Any]] = {}
        kernels: dict[str, Any] = {}
        over: dict[str, str | None] = {}
        for name, training in self.trainings.items():
            found, kernel = training.embeddings(self.config.seeds, kernel=not embeddings)
            kernels |= kernel
            embeddings.setdefault("raw", found["raw"])
            if untrained_as(training, self._settings(REFERENCE[self.entry.level])):
                over[name] = "untrained"
                embeddings |= {row: found[row] for row in ("untrained-init", "untrained") if row in found}
            else:
                over[name] = f"untrained ({name})"
                embeddings[f"untrained ({name})"] = found["untrained"]
            embeddings[name] = found[training.name]
        for protocol in self.protocols:
            self._table(protocol, embeddings, kernels, over)

    def _table(
        self, protocol: Any, embeddings: Mapping[str, Any], kernels: Mapping[str, Any], over: Mapping[str, str | None]
    ) -> None:
        from tqdm import tqdm

        from graphcl.evaluate import Provenance, format_table, raw_path, read_results, result_rows, write_results

        settings = {name: training.settings for name, training in self.trainings.items()}
        first = next(iter(self.trainings.values()))
        total = (len(embeddings) + len(kernels)) * len(self.config.seeds)
        with tqdm(desc=f"{self.entry.name}, {protocol.name}", total=total, disable=None) as bar:
            shared: dict[str, Any] = {"raw": raw_path(self.folder / "raw", self.entry.name, protocol)}
            shared |= {"n_jobs": self.config.jobs, "progress": lambda method, seed: bar.update(1)}
            if self.entry.level == "node":
                evaluation = score_nodes(first.data, self.entry, embeddings, protocol, self.config.seeds, **shared)
            else:
                evaluation = score_graphs(first.data, embeddings, kernels, protocol, self.config.seeds, **shared)
        found = result_rows(
            evaluation,
            dataset=self.entry.name,
            notes=notes_on(evaluation.seconds, settings, self.entry, protocol.name),
            provenance=Provenance(device=self.device, command=self._command(protocol.name)),
            over=over,
        )
        usual = first.settings["features"]  # those of raw features and other rows that no method has made
        own = {row: settings[name]["features"] for name, row in over.items() if row is not None}
        own |= {name: settings[name]["features"] for name in settings}
        rows = [replace(row, features=own.get(row.method, usual) or self.entry.features or "original") for row in found]
        table = self.folder / "scores.csv"
        others = _left_behind(read_results(table), rows)
        write_results(table, rows)
        print(format_table(rows), end="\n\n", flush=True)
        if others:
            print(
                f"{table} keeps {', '.join(others)} on {self.entry.name} by other seeds or splits: what their lift is "
                "over is no longer in it. Train them with the same seeds, or choose another --out\n",
                flush=True,
            )

    def _command(self, protocol: str) -> str:
        """What makes this table alone."""
        config = self.config
        words = ["graphcl", "bench", "--dataset", self.entry.name, "--method", *self.methods, "--protocol", protocol]
        words += ["--seeds", *map(str, config.seeds)]
        for option in ("features", "epochs"):
            words += [f"--{option}", str(config[option])] if config[option] is not None else []
        return shlex.join(words)


def untrained_as(training: Training, settings: Mapping[str, Any]) -> bool:
    """Whether a method embeds, as long as it is untrained, as the encoder of these settings does."""
    same = all(training.settings[part] == settings[part] for part in ("features", *OF_ENCODER))
    return same and embeds_by_encoder(training.method(0))  # MVGRL embeds by two encoders


def notes_on(
    rows: Iterable[str], settings: Mapping[str, Mapping[str, Any]], entry: Any, protocol: str
) -> dict[str, Any]:
    """What a table says of its rows beside the scores: epochs, what chose them, what was published.

    Args:
        rows: The names of all rows.
        settings: Those of the methods among them.
        entry: The card of the data set.
        protocol: The name of the protocol.
    """
    from graphcl.evaluate import Note

    published = {quote.method: quote for quote in entry.published if quote.protocol == protocol}
    notes = {}
    for row in rows:
        own, quote = settings.get(row), published.get(row)
        notes[row] = Note(
            epochs=own["epochs"] if own else 0 if row.startswith("untrained") else None,
            selected_by=("lowest loss" if own["patience"] else "fixed epoch") if own else "",
            published=quote.mean if quote else None,
            published_source=quote.source if quote else "",
        )
    return notes


def _left_behind(old: Sequence[Any], new: Sequence[Any]) -> list[str]:
    """The methods that stay in a table while what their lift is over, the untrained encoder, gets other seeds."""
    keys = {row.key for row in new}
    base = next((row for row in new if row.method == "untrained"), None)
    if base is None:
        return []
    about = (base.dataset, base.protocol, base.features)
    stay = [row for row in old if (row.dataset, row.protocol, row.features) == about and row.key not in keys]
    own = {row.method for row in stay if row.method.startswith("untrained (")}
    lifted = [row for row in stay if row.lift is not None and f"untrained ({row.method})" not in own]
    return [row.method for row in lifted if (row.seeds, row.split_hash) != (base.seeds, base.split_hash)]
