"""Table rows from scores: mean, spreads, lift over the untrained encoder, and where the numbers come from."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphcl import __version__
from graphcl.evaluate.lift import paired_lift
from graphcl.evaluate.results import Result, summarise
from graphcl.evaluate.runner import Evaluation

__all__ = ["Note", "Provenance", "result_rows"]

BASELINE = "untrained"


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a row says of one method beside its scores.

    Args:
        epochs: epochs of pretraining, 0 for an untrained encoder, ``None`` where there is no encoder.
        selected_by: what chose the epoch.
        published: the published mean.
        published_source: where it is published.
        seconds: time the row took; the time of the probe when left out.
    """

    epochs: int | None = None
    selected_by: str = ""
    published: float | None = None
    published_source: str = ""
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where and how a table was made.

    Args:
        version: of the package; the installed one when left out.
        device: where the embeddings were made.
        command: command that makes the table.
        date: ISO 8601; today when left out.
    """

    version: str = __version__
    device: str = "cpu"
    command: str = ""
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())


def result_rows(
    evaluation: Evaluation,
    *,
    dataset: str,
    features: str = "",
    notes: Mapping[str, Note] | None = None,
    provenance: Provenance | None = None,
) -> list[Result]:
    """Returns one row for each method; all but ``untrained`` itself carry their lift over it, if it was scored.

    Args:
        evaluation: scores of all methods on the same folds.
        dataset: name of the card.
        features: node features, where they were a choice.
        notes: what to say of single methods.
        provenance: where the table was made; this machine and day when left out.

    Returns:
        Rows in the order of the methods.

    Raises:
        ValueError: a note on a method that has no scores.

    Example:
        >>> import numpy as np
        >>> from graphcl.evaluate import evaluate_embeddings, protocol, with_folds
        >>> y = np.arange(30) % 2
        >>> good, bad = np.stack([y, y], axis=1), np.ones((30, 2))
        >>> few = with_folds(protocol("tu-rbf-svm"), 3, 3)
        >>> scores = evaluate_embeddings({"untrained": [bad], "GraphCL": [good]}, y, few, [0])
        >>> [(row.method, row.mean, row.lift) for row in result_rows(scores, dataset="toy")]
        [('untrained', 50.0, None), ('GraphCL', 100.0, 50.0)]
    """
    notes, origin = notes or {}, provenance or Provenance()
    if unknown := sorted(set(notes) - set(evaluation.accuracy)):
        raise ValueError(f"expected notes on {', '.join(evaluation.accuracy)}, got one on {', '.join(unknown)}")
    return [
        _result(evaluation, method, dataset, features, notes.get(method, Note()), origin)
        for method in evaluation.accuracy
    ]


def _result(evaluation: Evaluation, method: str, dataset: str, features: str, note: Note, origin: Provenance) -> Result:
    scores, folds = evaluation.accuracy[method], evaluation.protocol.folds
    mean, over_seeds, over_folds = summarise(scores)
    lift = None
    if method != BASELINE and BASELINE in evaluation.accuracy:
        n_test = evaluation.num_graphs / folds
        untrained = evaluation.accuracy[BASELINE]
        lift = paired_lift(scores, untrained, n_test=n_test, n_train=evaluation.num_graphs - n_test)
    return Result(
        dataset=dataset,
        method=method,
        protocol=evaluation.protocol.name,
        features=features,
        mean=mean,
        std=over_seeds,
        std_folds=over_folds,
        seeds=len(evaluation.seeds),
        folds=folds,
        n_test=evaluation.num_graphs,
        epochs=note.epochs,
        selected_by=note.selected_by,
        lift=lift.mean if lift else None,
        lift_low=lift.low if lift else None,
        lift_high=lift.high if lift else None,
        p=lift.p if lift else None,
        published=note.published,
        published_source=note.published_source,
        split_hash=evaluation.split_hash,
        version=origin.version,
        device=origin.device,
        seconds=evaluation.seconds[method] if note.seconds is None else note.seconds,
        command=origin.command,
        date=origin.date,
    )
