"""Table rows from scores: mean, spreads, lift over the untrained encoder, and where the numbers come from."""

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphcl import __version__
from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate.evaluation import Evaluation
from graphcl.evaluate.lift import lift_of_one, paired_lift
from graphcl.evaluate.results import Result, summarise

__all__ = ["Note", "Provenance", "result_rows"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a row says of one method beside its scores.

    Args:
        epochs: Epochs of pretraining, 0 for an untrained encoder, ``None`` where there is no encoder.
        selected_by: What chose the epoch.
        published: The published mean.
        published_source: Where it is published.
        seconds: Time the row took; the time of the probe when left out.
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
        version: Of the package; the installed one when left out.
        device: Where the embeddings were made.
        command: Command that makes the table.
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
    one_draw: Collection[str] = (),
    over: Mapping[str, str | None] | None = None,
) -> list[Result]:
    """One row for each metric and method; all but ``untrained`` itself carry their lift over it, if scored.

    Where encoders were fine-tuned, ``scratch`` takes its place. The lift of an error is how much smaller it is. Where
    methods have encoders of their own, ``over`` says which row is whose encoder untrained.

    The interval of the lift is over seeds and folds or splits, corrected for training parts that overlap. On a single
    split that comes with the graph, and for clusters, it is over the seeds alone: it then says nothing about other
    splits, and with one seed there is none.

    Args:
        evaluation: Scores of all methods on the same folds.
        dataset: Name of the card.
        features: Node features, where they were a choice.
        notes: What to say of single methods.
        provenance: Where the table was made; this machine and day when left out.
        one_draw: Methods whose encoder is the same for all seeds; their interval is that of ``lift_of_one``.
        over: For single methods the method that their lift is over, or None for no lift; a method that another's lift
            is over has none itself.

    Returns:
        Rows in the order of the methods.

    Raises:
        ValueError: A note on a method that has no scores, or a lift over one.

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
    methods = list(evaluation.seconds)
    if unknown := sorted(set(notes) - set(methods)):
        raise ValueError(f"expected notes on {', '.join(methods)}, got one on {', '.join(unknown)}")
    over = over or {}
    baselines = {method for method in over.values() if method is not None}
    if unknown := sorted((baselines | set(over)) - set(methods)):
        raise ValueError(f"expected lifts of and over {', '.join(methods)}, got {', '.join(unknown)}")
    usual = evaluation.baseline
    baseline_of = {m: None if m in baselines or m == usual else over.get(m, usual) for m in methods}
    rows = []
    for metric, table in evaluation.tables.items():
        for method, scores in table.items():
            note, baseline = notes.get(method, Note()), baseline_of[method]
            mean, over_seeds, over_folds = summarise(scores)
            sign = -1 if evaluation.is_error else 1
            lift: dict[str, Any] = {}
            if baseline in table:
                lift = _lift(sign * scores, sign * table[baseline], evaluation.sizes, method in one_draw)
            rows.append(
                Result(
                    dataset=dataset,
                    method=method,
                    protocol=evaluation.protocol.name,
                    features=features,
                    metric=metric,
                    mean=mean,
                    std=over_seeds,
                    std_folds=over_folds,
                    seeds=len(evaluation.seeds),
                    folds=scores.shape[1],
                    n_test=evaluation.num_tested,
                    **lift,
                    split_hash=evaluation.split_hash,
                    **vars(origin),
                    **vars(note) | {"seconds": evaluation.seconds[method] if note.seconds is None else note.seconds},
                )
            )
    return rows


def _lift(
    scores: FloatArray, untrained: FloatArray, sizes: tuple[float, float] | None, one_draw: bool
) -> dict[str, float]:
    """The mean difference, and where there are at least two independent ones its interval and p value."""
    if sizes is None:
        # One split, or none: the parts of a seed are not a new sample of the data, and only seeds count.
        scores, untrained, sizes = scores.mean(axis=1)[:, None], untrained.mean(axis=1)[:, None], (0.0, 1.0)
    if scores.size < 2:
        return {"lift": float((scores - untrained).mean())}
    interval = lift_of_one if one_draw else paired_lift
    mean, low, high, p = interval(scores, untrained, n_test=sizes[0], n_train=sizes[1])
    if low == high != 0:  # the same difference everywhere, as of a few graphs: nothing says how it would vary
        return {"lift": mean}
    return {"lift": mean, "lift_low": low, "lift_high": high, "p": p}
