"""Checks of embeddings and labels before any classifier sees them: a wrong input costs a message, not an hour."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcl._arguments import check_seed
from graphcl.evaluate.protocols import Protocol

__all__ = [
    "FloatArray",
    "IntArray",
    "as_labels",
    "check_batch",
    "check_embeddings",
    "check_graph",
    "check_groups",
    "check_kernel",
    "check_labels",
    "check_methods",
    "check_runs",
    "to_numpy",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Checked = TypeVar("Checked")


def check_runs(seeds: Sequence[int], n_jobs: int = 1) -> list[int]:
    """The seeds as Python's numbers; none, one that is there twice, and no thread to compute with are refused."""
    numbers = [check_seed(seed) for seed in seeds]
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"expected at least one seed, each once, got {numbers}")
    if n_jobs < 1:
        raise ValueError(f"expected n_jobs of at least 1, got {n_jobs}")
    return numbers


def check_graph(data: object) -> int:
    """The number of nodes of one graph; a data set in its place is refused."""
    if not isinstance(data, Data):
        raise TypeError(
            f"expected a graph, a torch_geometric Data, got {type(data).__name__}; of a set take dataset[0]"
        )
    num_nodes = data.num_nodes
    if num_nodes is None:
        raise ValueError("expected a graph that tells its number of nodes, got none; set data.num_nodes")
    return int(num_nodes)


def check_batch(batch: object) -> None:
    """Refuse single graphs, which going through a data set gives, in the place of batches."""
    if isinstance(batch, Data) and batch._store.get("batch") is None:
        raise TypeError(
            "expected batches of graphs, got a single graph; write DataLoader(graphs, batch_size=128) or "
            "PackedDataset(graphs).batches(128)"
        )


def to_numpy(value: Any) -> NDArray[Any]:
    """Any array or tensor, on any device, as a NumPy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)


def as_labels(labels: Any) -> NDArray[Any]:
    """Labels as an array of numbers or texts, or says what is neither, such as ``None``."""
    y = to_numpy(labels)
    if y.dtype.kind != "O":
        return y
    kinds = {type(label) for label in y.flat}
    if kinds != {str} and not all(issubclass(kind, (int, float, np.number, np.bool_)) for kind in kinds):
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"expected labels that are all numbers or all texts, got {found}; leave out what has no label")
    return np.asarray(y.tolist())


def check_embeddings(embeddings: Any, name: str = "embeddings") -> FloatArray:
    """The embeddings as a contiguous float64 matrix, one row per graph, or an error that says what is wrong."""
    x = to_numpy(embeddings)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"expected {name} of shape [graphs, dimensions], got {list(x.shape)}")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"expected {name} of real numbers, got dtype {x.dtype}")
    x = np.ascontiguousarray(x, dtype=np.float64)
    finite = np.isfinite(x)
    if not finite.all():
        bad, rows = int((~finite).sum()), int((~finite).any(axis=1).sum())
        raise ValueError(
            f"expected finite {name}, got {bad} NaN or infinite values in {rows} of {len(x)} rows; "
            "check the training loss and the node features"
        )
    return x


def check_methods(
    embeddings: object, seeds: Sequence[int], check: Callable[[Any, str], Checked]
) -> dict[str, list[Checked]]:
    """What ``check`` makes of the embeddings of each method and seed, all of them before the first fit."""
    if not isinstance(embeddings, Mapping):
        raise TypeError(
            f"expected embeddings by method, one array per seed, got {type(embeddings).__name__}; write "
            "{'mine': [embeddings]}"
        )
    for method, matrices in embeddings.items():
        if getattr(matrices, "ndim", 3) < 3:
            raise TypeError(
                f"expected one array per seed for {method}, got one alone; write {{{method!r}: [embeddings]}}"
            )
        if len(matrices) != len(seeds):
            raise ValueError(f"expected {len(seeds)} embeddings of {method}, one for each seed, got {len(matrices)}")
    return {method: [check(x, f"embeddings of {method}") for x in own] for method, own in embeddings.items()}


def check_kernel(kernel: Any) -> FloatArray:
    """A kernel matrix as float64, or an error that says what is wrong."""
    gram = check_embeddings(kernel, "a kernel matrix")
    if gram.shape[0] != gram.shape[1] or not np.allclose(gram, gram.T):
        raise ValueError(f"expected a symmetric kernel matrix [graphs, graphs], got shape {list(gram.shape)}")
    return gram


FEWER_FOLDS = "use fewer folds: with_folds(protocol, folds, inner_folds)"


def check_labels(labels: Any, num_graphs: int, protocol: Protocol, *, mend: str = FEWER_FOLDS) -> IntArray:
    """The labels as codes 0, 1, ..., or an error that says what is wrong, and what to do about a rare class."""
    y = as_labels(labels)
    if y.ndim != 1:
        raise ValueError(f"expected one label per graph, shape [{num_graphs}], got {list(y.shape)}; flatten them first")
    if len(y) != num_graphs:
        raise ValueError(f"expected {num_graphs} labels, one for each row of the embeddings, got {len(y)}")
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.round(y)).all()):
        raise ValueError("expected class labels, got fractional or NaN values; these protocols classify")
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"expected at least 2 classes, got only {classes.tolist()}")
    if not protocol.nested:
        return codes.astype(np.int64)
    rare = int(counts.argmin())
    members, folds = int(counts[rare]), protocol.folds
    # A fold takes up to ceil(members / folds) of a class away; the inner folds share what is left.
    left = members - -(-members // folds)
    if members < folds or left < protocol.inner_folds:
        need = "" if members < folds else f" and {protocol.inner_folds} of them left for the inner folds"
        raise ValueError(
            f"expected >= {folds} graphs in every class, one for each fold{need}, got {members} of class "
            f"{classes[rare]}; {mend}"
        )
    return codes.astype(np.int64)


def check_groups(groups: Any, num_graphs: int, protocol: Protocol) -> IntArray | None:
    """The groups of a grouped protocol, or an error where there are none, too few, or some that nobody asked for."""
    if (groups is None) == protocol.grouped:
        asked, got = (
            ("groups of graphs", "none; pass groups=wl_classes(graphs)") if protocol.grouped else ("none", "some")
        )
        raise ValueError(f"expected {asked} for the protocol {protocol.name}, got {got}")
    if groups is None:
        return None
    found = to_numpy(groups)
    if found.shape != (num_graphs,):
        raise ValueError(f"expected one group for each of {num_graphs} graphs, got shape {list(found.shape)}")
    return np.unique(found, return_inverse=True)[1].reshape(-1).astype(np.int64)
