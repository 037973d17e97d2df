"""Rows of the committed result tables: what a score is, what it is over, and how to make it again."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphcl.errors import DataError
from graphcl.evaluate._csv import read_csv, write_csv

__all__ = ["COLUMNS", "Result", "merge_results", "read_results", "summarise", "write_results"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One row of a result table; accuracies, lifts and their spreads in percent, empty cells are ``None``.

    Args:
        dataset: Name of the card.
        method: Class name, or one of raw, untrained-init, untrained, wl, supervised, scratch, fingerprint.
        protocol: Name of the protocol; ``wl`` brings its own kernel in place of the protocol's, and node features
            (``raw``) rows of length 1 in place of a standard scaler.
        features: Node features, where they were a choice.
        metric: ``accuracy``, ``auc``, ``nmi``, ``ari``, ``mrr``, ``hits@50``, ``precision@k``, all in percent; ``rmse``
            in the target's unit.
        mean: Mean over seeds of the mean over folds.
        std: Standard deviation of the latter over seeds (divisor n - 1); ``None`` with one seed.
        std_over: What ``std`` is over, ``seeds``.
        std_folds: Standard deviation over the folds of one seed (divisor n - 1), averaged over seeds.
        seeds: Number of seeds.
        folds: Number of folds, or of splits.
        n_test: Graphs that one seed tests, over all its folds; nodes or pairs that one split tests.
        epochs: Epochs of pretraining, 0 for an untrained encoder.
        selected_by: What chose the epoch, for example ``fixed epoch``.
        lift: Mean difference to ``untrained`` (to ``scratch`` where the encoder was tuned), seed by seed and fold by
            fold; for an error how much smaller it is.
        lift_low: Lower end of its 95 % interval.
        lift_high: Upper end.
        p: Its p value, not corrected for the number of data sets (``holm`` does that for a whole table).
        published: The published mean.
        published_source: Where it is published.
        split_hash: Hash of all folds of all seeds.
        version: Of the package.
        device: Where the embeddings were made.
        seconds: Time the row took.
        command: Command that makes the row.
        date: Day it was made, ISO 8601.
    """

    dataset: str
    method: str
    protocol: str
    features: str = ""
    metric: str = "accuracy"
    mean: float
    std: float | None = None
    std_over: str = "seeds"
    std_folds: float | None = None
    seeds: int
    folds: int
    n_test: int
    epochs: int | None = None
    selected_by: str = ""
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    p: float | None = None
    published: float | None = None
    published_source: str = ""
    split_hash: str = ""
    version: str = ""
    device: str = ""
    seconds: float | None = None
    command: str = ""
    date: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What a row is about; a table has one row for each."""
        return self.dataset, self.method, self.protocol, self.features, self.metric


PERCENT = ("accuracy", "auc", "ap", "nmi", "ari", "mrr", "hits@", "precision@")
COLUMNS = tuple(field.name for field in dataclasses.fields(Result))


def in_percent(metric: str) -> bool:
    """Whether tables tell a metric in percent."""
    return metric.startswith(PERCENT)


def with_unit(metric: str) -> str:
    """A metric with what its scores are in; the metric alone where that is not known.

    Example:
        >>> with_unit("hits@50"), with_unit("rmse"), with_unit("mae")
        ('hits@50 in %', "rmse in the target's unit", 'mae')
    """
    if in_percent(metric):
        return f"{metric} in %"
    return f"{metric} in the target's unit" if metric == "rmse" else metric


def two_digits(value: float, sign: str = "") -> str:
    """A number with two digits after the point; what rounds to zero has no sign.

    Example:
        >>> two_digits(-0.004), two_digits(0.126, "+"), two_digits(0.0, "+")
        ('0.00', '+0.13', '0.00')
    """
    text = f"{value:{sign}.2f}"
    return text if float(text) else "0.00"


def summarise(scores: Any) -> tuple[float, float | None, float | None]:
    """Mean, standard deviation over seeds, and standard deviation over folds, which are different things.

    Args:
        scores: [seeds, folds].

    Returns:
        The mean; the deviation over seeds of the mean over folds; the deviation over folds, averaged over seeds. Both
        with divisor n - 1, and ``None`` where n is 1.

    Raises:
        ValueError: Another shape.

    Example:
        >>> summarise([[80.0, 90.0], [84.0, 94.0]])
        (87.0, 2.8284271247461903, 7.0710678118654755)
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"expected scores [seeds, folds], got {list(table.shape)}")
    seeds, folds = table.shape
    over_seeds = float(table.mean(axis=1).std(ddof=1)) if seeds > 1 else None
    over_folds = float(table.std(axis=1, ddof=1).mean()) if folds > 1 else None
    return float(table.mean()), over_seeds, over_folds


def merge_results(old: Iterable[Result], new: Iterable[Result]) -> list[Result]:
    """The rows of both; a new row replaces the old row about the same (its ``key``)."""
    rows = {row.key: row for row in old}
    rows.update({row.key: row for row in new})
    return list(rows.values())


def write_results(path: str | Path, rows: Sequence[Result], *, merge: bool = True) -> None:
    """Write a result table, whole or not at all.

    Args:
        path: The CSV file.
        rows: What to write.
        merge: Keep the rows of an existing file that are about something else.

    Raises:
        DataError: An existing file with other columns or unreadable values.
        RunError: The file cannot be written; what was there is untouched.
        ValueError: A number that is NaN or infinite, with which the table could not be read again.
    """
    path = Path(path)
    table = merge_results(read_results(path) if merge else [], rows)
    for row in table:
        for name in COLUMNS:
            value = getattr(row, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"expected a finite {name} of {row.method} on {row.dataset}, got {value}")
    write_csv(path, COLUMNS, ({name: _to_text(getattr(row, name)) for name in COLUMNS} for row in table))


def read_results(path: str | Path) -> list[Result]:
    """Read a result table; an absent file has no rows.

    Args:
        path: The CSV file.

    Raises:
        DataError: Other columns, a cut line, or a value of the wrong kind; the message names the file.
    """
    rows = []
    for number, row in enumerate(read_csv(Path(path), COLUMNS), start=1):
        try:
            rows.append(
                Result(**{field.name: _from_text(row[field.name], field) for field in dataclasses.fields(Result)})
            )
        except ValueError as error:
            raise DataError(f"{path}, row {number}: {error}; mend or delete the row") from error
    return rows


def of_weights(rows: Iterable[Result], epochs: int | None) -> list[Result]:
    """The rows of a run that say something of its weights: not those from before it went on to more epochs.

    Args:
        rows: Scores of the run, and of what needs no training beside it.
        epochs: Of the run; None where they are not known.
    """
    return [row for row in rows if not row.epochs or epochs in (None, row.epochs)]


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    # Six digits are far finer than any spread and keep the tables readable.
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _from_text(text: str, field: "dataclasses.Field[Any]") -> Any:
    if field.type in (str, "str"):
        return text
    if not text and field.type in (float | None, int | None):
        return None
    if field.type in (int, int | None):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite {field.name}, got {text!r}")
    return number
