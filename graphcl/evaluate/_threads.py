"""Numbered fits that share threads, without the warnings that their scores count."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads", "quiet"]

T = TypeVar("T")


class quiet(warnings.catch_warnings):
    """Silences what probes warn of and scores count: iteration limits, and classes missing from an inner fold."""

    def __enter__(self) -> None:
        from sklearn.exceptions import ConvergenceWarning

        super().__enter__()
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")


def in_threads(score: Callable[[int], T], n_jobs: int) -> Callable[[Sequence[int]], list[T]]:
    """From numbers to their scores, in order."""

    def compute(numbers: Sequence[int]) -> list[T]:
        # The filter is the whole program's, so it is set here, once, and not by each thread around its fits.
        with quiet(), ThreadPoolExecutor(n_jobs) as pool:
            return list(pool.map(score, numbers))

    return compute
