"""Node embeddings beside the trained ones: the features themselves and the encoder untrained."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate.baselines import collect_statistics
from graphcl.evaluate.cache import rows_of

__all__ = [
    "compared_node_embeddings",
    "embed_nodes",
    "raw_node_embeddings",
    "untrained_init_node_embeddings",
    "untrained_node_embeddings",
]


def raw_node_embeddings(data: Any) -> FloatArray:
    """The node features as embeddings.

    Args:
        data: A graph with ``x``.

    Returns:
        Array [nodes, features].

    Raises:
        ValueError: A graph without node features.

    Example:
        >>> from graphcl.data import load
        >>> raw_node_embeddings(load("karate")[0]).shape
        (34, 34)
    """
    if data.x is None:
        raise ValueError("expected node features x, got none; choose features=, for example 'degree-onehot'")
    return _array(data.x)


def embed_nodes(method: nn.Module, data: Any) -> FloatArray:
    """The node embeddings of ``method.embed``, which works in eval mode on the clean graph.

    Args:
        method: A module with ``embed(data) -> Embeddings(node, graph)``.
        data: The graph, on the device of the method.

    Returns:
        Array [nodes, dimensions].

    Example:
        >>> from types import SimpleNamespace
        >>> method = torch.nn.Module()
        >>> method.embed = lambda data: SimpleNamespace(node=data)
        >>> embed_nodes(method, torch.ones(2, 3)).shape
        (2, 3)
    """
    module: Any = method
    with torch.no_grad():
        return _array(module.embed(data).node)


def untrained_init_node_embeddings(make: Callable[[], nn.Module], data: Any) -> FloatArray:
    """The embeddings of a freshly made method, BatchNorm at its initial identity.

    Args:
        make: Makes the method from the seed of the run, as training does.
        data: The graph.
    """
    return embed_nodes(make(), data)


def untrained_node_embeddings(make: Callable[[], nn.Module], data: Any, *, seed: int = 0) -> FloatArray:
    """The embeddings of a freshly made method after one pass in train mode without a gradient step.

    The pass sets the BatchNorm statistics to those of the clean graph; an encoder without BatchNorm is as initialised.

    Args:
        make: Makes the method from the seed of the run, as training does; it has an ``encoder``.
        data: The graph.
        seed: Seed for dropout, if the encoder has any; the global generators are left as they were.
    """
    method = make()
    if _has_batch_norm(method):
        collect_statistics(method, [data], seed=seed)
    return embed_nodes(method, data)


def compared_node_embeddings(
    data: Any,
    seeds: Sequence[int],
    *,
    make: Callable[[int], nn.Module],
    trained: Mapping[str, Callable[[int], nn.Module]],
    cache: str | Path | None = None,
    key: Mapping[str, Any] | None = None,
) -> dict[str, list[FloatArray]]:
    """The embeddings of ``raw``, ``untrained`` and the trained methods, and ``untrained-init`` where that differs.

    Args:
        data: The graph, on the device of the methods.
        seeds: The model seeds.
        make: From a seed to the method as training begins with it.
        trained: Under each name, from a seed to the trained method.
        cache: A folder in which embeddings are kept and looked up.
        key: What decides the embeddings besides name and seed; needed with ``cache``.

    Returns:
        Embeddings by method, one array per seed, as :func:`evaluate_nodes` takes them.

    Raises:
        ValueError: ``cache`` without ``key``.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN, GraphEncoder
        >>> network = load("karate")[0]
        >>> make = lambda seed: GraphCL(GraphEncoder(GIN(34)), seed=seed)
        >>> sorted(compared_node_embeddings(network, [0], make=make, trained={}))
        ['raw', 'untrained', 'untrained-init']
    """
    builds: dict[str, Callable[[int], FloatArray]] = {}
    if seeds and _has_batch_norm(make(seeds[0])):
        builds["untrained-init"] = lambda seed: untrained_init_node_embeddings(lambda: make(seed), data)
    builds["untrained"] = lambda seed: untrained_node_embeddings(lambda: make(seed), data, seed=seed)
    for name, build in trained.items():
        builds[name] = lambda seed, build=build: embed_nodes(build(seed), data)  # type: ignore[misc]
    return {"raw": [raw_node_embeddings(data)] * len(seeds)} | rows_of(builds, seeds, cache, key)


def _has_batch_norm(method: nn.Module) -> bool:
    encoder: Any = method.encoder
    return any(isinstance(module, _BatchNorm) for module in encoder.modules())


def _array(x: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(x.detach().double().cpu().numpy())
