"""Pretraining: one plain loop over batches, that can be stopped between any two steps and gone on with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from graphcl._vocabulary import check_same_vocabulary
from graphcl.methods import Method
from graphcl.train._checks import check_method
from graphcl.train._settings import Settings
from graphcl.train._sources import source_of
from graphcl.train._training import History, Training
from graphcl.train.callbacks import Callback
from graphcl.train.device import pick_device
from graphcl.train.ranks import check_opened
from graphcl.train.run import RunFolder

__all__ = ["History", "fit"]


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
    whose set makes its graphs anew at every access, if it draws from torch's generator; draws from NumPy or Python are
    not reproduced. The first Ctrl-C, or a termination signal, ends the current step, writes a checkpoint and returns;
    in one process the second one interrupts.

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
    check_method(method)
    check_opened()
    settings = Settings(
        epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=weight_decay, optimizer=optimizer, schedule=schedule,
        warmup=warmup, clip=clip, accumulate=accumulate, precision=precision, patience=patience, seed=seed,
        checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip
    if isinstance(folder, Path | str):
        folder = RunFolder(folder)
    elif not isinstance(folder, RunFolder | None):
        raise TypeError(f"expected folder to be a RunFolder or a path, got {type(folder).__name__}")
    if callable(callbacks):
        raise TypeError(f"expected callbacks as a list, got {callbacks!r}; write callbacks=[...] around it")
    device = pick_device(str(device))
    source = source_of(dataset, type(method), settings.batch_size, device)
    check_same_vocabulary(dataset=source, method=method)
    if source.first is not None:
        method.check_needs(source.first)

    run = Training(method, source, settings, device=device, folder=folder, callbacks=callbacks)
    with run.opened(resume=resume):
        with run.stepping(progress=progress):
            while run.goes_on():
                run.take_batch()
                if run.ends_epoch():
                    run.end_epoch()
            run.save()
        return run.finish()
