"""Processes that load for a run: new ones for every epoch, which leave signals to the process that trains."""

import copy
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from torch.utils.data import DataLoader

__all__ = ["started", "with_new_workers"]

STOPS = signal.SIGINT, signal.SIGTERM
OBEDIENT = sys.platform == "linux"  # elsewhere no process is told who has sent a signal


def with_new_workers(loader: Any) -> Any:
    """The loader, or where it has workers a copy that starts its own, as no checkpoint could hold their state.

    They end by a signal only if it comes from the process that trains. What a terminal or a scheduler sends to all
    processes stops the run between two steps, and until then it needs its batches.
    """
    if not (isinstance(loader, DataLoader) and loader.num_workers):
        return loader
    copied = copy.copy(loader)
    copied._iterator = None
    copied.worker_init_fn = _Obedient(loader.worker_init_fn) if OBEDIENT else loader.worker_init_fn
    return copied


def started(loader: Any) -> Iterator[Any]:
    """``iter(loader)``, whose workers, if it starts any, have no moment in which another's signal ends them."""
    if not (OBEDIENT and isinstance(loader, DataLoader) and loader.num_workers):
        return iter(loader)
    with _blocked():  # processes inherit it
        return iter(loader)


@contextmanager
def _blocked() -> Iterator[None]:
    resource_tracker.ensure_running()  # its start would end the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Obedient:
    """A worker's start, and the user's; a class, since some workers get it pickled."""

    def __init__(self, then: Callable[[int], None] | None) -> None:
        self.then = then

    def __call__(self, worker: int) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and threading.current_thread() is threading.main_thread():
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            threading.Thread(target=_obey, args=(parent.pid,), daemon=True).start()
        if self.then is not None:
            self.then(worker)


def _obey(parent: int | None) -> None:
    """End this process by the first signal that ``parent`` sends, as torch and Python do where a worker will not."""
    while signal.sigwaitinfo(STOPS).si_pid != parent:
        pass
    os._exit(0)
