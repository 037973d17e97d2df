"""What is scored, and what is done with the scores: kept in the run folder and printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphcl._recipes import recipe
from graphcl.cli._source import Source
from graphcl.errors import RunError

__all__ = ["Scoring"]


@dataclass(frozen=True)
class Scoring:
    """A trained encoder, and the data set that it is scored on.

    Attributes:
        source: The run, or the pretrained encoder.
        entry: The card of the data set.
        root: The data folder.
        device: Where to compute.
    """

    source: Source
    entry: Any
    root: str | None
    device: Any

    @property
    def folder(self) -> Any:
        """Where the scores go."""
        return self.source.folder

    @property
    def config(self) -> Mapping[str, Any]:
        """All settings of the run."""
        return self.source.config

    @property
    def name(self) -> str:
        """What tables call the run's method, or the encoder."""
        return self.source.name

    def makers(self, in_channels: int) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
        """The method as it is before training, by the seed of its weights, and with the trained weights."""

        def make(seed: int) -> Any:
            return self.source.make(in_channels, seed).to(self.device)

        def trained(seed: int) -> Any:
            return self.source.trained(in_channels, seed).to(self.device)

        return make, trained

    def check_unseen(self, *, tests_train_nodes: bool = True) -> None:
        """Refuse labels that the encoder has learned from in the place of a test.

        Args:
            tests_train_nodes: Whether the protocol tests nodes that ``train_mask`` marks; of graphs any tests all.

        Raises:
            RunError: The run's method learns from labels that the protocol tests on.
        """
        check_labels_unseen(self.config, self.entry.name, self.name, self.root, tests_train_nodes=tests_train_nodes)

    def command(self, verb: str, protocol_name: str) -> str:
        """The command that makes these scores, with what is asked for by default too."""
        return f"graphcl {verb} {self.source.words} --dataset {self.entry.name} --protocol {protocol_name}"

    def keep(self, evaluation: Any, command: str, *, features: str, notes: Mapping[str, Any]) -> None:
        """Print the scores as a table, and append them to the run's."""
        from graphcl.evaluate import Provenance, format_table, result_rows, write_results

        rows = result_rows(
            evaluation,
            dataset=self.entry.name,
            features=features,
            notes=notes,
            provenance=Provenance(device=str(self.device), command=command),
        )
        print(format_table(rows))  # first: where they cannot be written they are not lost
        write_results(self.folder.path / "scores.csv", rows)


def check_labels_unseen(
    config: Mapping[str, Any], scored: str, name: str, root: str | None, *, tests_train_nodes: bool = True
) -> None:
    """Refuse to test on labels that a run has learned from.

    Args:
        config: The settings of the run.
        scored: The data set that it is to be scored on, as its card names it.
        name: What tables call the run's method.
        root: The data folder.
        tests_train_nodes: Whether the protocol tests nodes that ``train_mask`` marks; of graphs any tests all.

    Raises:
        RunError: The run's method learns from labels that the protocol tests on.
    """
    from graphcl.data import card

    labels, trained_on = recipe(config["method"]).labels, config["dataset"]
    if config["arguments"].get("label", "y") != "y" or not labels or trained_on is None:
        return
    if card(trained_on, root=root).name == scored and (labels == "all" or tests_train_nodes):
        mend = "score it on another data set"
        if labels == "train":
            mend += ", or by a protocol whose split comes with the graph: node-linear-public, node-fixed-splits"
        raise RunError(
            f"expected labels that {name} has not seen, got {scored}, from whose labels this run has learned: what it "
            f"tests would be known to it; {mend}"
        )
