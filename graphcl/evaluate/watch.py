"""Diagnostics of a run while it goes, as a callback of the loop: a fixed batch, embedded now and then."""

import copy
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._random import fold, hash_ids
from graphcl.augment import Compose, FeatureShuffle
from graphcl.evaluate.diagnostics import collapse_of, diagnose, profile
from graphcl.methods import Method, ViewMethod
from graphcl.methods.base import View
from graphcl.nn._modes import evaluating
from graphcl.train.callbacks import Moment

__all__ = ["Diagnostics"]

WATCH = 0x77617463  # the stream of the views: not one that training draws from


class Diagnostics:
    """Looks at a fixed batch every so many steps, off the hot path, and says so when the embeddings collapse.

    The clean batch is embedded by ``method.embed``, as it will be for every use. Positive pairs are two views of the
    batch, made by the method's own views with the same key each time, so that one point of a curve can be compared with
    the next. Methods without two views have no such columns, nor do those one of whose views is a negative (shuffled
    features, as in DGI) or drops nodes where nodes are contrasted.
    Weights, running statistics, modes and random states are left as they are.

    Args:
        data: A batch of at least two graphs, or one graph for a method that contrasts nodes; a copy is on
            the method's device from the first look. A few hundred graphs are enough.
        every: Steps from one look to the next; it happens at the end of the epoch in which they are filled, and at the
            end of the run. A look at 256 graphs costs as much as one to three steps on 128.
        labels: Whether the batch's ``y`` are classes, one for each graph (or node, where nodes are contrasted), for the
            false-negative rate; they are shown and used for nothing else.
        rows: The most rows that are measured; of more nodes a keyed choice.
        seed: Of the views, of the pairs and of that choice.
        say: What is done with the words about a collapse, once a run; a ``RuntimeWarning`` by default.

    Raises:
        ValueError: ``every`` or ``rows`` is too small, or ``y`` are not classes; at the first look, of another number.
        TypeError: ``data`` is neither a graph nor a batch.

    Warns:
        RuntimeWarning: The embeddings have collapsed, with what to try.

    Example:
        >>> from graphcl.data import PackedDataset, load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> from graphcl.train import fit
        >>> graphs = PackedDataset(load("synthetic-molecules")[:64], graph_id=True)
        >>> method = GraphCL(GraphEncoder(GIN(graphs.num_features)))
        >>> watch = Diagnostics(graphs.batch(torch.arange(32)))
        >>> row = fit(method, graphs, epochs=1, batch_size=32, callbacks=[watch]).epochs[-1]
        >>> row["effective_rank"] > 1
        True
    """

    def __init__(
        self,
        data: Data,
        *,
        every: int = 100,
        labels: bool = False,
        rows: int = 1024,
        seed: int = 0,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if not isinstance(data, Data):
            raise TypeError(
                f"expected a Data or Batch to look at, got {type(data).__name__}; make one batch of several graphs: "
                "Batch.from_data_list(graphs[:256])"
            )
        if every < 1 or rows < 2:
            raise ValueError(f"expected every of at least 1 and rows of at least 2, got {every} and {rows}")
        self.data, self.every, self.rows, self.seed = data, every, rows, seed
        self._classes = _classes_of(data) if labels else None
        self._say, self._said = say or _warn, False

    def __call__(self, moment: Moment, method: Method) -> Mapping[str, float]:
        if not moment.is_due(self.every):
            return {}
        row = self.look(method)
        words = collapse_of(row) if row else None
        if words is not None and not self._said:
            self._said = True
            self._say(f"epoch {moment.epoch}: {words}")
        return row

    def look(self, method: Method) -> dict[str, float]:
        """The columns of :func:`graphcl.evaluate.diagnose` for the method as it is now; none if they are not finite."""
        found = self._embeddings(method)
        return {} if found is None else diagnose(found[0], found[1], labels=found[2], seed=self.seed)

    def profile(self, method: Method) -> dict[str, list[float]]:
        """The lists of :func:`graphcl.evaluate.profile` for the method as it is now; none if they are not finite."""
        found = self._embeddings(method)
        return {} if found is None else profile(found[0], found[1], seed=self.seed)

    @torch.no_grad()
    def _embeddings(self, method: Method) -> tuple[Tensor, tuple[Tensor, Tensor] | None, Tensor | None] | None:
        """The embeddings of the rows to look at, those of two views and the classes of these, where there are any."""
        device = method.step.device
        self.data = copy.copy(self.data).to(device)  # PyG moves in place, and the graph is the caller's
        graphs = method.level == "graph"
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            clean = method.embed(self.data)
            z = clean.graph if graphs else clean.node
            views = self._views(method)
        if self._classes is not None and len(self._classes) != len(z):
            raise ValueError(
                f"expected a class y for each of {len(z)} {'graphs' if graphs else 'nodes'} to look at, got "
                f"{len(self._classes)}; mend y, or leave labels=True out"
            )
        choice = self._choice(len(z), z.device)
        if views is not None and any(view.shape != views[0].shape or len(view) != len(z) for view in views):
            views = None
        if not all(bool(torch.isfinite(part).all()) for part in (z, *(views or ()))):
            return None  # the loop stops at a loss that is not finite, with more to say
        labels = None if self._classes is None else self._classes[choice.to(self._classes.device)]
        return z[choice], None if views is None else (views[0][choice], views[1][choice]), labels

    def _views(self, method: Method) -> tuple[Tensor, Tensor] | None:
        """The embeddings of two views, in evaluation mode."""
        if not isinstance(method, ViewMethod) or len(method.views) < 2 or any(map(_corrupts, method.views[:2])):
            return None
        with evaluating(method):
            views = method.views_of(self.data, fold(fold(self.seed, WATCH), 0))[:2]
            if method.level == "node" and any("n_id" in view and "n_id" not in self.data for view in views):
                return None  # nodes were dropped or moved: rows are not pairs
            first, second = method.encode_views(views)
            return (first.graph, second.graph) if method.level == "graph" else (first.node, second.node)

    def _choice(self, count: int, device: torch.device) -> Tensor:
        every = torch.arange(count, device=device)
        if count <= self.rows:
            return every
        return hash_ids(fold(self.seed, WATCH), every).argsort()[: self.rows]


def _classes_of(data: Data) -> Tensor:
    """``[N]`` the classes in ``y``."""
    y = data._store.get("y")
    if not isinstance(y, Tensor) or y.dim() == 0 or y.numel() != len(y):
        got = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"expected one class y for each item with labels=True, got {got}; of several tasks choose one")
    y = y.reshape(-1)
    if bool((torch.isnan(y) | (y < 0)).any()):
        raise ValueError(
            "expected a class y from 0 on for each item with labels=True, got some that are negative or NaN; look at "
            "those that have a class"
        )
    return y


def _corrupts(view: View) -> bool:
    """Whether a view makes a negative, not a positive."""
    parts = view.augmentations if isinstance(view, Compose) else ()
    return isinstance(view, FeatureShuffle) or any(map(_corrupts, parts))


def _warn(words: str) -> None:
    warnings.warn(words, RuntimeWarning, stacklevel=4)
