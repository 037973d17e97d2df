"""The blocks that a run goes through its steps in: torch is seeded, signals are noted, a bar shows how far it is."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from graphcl._random import torch_seeded
from graphcl.distributed import rank, world
from graphcl.train._source import Source
from graphcl.train._state import State

__all__ = ["progress_bar", "seeded", "stop_signal"]


@contextmanager
def seeded(state: State, seed: int, device: torch.device) -> Iterator[None]:
    """Dropout in a user's network draws from torch's default generators: seeded here, given back untouched."""
    ours = seed if rank() == 0 else (seed + rank() * 0x9E3779B1) % 2**63  # ranks do not drop alike
    with torch_seeded(ours, device):
        if state.random is not None:
            torch.set_rng_state(state.random)
            if state.random_cuda is not None and device.type == "cuda":
                torch.cuda.set_rng_state(state.random_cuda, device)
        yield


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Turns the first interrupt or termination into a question that the loop asks between steps.

    A signal that the process was told to ignore, as shells tell what runs in the background of a script, stays ignored.
    """
    asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        if world() == 1:  # torchrun, too, passes on what its terminal has sent already, and kills in the end
            restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: not Python's, and not to be put back
                previous[number] = signal.signal(number, note)
    try:
        yield lambda: asked
    finally:
        restore()


def progress_bar(source: Source, epochs: int, state: State, progress: bool | None) -> Any:
    """The bar of the first rank; others show none."""
    from tqdm import tqdm

    disable = True if rank() > 0 else None if progress is None else not progress
    done = state.epoch * source.steps + state.batch
    return tqdm(total=epochs * source.steps, initial=done, unit="step", disable=disable)
