"""The embeddings that a table compares: the trained encoder beside everything it has to beat."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import Batch

from graphcl._arguments import check_seed
from graphcl.data import PackedDataset
from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate.baselines import (
    embed_graphs,
    raw_embeddings,
    untrained_embeddings,
    untrained_init_embeddings,
)
from graphcl.evaluate.cache import rows_of
from graphcl.evaluate.wl import wl_kernel
from graphcl.methods import Method
from graphcl.nn import rooted_subtrees

__all__ = ["compared_embeddings"]

EMBED_BATCH = 1024
FEW_VALUES = 64  # a column of x that takes no more is a label, or one place of it
OWN_ROWS = {"raw", "untrained-init", "untrained", "wl"}


def first_epoch(graphs: PackedDataset, batch_size: int, seed: int) -> Iterator[Batch]:
    """The batches of the first epoch of training, in its order: TU files are sorted by class, and statistics forget."""
    order = graphs.loader(batch_size, shuffle=True, seed=seed).order
    return (graphs.batch(index) for index in order.split(int(batch_size)) if index.numel() > 1)


def compared_embeddings(
    graphs: PackedDataset,
    seeds: Sequence[int],
    *,
    make: Callable[[int], Method],
    trained: Mapping[str, Callable[[int], Method]],
    batch_size: int = 128,
    cache: str | Path | None = None,
    key: Mapping[str, Any] | None = None,
    kernel: bool = True,
) -> tuple[dict[str, list[FloatArray]], dict[str, FloatArray]]:
    """The embeddings of ``raw``, ``untrained-init``, ``untrained`` and the trained methods, and the ``wl`` kernel.

    Where more than half of all nodes have a row of ``x`` that no other has, as with measured attributes, ``wl`` goes by
    the columns with at most 64 values, or by degrees if there is none: no two graphs would have a colour in common.

    Args:
        graphs: The data set.
        seeds: The model seeds.
        make: From a seed to the method as training begins with it.
        trained: Under each name, from a seed to the trained method.
        batch_size: The batch size of training, for the statistics of ``untrained``.
        cache: A folder in which embeddings are kept and looked up.
        key: What decides the embeddings besides name and seed; needed with ``cache``.
        kernel: Whether the ``wl`` kernel is wanted.

    Returns:
        Embeddings by method, one array per seed; kernels by method. Both as :func:`evaluate_embeddings` takes them.

    Raises:
        ValueError: ``cache`` without ``key``, or a method that is called as one of the rows beside it.

    Example:
        >>> from graphcl.data import PackedDataset, load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> graphs = PackedDataset(load("synthetic-molecules")[:20])
        >>> make = lambda seed: GraphCL(GraphEncoder(GIN(graphs.num_features)), seed=seed)
        >>> embeddings, kernels = compared_embeddings(graphs, [0], make=make, trained={})
        >>> sorted(embeddings), sorted(kernels)
        (['raw', 'untrained', 'untrained-init'], ['wl'])
    """
    if taken := OWN_ROWS & set(trained):
        raise ValueError(f"expected another name than {', '.join(sorted(taken))}, which is a row of every such table")
    seeds = [check_seed(seed) for seed in seeds]
    clean = list(graphs.batches(EMBED_BATCH))
    builds = encoder_rows(graphs, clean, make=make, trained=trained, batch_size=batch_size)
    rows = {"raw": [raw_embeddings(clean)] * len(seeds)} | rows_of(builds, seeds, cache, key)
    if not kernel:
        return rows, {}
    return rows, {"wl": wl_kernel(with_colours(graphs.batch(range(len(graphs)))))}


def with_colours(batch: Batch) -> Batch:
    """The batch with features that nodes can have in common."""
    if batch.x is None or 2 * rooted_subtrees(batch, 0).unique().numel() <= batch.num_nodes:
        return batch
    x = batch.x.reshape(batch.num_nodes, -1)
    few = [i for i, column in enumerate(x.T) if column.unique().numel() <= FEW_VALUES]
    batch.x = x[:, few] if few else None
    return batch


def encoder_rows(
    graphs: PackedDataset,
    clean: Sequence[Batch],
    *,
    make: Callable[[int], Method],
    trained: Mapping[str, Callable[[int], Method]],
    batch_size: int,
) -> dict[str, Callable[[int], FloatArray]]:
    """From a seed to the embeddings by each encoder: ``untrained-init``, ``untrained``, and the trained ones."""

    def untrained(seed: int) -> FloatArray:
        statistics = first_epoch(graphs, batch_size, seed)
        return untrained_embeddings(lambda: make(seed), clean, statistics=statistics, seed=seed)

    def embedded(build: Callable[[int], Method]) -> Callable[[int], FloatArray]:
        return lambda seed: embed_graphs(build(seed), clean)

    rows = {"untrained-init": lambda seed: untrained_init_embeddings(lambda: make(seed), clean), "untrained": untrained}
    return rows | {name: embedded(build) for name, build in trained.items()}
