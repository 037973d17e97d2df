"""Pretraining: one plain loop over packed batches, that can be stopped at any step and gone on with."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from graphcl._vocabulary import check_same_vocabulary
from graphcl.data import PackedDataset
from graphcl.errors import RunError
from graphcl.methods import Method
from graphcl.train._state import State
from graphcl.train.ahead import losses_ahead
from graphcl.train.run import RunFolder

__all__ = ["History", "check_graphs", "fit"]


@dataclass
class History:
    """What a run did.

    Attributes:
        epochs: One row per epoch: ``epoch``, ``loss`` (mean over graphs), ``graphs_per_s``, ``seconds``.
        interrupted: Whether a signal ended it before its time.
        left_out: Graphs that formed a last batch of one and had nothing to be contrasted with, in each epoch.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    left_out: int = 0


def fit(
    method: Method,
    dataset: Any,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    lr: float = 0.01,
    weight_decay: float = 0.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
    folder: RunFolder | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 15.0,
    progress: bool | None = None,
) -> History:
    """Pretrain ``method`` on a set of graphs with Adam.

    The order of the graphs is a function of (seed, epoch), the views one of (method.seed, step): a run that is stopped
    and resumed ends with the same weights, bit for bit, as one that was not (same device and thread count). The first
    Ctrl-C, or a termination signal, ends the current step, writes a checkpoint and returns; the second one interrupts.

    Args:
        method: What is trained; it is moved to ``device``.
        dataset: A data set or list of graphs, or a :class:`graphcl.data.PackedDataset` made with ``graph_id=True``.
        epochs: Passes over the graphs.
        batch_size: Graphs per step; a last batch of one graph is left out, as it has no negatives.
        lr: Adam's learning rate.
        weight_decay: Adam's L2 penalty.
        seed: The seed of the order of the graphs and of dropout.
        device: Where to train.
        folder: Where metrics and checkpoints go; ``None`` writes nothing.
        resume: Go on from the folder's checkpoint.
        checkpoint_seconds: A checkpoint is written at the end of an epoch once this time has passed, and at the end.
        progress: A progress bar; ``None`` shows it on a terminal only.

    Returns:
        A :class:`History`.

    Raises:
        ValueError: Fewer than two graphs, no features, features that are not finite, or an argument out of range.
        CheckpointError: The checkpoint is damaged or of another run.
        RunError: The loss became infinite or NaN, or a file could not be written.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> dataset = load("synthetic-molecules")
        >>> method = GraphCL(GraphEncoder(GIN(dataset.num_features)))
        >>> len(fit(method, dataset[:64], epochs=1, batch_size=32).epochs)
        1
    """
    _check(epochs=epochs, batch_size=batch_size, lr=lr)
    packed = dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset, graph_id=True)
    check_same_vocabulary(dataset=packed, method=method)
    packed = packed.to(device)
    history = History(left_out=1 if len(packed) % batch_size == 1 else 0)
    check_graphs(packed, batch_size)
    method = method.to(device)
    optimizer = torch.optim.Adam(method.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    settings = {"seed": seed, "batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "graphs": len(packed)}
    state = State(method, optimizer, settings)
    if resume:
        if folder is None:
            raise ValueError("expected a folder to resume from, got none")
        state.load(folder)
        folder.keep_metrics(state.epoch)
        history.epochs = list(folder.read_metrics())
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    # Dropout in a user's network draws from torch's default generators: seeded here, given back untouched.
    with (
        torch.random.fork_rng(devices=cuda),
        _stop_signal() as stopped,
        _bar(packed, batch_size, epochs, state, progress) as bar,
    ):
        if state.random is None:
            torch.manual_seed(seed)
        else:
            torch.set_rng_state(state.random)
        method.train()
        saved = time.monotonic()
        steps = losses_ahead(method, packed, _schedule(packed, batch_size, seed, epochs, state.epoch, state.batch))
        while state.epoch < epochs and not stopped():
            if not _epoch(state, packed, batch_size, seed, steps, stopped, bar, folder):
                break
            state.epoch, state.batch = state.epoch + 1, 0
            row = {"epoch": state.epoch, **state.summary()}
            history.epochs.append(row)
            if folder is not None:
                folder.append_metrics(row)
                if time.monotonic() - saved > checkpoint_seconds and state.epoch < epochs:
                    state.save(folder)
                    saved = time.monotonic()
        history.interrupted = state.epoch < epochs
        if folder is not None:
            state.save(folder)
    if folder is not None and not history.interrupted:
        folder.save_weights(method)
    return history


def _schedule(
    packed: PackedDataset, batch_size: int, seed: int, epochs: int, epoch: int, batch: int
) -> Iterator[torch.Tensor]:
    """The graphs of each step that is left, from a batch of an epoch on."""
    for number in range(epoch, epochs):
        batches = _batches(packed, batch_size, seed, number)
        yield from (index for index in batches[batch if number == epoch else 0 :] if index.numel() > 1)


def _batches(packed: PackedDataset, batch_size: int, seed: int, epoch: int) -> tuple[torch.Tensor, ...]:
    order: torch.Tensor = packed.loader(batch_size, shuffle=True, seed=seed, epoch=epoch).order
    return order.split(batch_size)


def _epoch(
    state: State,
    packed: PackedDataset,
    batch_size: int,
    seed: int,
    steps: Iterator[tuple[torch.Tensor, Callable[[], torch.Tensor]]],
    stopped: Callable[[], bool],
    bar: Any,
    folder: RunFolder | None,
) -> bool:
    """The rest of one epoch; false if it was stopped on the way."""
    for index in _batches(packed, batch_size, seed, state.epoch)[state.batch :]:
        if stopped():
            return False
        if index.numel() > 1:
            start = time.perf_counter()
            loss = _step(state.method, state.optimizer, next(steps)[1])
            if not math.isfinite(loss):
                raise RunError(_non_finite(loss, state, index, folder))
            state.note(loss, index.numel(), time.perf_counter() - start)
        state.batch += 1
        bar.update(1)
        bar.set_postfix(state.postfix(), refresh=False)
    return True


def _step(method: Method, optimizer: torch.optim.Optimizer, loss_of_step: Callable[[], torch.Tensor]) -> float:
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of_step()
    loss.backward()
    optimizer.step()
    method.after_step()
    return float(loss.detach())


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Turns the first interrupt or termination into a question that the loop asks between steps."""
    asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    try:
        yield lambda: asked
    finally:
        restore()


def _bar(packed: PackedDataset, batch_size: int, epochs: int, state: State, progress: bool | None) -> Any:
    from tqdm import tqdm

    steps = -(-len(packed) // batch_size)
    disable = None if progress is None else not progress
    return tqdm(total=epochs * steps, initial=state.epoch * steps + state.batch, unit="step", disable=disable)


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"expected {name} above 0, got {value}")


def check_graphs(packed: PackedDataset, batch_size: int) -> None:
    """Refuse what cannot be trained on: fewer than two graphs in a batch, no features, features that are not finite."""
    if len(packed) < 2 or batch_size < 2:
        raise ValueError(
            f"expected at least 2 graphs in a batch to contrast, got {min(len(packed), batch_size)}: the other graphs "
            "of the batch are the negatives. Use a set of several graphs and a larger batch_size; for one large graph, "
            "a node-level method"
        )
    x = packed.batch([0, 1])._store.get("x")
    if x is None:
        raise ValueError("expected node features x, got none; load the set with features='constant' or 'degree'")
    for index in torch.arange(len(packed)).split(4096):
        bad = ~torch.isfinite(packed.batch(index).x.float())
        if bool(bad.any()):
            raise ValueError(
                f"expected finite node features, got {int(bad.sum())} NaN or infinite values in x; "
                "replace them before training (torch.nan_to_num, or drop the column)"
            )


def _non_finite(loss: float, state: State, index: torch.Tensor, folder: RunFolder | None) -> str:
    shown = ", ".join(map(str, index[:8].tolist())) + (", ..." if index.numel() > 8 else "")
    last = folder.checkpoint_file if folder is not None and folder.checkpoint_file.is_file() else "none was written"
    return (
        f"the loss became {loss} in epoch {state.epoch + 1}, batch {state.batch + 1} (graphs {shown}). Last good "
        f"checkpoint: {last}. Try a smaller learning rate, or look at these graphs' features"
    )
