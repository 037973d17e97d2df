"""Pretraining: one plain loop over steps, that can be stopped at any of them and gone on with."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from graphcl._arguments import plain
from graphcl._vocabulary import check_same_vocabulary
from graphcl.distributed import rank, world
from graphcl.errors import RunError
from graphcl.methods import Method
from graphcl.train._around import progress_bar, seeded, stop_signal
from graphcl.train._looking import look_on
from graphcl.train._options import check_options, check_positive
from graphcl.train._sources import source_of
from graphcl.train._state import State, made_of
from graphcl.train._step import Source, Step
from graphcl.train._update import Update
from graphcl.train.callbacks import Callback, Moment
from graphcl.train.device import pick_device
from graphcl.train.ranks import any_rank, check_alike, check_opened, first_says, on_first, share_weights
from graphcl.train.run import RunFolder
from graphcl.train.schedule import rate_at

__all__ = ["History", "fit"]


@dataclass
class History:
    """The record of a training run.

    Attributes:
        epochs: One row per epoch: ``epoch``, ``loss`` (mean over graphs or nodes), ``graphs_per_s`` or ``nodes_per_s``,
            ``seconds``; and what callbacks add.
        interrupted: Whether a signal ended it before its time.
        left_out: Graphs, or seeds of a loader, that formed a last batch of one and had nothing to be contrasted with,
            in each epoch.
        best_epoch: The epoch whose weights the method has, where ``patience`` chose it.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    left_out: int = 0
    best_epoch: int | None = None


