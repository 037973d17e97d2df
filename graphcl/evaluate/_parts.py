"""Scores of methods and seeds in parts (splits, runs) and metrics: read where they are known, computed where not."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphcl.evaluate._raw import RawFile
from graphcl.evaluate.node_probes import quiet

# metric -> score in [0, 1]; the choice; its validation score; fits without convergence
Scores = tuple[dict[str, float], float, float, int]
NONE = float("nan")


@dataclass(frozen=True)
class PartRow:
    """One score of one split or run as the raw file keeps it."""

    method: str
    seed: int
    split: int
    metric: str
    score: float
    choice: float
    validation: float
    unconverged: int
    seconds: float
    key: str

    @property
    def part(self) -> tuple[int, str]:
        return self.split, self.metric


def run_parts(
    methods: Sequence[str],
    seeds: Sequence[int],
    number: int,
    metrics: Sequence[str],
    task_of: Callable[[str, int, int], tuple[str, Callable[[int], Scores]]],
    common: str,
    store: RawFile[PartRow],
    *,
    n_jobs: int,
    progress: Callable[[str, int], None] | None,
) -> dict[str, list[list[PartRow]]]:
    """All rows of all methods: read where they are known, computed where they are not."""
    rows: dict[str, list[list[PartRow]]] = {}
    for method in methods:
        rows[method] = []
        same: dict[str, dict[Any, PartRow]] = {}
        for index, seed in enumerate(seeds):
            made_of, compute = task_of(method, index, seed)
            key = digest_text(common, made_of)
            # Raw features are the same for every seed: what one seed computed serves the others.
            done = store.find(method, seed, key) or {
                part: replace(row, seed=seed, seconds=0.0) for part, row in same.get(key, {}).items()
            }
            missing = [part for part in range(number) if any((part, name) not in done for name in metrics)]
            if missing:
                done |= {row.part: row for row in _compute(compute, missing, method, seed, key, n_jobs)}
            store.put(method, seed, done.values())
            same[key] = done
            rows[method].append([done[part, name] for part in range(number) for name in metrics])
            if progress is not None:
                progress(method, seed)
    return rows


def _compute(
    compute: Callable[[int], Scores], parts: Sequence[int], method: str, seed: int, key: str, n_jobs: int
) -> Iterable[PartRow]:
    start = time.perf_counter()
    # The filter is the whole program's, so it is set here, once, and not by each thread around its fits.
    with quiet(), ThreadPoolExecutor(n_jobs) as pool:
        found = list(pool.map(compute, parts))
    each = round((time.perf_counter() - start) / len(parts), 3)
    for part, (scores, choice, validation, unconverged) in zip(parts, found, strict=True):
        for order, (name, score) in enumerate(scores.items()):
            # Counted once, under the first metric, as one fit gives all of them.
            bad, seconds = (int(unconverged), each) if order == 0 else (0, 0.0)
            yield PartRow(method, seed, part, name, float(score), float(choice), float(validation), bad, seconds, key)


def digest_text(*parts: Any) -> str:
    """The first 16 hexadecimal digits of a hash of arrays and of anything that has a repr."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()[:16]
