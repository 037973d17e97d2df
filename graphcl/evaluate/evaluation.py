"""Scores of several methods under one protocol, of whatever is scored: graphs, nodes, pairs of nodes or molecules."""

from dataclasses import dataclass

from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate.molecule_protocols import MoleculeProtocol
from graphcl.evaluate.node_protocols import NodeProtocol
from graphcl.evaluate.protocols import Protocol
from graphcl.evaluate.semi_protocols import SemiProtocol

__all__ = ["AnyProtocol", "Evaluation"]

AnyProtocol = Protocol | NodeProtocol | MoleculeProtocol | SemiProtocol


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of several methods under one protocol, on the same parts: folds, splits, or runs.

    Args:
        protocol: How they were scored.
        seeds: Model seeds.
        tables: For each metric and method ``[seeds, parts]``, percent; errors in the target's unit.
        choice: For each method, the chosen C, number of neighbours or epoch ``[seeds, parts]``; 0 where nothing is
            chosen, NaN where the raw file does not tell.
        validation: For each method ``[seeds, parts]``, the score of what chooses under that choice: of validation data
            or of inner folds. NaN where there is none. What to compare methods by, where one of them is to be chosen.
        unconverged: For each method, the number of fits that reached the iteration limit.
        seconds: For each method, the time its scores took, in this run or an earlier one.
        num_tested: Graphs that one seed tests, over all its folds; nodes, pairs or molecules that one split tests, the
            average where splits differ.
        sizes: What a fold or split tests, and the labels that it gives away before, to learn and to choose; ``None``
            where no data is resampled, so that nothing is to be corrected for.
        split_hash: Hash of all parts.
        skipped: How many tasks of the test part have no score.
        tasks: How many tasks there are.
        is_error: Whether scores are errors of numbers, the less the better: a lift is then how much less.
    """

    protocol: AnyProtocol
    seeds: tuple[int, ...]
    tables: dict[str, dict[str, FloatArray]]
    choice: dict[str, FloatArray]
    validation: dict[str, FloatArray]
    unconverged: dict[str, int]
    seconds: dict[str, float]
    num_tested: int
    sizes: tuple[float, float] | None
    split_hash: str
    skipped: int = 0
    tasks: int = 1
    is_error: bool = False

    @property
    def scores(self) -> dict[str, FloatArray]:
        """For each method ``[seeds, parts]`` of the first metric."""
        return next(iter(self.tables.values()))

    @property
    def baseline(self) -> str:
        """The method that others are compared with, ``untrained``, or ``scratch`` where encoders were tuned."""
        return self.protocol.baseline