def fit(
    method: Method,
    dataset: Any,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    lr: float = 0.01,
    weight_decay: float = 0.0,
    optimizer: Literal["adam", "adamw"] = "adam",
    schedule: Literal["constant", "cosine"] = "constant",
    warmup: int = 0,
    clip: float | None = None,
    accumulate: int = 1,
    precision: Literal["fp32", "bf16"] = "fp32",
    patience: int | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    folder: RunFolder | Path | str | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 15.0,
    progress: bool | None = None,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Pretrain ``method`` on a set of graphs, on one graph, or on the batches of a loader.

    Where ``torchrun`` has started several processes and they have opened their process group, all of them call this,
    and the run is that of one process with the same settings, up to rounding: each rank makes the views of its part of
    every batch and encodes them, and the loss runs over the graphs of all. Dropout and a norm in a network of your own
    see the rank's part only, and the first rank's statistics are kept; a loader's graphs need a ``graph_id`` to have
    the views of one process. The first rank writes the folder and calls the callbacks; all end with the same weights.

    The order of the graphs is a function of (seed, epoch), the views one of (method.seed, step): a run that is stopped
    and resumed ends with the same weights, bit for bit, as one that was not (same device and thread count). So does one
    whose set makes its graphs anew at every access, if it draws from torch's generator; what it draws from NumPy's or
    Python's is its own affair. The first
    Ctrl-C, or a termination signal, ends the current step, writes a checkpoint and returns; in one process the second
    one interrupts.

    Args:
        method: What is trained; it is moved to ``device``.
        dataset: A data set or list of graphs, or a :class:`graphcl.data.PackedDataset` made with ``graph_id=True``; for
            a method that contrasts nodes one graph as well, or a loader with a length such as PyG's ``NodeLoader``.
        epochs: Passes over the data; on one graph steps.
        batch_size: Graphs per step, on all ranks together; a last batch of one graph is left out where it would have no
            negatives, and one of fewer graphs than ranks. A loader has its own, and one graph none: theirs counts.
        lr: The learning rate.
        weight_decay: Adam's L2 penalty, or AdamW's decay.
        optimizer: ``"adam"`` or ``"adamw"``.
        schedule: ``"constant"``, or ``"cosine"`` from ``lr`` down to 0 at the end; see :func:`rate_at`.
        warmup: Epochs in which the learning rate rises to ``lr``.
        clip: The largest norm that the gradient of all parameters together may have.
        accumulate: Batches whose mean gradient makes one step, where a large step does not fit into memory; the last
            step of an epoch takes those that are left. A batch is still contrasted with itself alone, so that this is
            not the loss of one larger batch, and what follows the weights (``after_step``: slow copies, queues) does so
            once for each step.
        precision: ``"bf16"`` takes the step under autocast.
        patience: Stop after so many epochs without a lower loss, and go back to the weights after the epoch of the
            lowest. The loss needs no labels, so that this is no peeking.
        seed: The seed of the order of the graphs and of dropout.
        device: Where to train. A graph of yours stays where it is; ``method.embed(graph.to(device))`` needs it there.
        folder: Where metrics and checkpoints go, a :class:`RunFolder` or a path, made if it is not there; ``None``
            writes nothing.
        resume: Go on from the folder's checkpoint; the method is to be made as it was there.
        checkpoint_seconds: A checkpoint is written at the end of an epoch once this time has passed, and at the end.
        progress: A progress bar; ``None`` shows it on a terminal only.
        callbacks: Each is called with (:class:`Moment`, method) at the end of every epoch; what it returns, if
            anything, is added to the epoch's row. :class:`graphcl.evaluate.Diagnostics` is one.

    Returns:
        A :class:`History`.

    Raises:
        ValueError: Too few graphs or nodes, no features, features that are not finite, or an argument out of range; of
            several ranks, one graph, or ranks whose arguments or parts of the data do not fit together.
        TypeError: ``method`` is none; ``dataset`` is none of these, or a loader without a length; ``folder`` is no
            path; ``callbacks`` is a single one.
        NotImplementedError: There are several ranks, and the loss of a method of your own does not say that it runs
            over the graphs of all (:class:`graphcl.methods.Method`).
        ConfigError: This machine has no such ``device``.
        CheckpointError: The checkpoint is damaged or of another run.
        RunError: The loss or a weight became infinite or NaN, a file could not be written, or the folder holds another
            run.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> dataset = load("synthetic-molecules")
        >>> method = GraphCL(GraphEncoder(GIN(dataset.num_features)))
        >>> len(fit(method, dataset[:64], epochs=1, batch_size=32).epochs)
        1
    """
    _check_method(method)
    check_opened()
    epochs, batch_size, lr, weight_decay = map(plain, (epochs, batch_size, lr, weight_decay))
    warmup, clip, patience, seed, accumulate = map(plain, (warmup, clip, patience, seed, accumulate))
    check_positive(epochs=epochs, batch_size=batch_size, lr=lr, accumulate=accumulate)
    check_options(
        optimizer=optimizer, schedule=schedule, precision=precision, warmup=warmup, clip=clip, patience=patience,
        weight_decay=weight_decay,
    )  # fmt: skip
    if not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
        raise TypeError(f"expected seed to be a whole number of 64 bits, got {seed!r}")
    checkpoint_seconds = plain(checkpoint_seconds)
    if not isinstance(checkpoint_seconds, int | float):
        raise TypeError(f"expected checkpoint_seconds to be a number, got {checkpoint_seconds!r}; math.inf is never")
    if isinstance(folder, Path | str):
        folder = RunFolder(folder)
    elif not isinstance(folder, RunFolder | None):
        raise TypeError(f"expected folder to be a RunFolder or a path, got {type(folder).__name__}")
    if callable(callbacks):
        raise TypeError(f"expected callbacks as a list, got {callbacks!r}; write callbacks=[...] around it")
    device = pick_device(str(device))
    source = source_of(dataset, type(method), batch_size, device)
    check_same_vocabulary(dataset=source, method=method)
    if source.first is not None:
        method.check_needs(source.first)
    history = History(left_out=source.left_out)
    method = method.to(device)
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("expected weights to train, got none that requires a gradient: method.requires_grad_(True)")
    kind = torch.optim.AdamW if optimizer == "adamw" else torch.optim.Adam
    optim = kind(trained, lr=lr, weight_decay=weight_decay, fused=True)
    settings: dict[str, Any] = {"seed": seed, "size": source.size, "batch_size": batch_size, "optimizer": optimizer}
    settings |= {"lr": lr, "weight_decay": weight_decay, "schedule": schedule, "warmup": warmup, "clip": clip}
    settings |= {"precision": precision, "patience": patience, "length": epochs if schedule != "constant" else None}
    settings |= {"ranks": world(), "accumulate": accumulate}
    if world() > 1:
        told = {"epochs": epochs, "folder": folder and str(folder.path), "resume": resume, "steps": source.steps}
        check_alike({**settings, **told, "dataset": source.content(), **_identity(method)}, device)
    state = State(method, optim, settings, None if folder is None else source.content())
    if resume and folder is None:
        raise ValueError("expected a folder to resume from, got none")
    if folder is not None and not resume:
        on_first(folder.begin, device)
    with ExitStack() as held:
        if folder is not None:
            on_first(lambda: held.enter_context(folder.alone()), device)
        if resume and folder is not None:
            state.load(folder)
            if state.epoch > epochs:
                raise ValueError(
                    f"expected at least the {state.epoch} epochs that the run of {folder.path} has already, "
                    f"got {epochs}"
                )
            on_first(lambda: folder.keep_metrics(state.epoch), device)
            history.epochs = list(folder.read_metrics())
        share_weights(method)

        update = Update(method, optim, device=device, precision=precision, clip=clip)

        def take(loss_of: Callable[[], Tensor] | None) -> float | None:
            """The loss of a batch that is not left out; at the end of an update the optimiser steps."""
            rate = rate_at(state.epoch + state.batch / source.steps, epochs, schedule=schedule, warmup=warmup)
            loss = None if loss_of is None else first_says(float(update.add(loss_of, lr * rate)), device)
            done = (state.batch + 1) % accumulate == 0 or state.batch + 1 == source.steps
            if done and (loss is None or math.isfinite(loss)):  # else the weights stay as they are
                update.take()
            return loss

        def look(row: dict[str, float], made: Mapping[str, Any]) -> None:
            moment = Moment(state.epoch, source.steps, state.epoch == epochs, row)
            row |= look_on(callbacks, moment, method, made=made, trained=trained)

        def keep() -> None:
            """A checkpoint, of weights that can be gone on with."""
            if not all(bool(parameter.isfinite().all()) for parameter in trained):
                raise RunError(_broken(state, folder))
            if folder is not None:
                state.save(folder)

        def has_waited() -> bool:
            return patience is not None and state.waited() >= patience

        if folder is not None and state.epoch < epochs and not has_waited():
            on_first(folder.go_on, device)
        progress = progress if rank() == 0 else False
        with seeded(state, seed, device), stop_signal() as asked, progress_bar(source, epochs, state, progress) as bar:

            def stopped() -> bool:
                # Between two updates: gradients that wait for others are in no checkpoint.
                return state.batch % accumulate == 0 and any_rank(asked(), device)

            method.train()
            saved = time.monotonic()
            steps = source.steps_from(method, seed, range(state.epoch, epochs), state.batch)
            while state.epoch < epochs and not has_waited() and not stopped():
                if not _epoch(state, source, steps, take, stopped, bar, folder):
                    break
                state.epoch, state.batch = state.epoch + 1, 0
                row = {"epoch": state.epoch, **state.summary(source.unit)}
                made = made_of(method) if callbacks and source.looks_ahead else {}
                on_first(lambda row=row, made=made: look(row, made), device)  # type: ignore[misc]
                if made and made_of(method) != made:  # by a callback: what was made ahead is not what it makes now
                    steps = source.steps_from(method, seed, range(state.epoch, epochs), 0)
                history.epochs.append(row)
                if patience is not None:
                    state.keep_best(first_says(row["loss"], device))  # a callback may have put a loss of its own there
                if folder is not None:
                    on_first(lambda row=row: folder.append_metrics(row), device)  # type: ignore[misc]
                    if first_says(time.monotonic() - saved, device) > checkpoint_seconds and state.epoch < epochs:
                        keep()
                        saved = time.monotonic()
            history.interrupted = state.epoch < epochs and not has_waited()
            history.left_out = source.left_out
            keep()
        if state.best is not None and not history.interrupted:
            state.restore_best()
            history.best_epoch = state.best["epoch"]
        if folder is not None and not history.interrupted:
            on_first(lambda: folder.save_weights(method), device)
        return history


def _check_method(method: object) -> None:
    """Refuse what is no method, and of several ranks a method whose loss may look at one rank's graphs alone."""
    if not isinstance(method, Method):
        wrapped = getattr(method, "_orig_mod", None) or getattr(method, "module", None)
        if isinstance(wrapped, Method):
            raise TypeError(
                f"expected the method itself, got it inside a {type(method).__name__}; compile the network: "
                "GraphEncoder(torch.compile(network)); for several devices start fit with torchrun"
            )
        raise TypeError(
            f"expected a method out of graphcl.methods, got {type(method).__name__}; an encoder becomes one: "
            "GraphCL(GraphEncoder(network))"
        )
    if world() > 1 and not method.joins_ranks:
        raise NotImplementedError(
            f"expected a method whose loss runs over the graphs of all ranks, got {type(method).__name__}, which does "
            "not say so; if it compares graphcl.distributed.joined_rows(...) alone, set its joins_ranks = True"
        )


def _identity(method: Method) -> dict[str, Any]:
    """What must be the same of the method on all ranks."""
    weights = [(name, [*weight.shape], weight.requires_grad) for name, weight in method.named_parameters()]
    found = {"method": type(method).__name__, "method.seed": method.seed, "the method's weights": weights}
    return {**found, "the method's settings": made_of(method)}


def _epoch(
    state: State,
    source: Source,
    steps: Iterator[Step],
    take: Callable[[Callable[[], Tensor] | None], float | None],
    stopped: Callable[[], bool],
    bar: Any,
    folder: RunFolder | None,
) -> bool:
    """The rest of one epoch; false if it was stopped on the way."""
    while state.batch < source.steps:
        if stopped():
            return False
        start = time.perf_counter()
        step = next(steps)
        loss = take(step.loss)
        if loss is not None:
            if not math.isfinite(loss):
                raise RunError(_non_finite(loss, state, source, step, folder))
            state.note(loss, step.size, time.perf_counter() - start)
        state.batch += 1
        bar.update(1)
        bar.set_postfix(state.postfix(source.unit), refresh=False)
    return True


def _non_finite(loss: float, state: State, source: Source, step: Step, folder: RunFolder | None) -> str:
    number = state.epoch * source.steps + state.batch + 1
    return (
        f"the loss became {loss} in epoch {state.epoch + 1}, batch {state.batch + 1} ({step.what}), step {number} of "
        f"the run. Last good checkpoint: {_last(folder)}. Try a smaller learning rate, or look at these graphs' "
        "features and edge weights"
    )


def _broken(state: State, folder: RunFolder | None) -> str:
    return (
        f"weights became infinite or NaN in epoch {state.epoch + (state.batch > 0)}, though no loss did: a step too "
        f"long, or a gradient that is no number. Last good checkpoint: {_last(folder)}. Try a smaller learning rate"
    )


def _last(folder: RunFolder | None) -> Path | str:
    return folder.checkpoint_file if folder is not None and folder.checkpoint_file.is_file() else "none was written"
