"""What is scored, and what is done with the scores: kept in the run folder and printed."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphcl._recipes import recipe
from graphcl._resolve import make_method

__all__ = ["Scoring"]


@dataclass(frozen=True)
class Scoring:
    """A run, and the data set that it is scored on.

    Attributes:
        folder: The run folder.
        config: All settings of the run.
        entry: The card of the data set.
        root: The data folder.
        device: Where to compute.
        model: The name of the encoder, where it is one by itself instead of a run's; the folder is for its scores.
    """

    folder: Any
    config: Mapping[str, Any]
    entry: Any
    root: str | None
    device: Any
    model: str | None = None

    @property
    def name(self) -> str:
        """What tables call the run's method, or the encoder."""
        return recipe(self.config["method"]).name if self.model is None else Path(self.model).name

    def makers(self, in_channels: int) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
        """The method as it is before training, by the seed of its weights, and with the run's weights."""

        def make(seed: int) -> Any:
            return make_method(self.config, in_channels, seed=seed).to(self.device)

        def trained(seed: int) -> Any:
            method = make(seed)
            self.folder.load_weights(method)
            return method

        return make, trained

    def command(self, verb: str, protocol_name: str) -> str:
        """The command that makes these scores, with what is asked for by default too."""
        path = shlex.quote(str(self.folder.path))
        source = path if self.model is None else f"--model {shlex.quote(self.model)} --out {path}"
        return f"graphcl {verb} {source} --dataset {self.entry.name} --protocol {protocol_name}"

    def keep(self, evaluation: Any, command: str, *, features: str, notes: Mapping[str, Any]) -> None:
        """Append the scores to the run's, and print them as a table."""
        from graphcl.evaluate import Provenance, format_table, result_rows, write_results

        rows = result_rows(
            evaluation,
            dataset=self.entry.name,
            features=features,
            notes=notes,
            provenance=Provenance(device=str(self.device), command=command),
        )
        write_results(self.folder.path / "scores.csv", rows)
        print(format_table(rows))
