"""A run of training, piece by piece: what the loop in :mod:`graphcl.train.loop` is made of."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from graphcl.distributed import world
from graphcl.errors import RunError
from graphcl.methods import Method
from graphcl.train._contexts import progress_bar, seeded, stop_signal
from graphcl.train._settings import Settings
from graphcl.train._source import Source, Step
from graphcl.train._state import State, made_of
from graphcl.train._update import Update
from graphcl.train.callbacks import Callback, Moment, look_on
from graphcl.train.ranks import any_rank, check_alike, first_says, on_first, share_weights
from graphcl.train.run import RunFolder

__all__ = ["History", "Training"]


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


class Training:
    """A run under way.

    Args:
        method: What is trained; it is moved to ``device``.
        source: The steps.
        settings: Of the run.
        device: Where to train.
        folder: Where metrics and checkpoints go, if anywhere.
        callbacks: Called at the end of every epoch.
    """

    steps: Iterator[Step]
    asked: Callable[[], bool]
    bar: Any
    saved: float

    def __init__(
        self,
        method: Method,
        source: Source,
        settings: Settings,
        *,
        device: torch.device,
        folder: RunFolder | None,
        callbacks: Sequence[Callback],
    ) -> None:
        self.method, self.source, self.settings, self.device = method.to(device), source, settings, device
        self.folder, self.callbacks = folder, callbacks
        self.update = Update(self.method, settings, device)
        content = None if folder is None else source.content()
        self.state = State(self.method, self.update.optimizer, settings.kept(source.size), content)
        self.rows: list[dict[str, float]] = []

    @contextmanager
    def opened(self, *, resume: bool) -> Iterator[None]:
        """The block in which the folder is this run's alone; a run that is resumed is where it was stopped."""
        self._check_alike(resume)
        with ExitStack() as held:
            if self.folder is not None:
                if not resume:
                    on_first(self.folder.begin, self.device)
                on_first(partial(held.enter_context, self.folder.alone()), self.device)
                if resume:
                    self._resume_from(self.folder)
            elif resume:
                raise ValueError("expected a folder to resume from, got none")
            share_weights(self.method)
            if self.folder is not None and not self.is_over():
                on_first(self.folder.go_on, self.device)
            yield

    @contextmanager
    def stepping(self, *, progress: bool | None) -> Iterator[None]:
        """The block of the steps: torch is seeded, the first signal is only noted, a bar shows how far the run is."""
        source, state, settings = self.source, self.state, self.settings
        with (
            seeded(state, settings.seed, self.device),
            stop_signal() as self.asked,
            progress_bar(source, settings.epochs, state, progress) as self.bar,
        ):
            self.method.train()
            self.saved = time.monotonic()
            self.steps = self._steps_left()
            yield

    def goes_on(self) -> bool:
        """Whether there is a batch to take: the run is not over, and nobody has asked it to stop."""
        if self.is_over():
            return False
        # Between two updates: gradients that wait for others are in no checkpoint.
        between = self.state.batch % self.settings.accumulate == 0
        return not (between and any_rank(self.asked(), self.device))

    def is_over(self) -> bool:
        """Whether all epochs are done, or too many have passed without a lower loss."""
        patience = self.settings.patience
        return self.state.epoch >= self.settings.epochs or (patience is not None and self.state.waited() >= patience)

    def take_batch(self) -> None:
        """Add the gradient of the next batch, and with the last batch of an update step by it."""
        start, state = time.perf_counter(), self.state
        step = next(self.steps)
        loss = self._add(step)
        state.batch += 1
        if state.batch % self.settings.accumulate == 0 or self.ends_epoch():
            self.update.take()
        if loss is not None:
            state.note(loss, step.size, time.perf_counter() - start)
        self.bar.update(1)
        self.bar.set_postfix(state.postfix(self.source.unit), refresh=False)

    def ends_epoch(self) -> bool:
        """Whether the batch before was the last of its epoch."""
        return self.state.batch == self.source.steps

    def end_epoch(self) -> None:
        """Let the callbacks look on, keep the row, and write a checkpoint if the last one is old."""
        row = self.state.end_epoch(self.source.unit)
        self._call_back(row)
        self.rows.append(row)
        if self.settings.patience is not None:
            # A callback, which the first rank alone calls, may have put a loss of its own there.
            self.state.keep_best(first_says(row["loss"], self.device))
        if self.folder is not None:
            on_first(partial(self.folder.append_metrics, row), self.device)
            old = first_says(time.monotonic() - self.saved, self.device) > self.settings.checkpoint_seconds
            if old and self.state.epoch < self.settings.epochs:
                self.save()

    def save(self) -> None:
        """Write a checkpoint, if there is a folder; of weights that cannot be gone on with there is none.

        Raises:
            RunError: The weights are infinite or NaN, or the file cannot be written.
        """
        if not all(bool(weight.isfinite().all()) for weight in self.update.weights):
            raise RunError(
                f"weights became infinite or NaN in epoch {self.state.epoch + (self.state.batch > 0)}, though no loss "
                "did: a step too long, or a gradient that is no number. Last good checkpoint: "
                f"{self._last_checkpoint()}. Try a smaller learning rate"
            )
        if self.folder is not None:
            self.state.save(self.folder)
        self.saved = time.monotonic()

    def finish(self) -> History:
        """The record of the run; unless it was stopped its weights are chosen, and written."""
        history = History(self.rows, interrupted=not self.is_over(), left_out=self.source.left_out)
        if history.interrupted:
            return history
        if self.state.best is not None:
            self.state.restore_best()
            history.best_epoch = self.state.best["epoch"]
        if self.folder is not None:
            on_first(partial(self.folder.save_weights, self.method), self.device)
        return history

    def _check_alike(self, resume: bool) -> None:
        """Refuse ranks that would train otherwise than the others."""
        if world() == 1:
            return
        method = self.method
        weights = [(name, [*weight.shape], weight.requires_grad) for name, weight in method.named_parameters()]
        told = dict(self.state.settings)
        told |= {"epochs": self.settings.epochs, "folder": self.folder and str(self.folder.path), "resume": resume}
        told |= {"steps": self.source.steps, "dataset": self.source.content(), "method": type(method).__name__}
        told |= {"method.seed": method.seed, "the method's weights": weights, "the method's settings": self.state.made}
        check_alike(told, self.device)

    def _resume_from(self, folder: RunFolder) -> None:
        self.state.load(folder)
        if self.state.epoch > self.settings.epochs:
            raise ValueError(
                f"expected at least the {self.state.epoch} epochs that the run of {folder.path} has already, "
                f"got {self.settings.epochs}"
            )
        on_first(partial(folder.keep_metrics, self.state.epoch), self.device)
        self.rows = folder.read_metrics()

    def _steps_left(self) -> Iterator[Step]:
        epochs = range(self.state.epoch, self.settings.epochs)
        return self.source.steps_from(self.method, self.settings.seed, epochs, self.state.batch)

    def _add(self, step: Step) -> float | None:
        """The loss of a batch that is not left out; its gradient is added.

        Raises:
            RunError: It is not finite; the weights stay as they were.
        """
        if step.loss is None:
            return None
        lr = self.settings.lr_at(self.state.epoch + self.state.batch / self.source.steps)
        loss = first_says(float(self.update.add(step.loss, lr)), self.device)
        if not math.isfinite(loss):
            state, number = self.state, self.state.epoch * self.source.steps + self.state.batch + 1
            raise RunError(
                f"the loss became {loss} in epoch {state.epoch + 1}, batch {state.batch + 1} ({step.what}), step "
                f"{number} of the run. Last good checkpoint: {self._last_checkpoint()}. Try a smaller learning rate, "
                "or look at these graphs' features and edge weights"
            )
        return loss

    def _call_back(self, row: dict[str, float]) -> None:
        """Let the callbacks look on, and add to the epoch's row of the first rank."""
        made = made_of(self.method) if self.callbacks and self.source.looks_ahead else {}
        moment = Moment(self.state.epoch, self.source.steps, self.state.epoch == self.settings.epochs, row)

        def look() -> None:
            row.update(look_on(self.callbacks, moment, self.method, made=made, trained=self.update.weights))

        on_first(look, self.device)
        if made and made_of(self.method) != made:  # by a callback: what was made ahead is not what it makes now
            self.steps = self._steps_left()

    def _last_checkpoint(self) -> Path | str:
        return (
            self.folder.checkpoint_file if self.folder and self.folder.checkpoint_file.is_file() else "none was written"
        )
