"""Training for ``graphcl bench``: the embeddings by a method with several seeds, made once and then kept."""

import functools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from graphcl._recipes import recipe
from graphcl._resolve import make_method

__all__ = ["OF_FIT", "Training", "train_all"]

OF_FIT = (
    *("epochs", "batch_size", "lr", "weight_decay", "optimizer", "schedule", "warmup", "clip", "precision"),
    "patience",
)


@dataclass(frozen=True)
class Training:
    """A method with its settings on a data set, whatever the seed.

    Attributes:
        dataset: The name of the data set.
        root: The data folder.
        settings: All settings of the method, as :func:`graphcl._recipes.settings_for` gives them.
        device: Where to train.
        cache: The folder in which embeddings are kept.
    """

    dataset: str
    root: str | None
    settings: Mapping[str, Any]
    device: str
    cache: Path

    @property
    def name(self) -> str:
        """What tables call the method."""
        return recipe(self.settings["method"]).name

    @property
    def data(self) -> Any:
        """What is trained on: one graph, or a packed set of several."""
        return _load(self.dataset, self.root, self.settings["features"], self.device)

    def method(self, seed: int) -> Any:
        """The method as training begins with it."""
        from graphcl.data import PackedDataset

        data = self.data
        graphs = len(data) if isinstance(data, PackedDataset) else 1
        steps = self.settings["epochs"] * -(-graphs // self.settings["batch_size"])
        found = make_method({**self.settings, "seed": seed}, data.num_features, total_steps=steps)
        return found.to(self.device)

    def embeddings(self, seeds: Sequence[int], *, kernel: bool = False) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """The embeddings by the method and by what it has to beat, one array per seed, and the kernel if wanted.

        Args:
            seeds: The seeds of weights, order and views.
            kernel: Whether the Weisfeiler-Lehman kernel of a set of graphs is wanted.
        """
        from graphcl.data import PackedDataset
        from graphcl.evaluate import compared_embeddings, compared_node_embeddings

        shared: dict[str, Any] = {"make": self.method, "trained": {self.name: self._trained}}
        shared |= {"cache": self.cache, "key": self._key}
        if not isinstance(self.data, PackedDataset):
            return compared_node_embeddings(self.data, seeds, **shared), {}
        return compared_embeddings(self.data, seeds, **shared, batch_size=self.settings["batch_size"], kernel=kernel)

    def is_kept(self, seed: int) -> bool:
        """Whether the embeddings of a seed need not be made: those by the trained method come last."""
        from graphcl.evaluate import is_cached

        return is_cached(self.cache, {"key": self._key, "row": self.name, "seed": seed})

    @property
    def _key(self) -> dict[str, Any]:
        """What decides the embeddings besides the row and the seed."""
        import torch

        from graphcl import __version__

        graphs = _digest(self.dataset, self.root, self.settings["features"], self.device)
        named = {"dataset": self.dataset, "graphs": graphs}  # another folder may have others of that name
        return {**self.settings, **named, "version": __version__, "torch": torch.__version__}

    def _trained(self, seed: int) -> Any:
        from graphcl.train import fit

        method = self.method(seed)
        options = {option: self.settings[option] for option in OF_FIT}
        if fit(method, self.data, **options, seed=seed, device=self.device, progress=False).interrupted:
            raise KeyboardInterrupt  # nothing half trained may be kept
        return method


@functools.lru_cache(maxsize=2)  # methods may differ in the features they take
def _load(dataset: str, root: str | None, features: str | None, device: str) -> Any:
    from graphcl.data import PackedDataset, load

    graphs = load(dataset, root=root, features=features)
    return graphs[0].to(device) if len(graphs) == 1 else PackedDataset(graphs, graph_id=True).to(device)


@functools.lru_cache
def _digest(*of: Any) -> str:
    from graphcl.evaluate._keys import digest_of

    return digest_of(_load(*of))


def train_all(trainings: Sequence[Training], seeds: Sequence[int], *, workers: int = 1) -> Iterator[None]:
    """Make all embeddings that are not kept yet; yields as each method and seed is done.

    Several are trained at once, each in a process and with its share of the threads: their weights are those of one
    after the other with as many threads.

    Args:
        trainings: The methods and data sets.
        seeds: The seeds of each.
        workers: How many processes; 1 trains in this one.
    """
    calls = []
    for training in trainings:
        for seed in seeds:
            if training.is_kept(seed):
                yield
            else:
                calls.append((training, seed))
    if min(workers, len(calls)) <= 1:
        for training, seed in calls:
            training.embeddings([seed])
            yield
        return
    for training, _ in calls:
        _ = training.data  # what is made of raw files is made before several look for it
    workers = min(workers, len(calls))
    with _ended_by_signals(), _pool(workers) as pool:
        waiting, running = iter(calls), set[Future[None]]()
        try:
            # No more are handed over than run at once: what a pool has taken on, it finishes.
            while running := running | {pool.submit(_embed, *call) for call in islice(waiting, workers - len(running))}:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
                    yield
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # which ends a training after its step
            raise


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A termination is an interrupt here: dying at once would leave the processes to train for nobody."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pool(workers: int) -> ProcessPoolExecutor:
    import torch

    share = max(1, torch.get_num_threads() // workers)
    begin: Callable[[int], None] = torch.set_num_threads
    # Forking a process that has started threads, as torch has, can hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=begin, initargs=(share,))


def _embed(training: Training, seed: int) -> None:
    training.embeddings([seed])
