"""Scores of methods and seeds in parts (folds, splits, runs) and metrics: read where known, else computed."""

import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate._raw import PartRow, RawFile, Rows
from graphcl.evaluate.evaluation import AnyProtocol, Evaluation

__all__ = ["Compute", "PartScore", "TaskOf", "collect", "digest_text", "run_parts", "warn_unconverged"]


class PartScore(NamedTuple):
    """The scores of one part by metric, in [0, 1] or the target's unit; the choice; its validation score; bad fits."""

    scores: dict[str, float]
    choice: float = 0.0
    validation: float = float("nan")
    unconverged: int = 0


Compute = Callable[[Sequence[int]], Sequence[PartScore]]
"""Signature: (numbers of parts) -> their scores, in order."""

TaskOf = Callable[[str, int, int], tuple[str, Compute]]
"""Signature: (method, position of the seed, seed) -> (key, compute). The key says all that decides the scores."""


def run_parts(
    methods: Iterable[str],
    seeds: Sequence[int],
    number: int,
    metrics: Sequence[str],
    task_of: TaskOf,
    store: RawFile,
    *,
    seeded: bool = False,
    progress: Callable[[str, int], None] | None,
) -> dict[str, list[list[PartRow]]]:
    """For each method and seed the rows of all parts and metrics.

    Args:
        methods: Their names.
        seeds: The seeds.
        number: Of parts.
        metrics: Of each part.
        task_of: What to compute.
        store: Where rows are kept.
        seeded: Whether the seed decides scores beside what the key says; else seeds of one key share their scores.
        progress: Called with method and seed after each.
    """
    rows: dict[str, list[list[PartRow]]] = {}
    for method in methods:
        rows[method] = []
        same: dict[str, Rows] = {}
        for index, seed in enumerate(seeds):
            key, compute = task_of(method, index, seed)
            found = store.find(method, seed, key)
            # Raw features are the same for every seed: what one seed computed serves the others.
            shared = {} if seeded or found else same.get(key, {})
            done = found | {part: replace(row, seed=seed, seconds=0.0) for part, row in shared.items()}
            missing = [part for part in range(number) if any((part, name) not in done for name in metrics)]
            if missing:
                done |= {row.part: row for row in _compute(compute, missing, method, seed, key)}
            if done != found:
                store.put(method, seed, done.values())
            same[key] = done
            rows[method].append([done[part, name] for part in range(number) for name in metrics])
            if progress is not None:
                progress(method, seed)
    return rows


def _compute(compute: Compute, parts: Sequence[int], method: str, seed: int, key: str) -> Iterable[PartRow]:
    start = time.perf_counter()
    found = compute(parts)
    each = round((time.perf_counter() - start) / len(parts), 3)
    for part, (scores, choice, validation, unconverged) in zip(parts, found, strict=True):
        for order, (name, score) in enumerate(scores.items()):
            # Counted once, under the first metric, as one fit gives all of them.
            bad, seconds = (int(unconverged), each) if order == 0 else (0, 0.0)
            yield PartRow(method, seed, part, name, float(score), float(choice), float(validation), bad, seconds, key)


def collect(
    rows: Mapping[str, list[list[PartRow]]],
    protocol: AnyProtocol,
    seeds: Sequence[int],
    metrics: Sequence[str],
    *,
    num_tested: int,
    sizes: tuple[float, float] | None,
    split_hash: str,
    unit: float = 100.0,
    skipped: int = 0,
    tasks: int = 1,
    is_error: bool = False,
) -> Evaluation:
    """The rows as tables, scores times ``unit``; the other arguments are those of ``Evaluation``."""

    def table(metric: str, value: Callable[[PartRow], float]) -> dict[str, FloatArray]:
        return {
            method: np.array([[value(row) for row in own if row.metric == metric] for own in groups], dtype=np.float64)
            for method, groups in rows.items()
        }

    flat = {method: [row for own in groups for row in own] for method, groups in rows.items()}
    return Evaluation(
        protocol=protocol,
        seeds=tuple(seeds),
        tables={metric: table(metric, lambda row: unit * row.score) for metric in metrics},
        choice=table(metrics[0], lambda row: row.choice),
        validation=table(metrics[0], lambda row: unit * row.validation),
        unconverged={method: sum(row.unconverged for row in own) for method, own in flat.items()},
        seconds={method: round(sum(row.seconds for row in own), 3) for method, own in flat.items()},
        num_tested=num_tested,
        sizes=sizes,
        split_hash=split_hash,
        skipped=skipped,
        tasks=tasks,
        is_error=is_error,
    )


def warn_unconverged(evaluation: Evaluation, max_iter: int, fits: str, of: str = "") -> None:
    """Tell of fits that reached the iteration limit, with what they are and ``of`` how many."""
    found = [f"{count} for {method}" for method, count in evaluation.unconverged.items() if count]
    if found:
        warnings.warn(
            f"{evaluation.protocol.name}: {fits} that reached max_iter={max_iter}: {', '.join(found)}{of}; their "
            "scores stand, but read them with care",
            RuntimeWarning,
            stacklevel=3,
        )


def digest_text(*parts: Any) -> str:
    """The first 16 hexadecimal digits of a hash of arrays and of anything that has a repr."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()[:16]
