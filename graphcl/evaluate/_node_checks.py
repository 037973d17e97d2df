"""Checks of node embeddings, labels and splits before any probe sees them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.utils import remove_self_loops

from graphcl.evaluate._checks import FloatArray, IntArray, as_labels, to_numpy
from graphcl.evaluate.node_splits import NodeSplit

__all__ = ["Rows", "check_classes", "check_node_labels", "check_parts", "check_rows", "check_undirected", "take"]

_UNLABELLED = "take these nodes out of the masks, and where splits are random out of embeddings and labels: x[known]"

Rows = NDArray[Any] | Tensor  # an array on the CPU, or a tensor on a CUDA device


def check_rows(embeddings: Any, name: str = "embeddings") -> Rows:
    """The embeddings, one row per node: a tensor if they are on a CUDA device, otherwise an array."""
    on_device = isinstance(embeddings, Tensor) and embeddings.device.type == "cuda"
    x = embeddings.detach() if on_device else to_numpy(embeddings)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"expected {name} of shape [nodes, dimensions], got {list(x.shape)}")
    if isinstance(x, Tensor):
        x = x if x.dtype == torch.float64 else x.float()
        finite = torch.isfinite(x).all(dim=1).cpu().numpy()
    else:
        if x.dtype.kind not in "fiub":
            raise ValueError(f"expected {name} of real numbers, got dtype {x.dtype}")
        x = np.ascontiguousarray(x, dtype=np.float32 if x.dtype in (np.float32, np.float16) else np.float64)
        finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"expected finite {name}, got NaN or infinite values in {int((~finite).sum())} of {len(x)} rows; "
            "check the training loss and the node features"
        )
    return x


def take(x: Rows, index: IntArray) -> FloatArray:
    """The rows of these nodes, as float64 on the CPU."""
    rows = x[torch.from_numpy(index).to(x.device)].double().cpu().numpy() if isinstance(x, Tensor) else x[index]
    return np.asarray(rows, dtype=np.float64)


def check_node_labels(labels: Any, num_nodes: int, used: IntArray | None = None) -> IntArray:
    """The labels as codes 0, 1, ... of the classes among the used nodes; -1 for nodes that are not used."""
    y = to_numpy(labels)
    if labels is None or y.ndim != 1 or len(y) != num_nodes:
        got = "none" if labels is None else f"shape {list(y.shape)}"
        raise ValueError(
            f"expected one label per node, shape [{num_nodes}] as the embeddings have rows, got {got}; "
            f"several tasks, or labels of shape [nodes, 1], must be taken one by one: y[:, task]; "
            f"of one-hot rows write y.argmax(1)"
        )
    index = np.arange(num_nodes) if used is None else used
    values = as_labels(y[index])
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(
            f"expected a label for every node of the splits, got NaN for {int(np.isnan(values).sum())} of "
            f"{len(values)}; {_UNLABELLED}"
        )
    if values.dtype.kind not in "iubUS" and not (np.isfinite(values) & (values == np.round(values))).all():
        raise ValueError("expected class labels, got fractional or infinite values; these protocols classify")
    if values.dtype.kind not in "US" and (values < 0).any():
        raise ValueError(
            f"expected classes from 0 on, got negative labels for {int((values < 0).sum())} nodes of the splits; "
            f"if that means no label, {_UNLABELLED}"
        )
    classes, found = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"expected at least 2 classes, got only {classes.tolist()}")
    codes = np.full(num_nodes, -1, dtype=np.int64)
    codes[index] = found
    return codes


def check_parts(split: NodeSplit, num_nodes: int) -> NodeSplit:
    """The parts as arrays; refuses masks in the place of node numbers, numbers of no node, and nodes in two parts."""
    if not isinstance(split, NodeSplit):
        raise TypeError(f"expected a NodeSplit, got {type(split).__name__}; write NodeSplit(train, validation, test)")
    split = NodeSplit(*(_numbers(part, name, num_nodes) for part, name in zip(split, NodeSplit._fields, strict=True)))
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        both = np.intersect1d(getattr(split, first), getattr(split, second))
        if both.size:
            raise ValueError(
                f"expected parts that do not overlap, got {both.size} nodes in both {first} and {second}; each node "
                f"belongs to one part"
            )
    return split


def _numbers(part: Any, name: str, num_nodes: int) -> IntArray:
    found = to_numpy(part)
    if found.dtype == np.bool_:
        raise ValueError(f"expected node numbers in {name}, got a mask; use mask_splits, or np.flatnonzero(mask)")
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"expected node numbers [n] in {name}, got {list(found.shape)} of {found.dtype}")
    low, high = (found.min(), found.max()) if found.size else (0, 0)
    if low < 0 or high >= num_nodes:
        raise ValueError(f"expected node numbers from 0 to {num_nodes - 1} in {name}, got some from {low} to {high}")
    return found.astype(np.int64)


def check_classes(y: IntArray, splits: Sequence[NodeSplit], metric: str) -> None:
    """Refuse a split whose training part lacks a class, unless the class is too small to be in every part."""
    sizes = np.bincount(y[y >= 0])
    for number, split in enumerate(splits):
        present = np.bincount(y[split.train], minlength=len(sizes)) > 0
        lacking = np.flatnonzero(~present & (sizes >= 3))
        if lacking.size or present.sum() < 2:
            what = ", ".join(f"class {c} ({sizes[c]} nodes)" for c in lacking) or "all classes but one"
            raise ValueError(
                f"expected every class in the training part of split {number}, but {what} has no node in it; use "
                f"another split, or a protocol with more training nodes"
            )
        if metric == "auc":
            for part in ("validation", "test"):
                index = getattr(split, part)
                if len(index) and len(np.unique(y[index])) < 2:
                    raise ValueError(f"expected both classes in the {part} part of split {number} for the AUC, got one")


def check_undirected(edge_index: Tensor, num_nodes: int, what: str) -> None:
    """Refuse a graph in which some edge lacks its reverse."""
    row, col = remove_self_loops(edge_index)[0]
    there, back = torch.unique(row * num_nodes + col), torch.unique(col * num_nodes + row)
    lone = there.numel() - int(torch.isin(there, back).sum())
    if lone:
        raise ValueError(
            f"expected an undirected graph for {what}, got one in which {lone} of {there.numel()} edges lack their "
            f"reverse; make it undirected first: torch_geometric.transforms.ToUndirected()(data)"
        )
