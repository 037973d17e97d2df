"""Node features for graphs that have none: an explicit choice, because published scores depend on it.

The choice works on the packed tensors of an in-memory data set (``_data`` and ``slices``) at once, with no loop over
graphs, and returns a new data set; the tensors it leaves alone are shared with the input.
"""

import copy
import math

import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset
from torch_geometric.utils import cumsum

from graphcl._arguments import check_choice
from graphcl.errors import DataError

__all__ = ["FEATURES", "node_offsets", "with_features"]

FEATURES = {
    "original": "the data set's own features",
    "normalized": "its own features less the graph's smallest, each node's divided by their sum, as PyG's "
    "NormalizeFeatures (DGI, GRACE, CCA-SSG on bags of words)",
    "constant": "one feature that is 1 everywhere (GraphCL, InfoGraph)",
    "degree": "one feature, the node's degree",
    "degree-onehot": "one column per degree, degrees above a cap sharing the last one (GraphMAE)",
}


def with_features(dataset: InMemoryDataset, features: str | None = None, *, cap: int = 400) -> InMemoryDataset:
    """Return the data set with the chosen node features, as float32; the input is left as it is.

    An explicit choice other than ``original`` wins over features that are there: ``constant`` on a molecule set then
    asks what the bare structure is worth. Features of another type (integers, bool, float64) become float32, which is
    what the encoders compute in.

    Args:
        dataset: A packed data set, featureless or not.
        features: One of ``original``, ``normalized``, ``constant``, ``degree``, ``degree-onehot``; None means
            ``original``.
        cap: For ``degree-onehot``: the greatest degree with a column of its own. There are ``min(cap, m) + 1`` columns
            where ``m`` is the greatest degree in the set.

    Returns:
        A data set of the same class, with ``x`` of shape [nodes, F] and type float32.

    Raises:
        ValueError: If ``features`` or ``cap`` is none of the above.
        DataError: If the set has no features and none are chosen, or if ``x`` or ``edge_attr`` holds NaN or infinity.

    Example:
        >>> from torch_geometric.data import Data
        >>> from graphcl.data.lists import ListDataset
        >>> path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> with_features(ListDataset([path], name="path"), "degree")[0].x.flatten()
        tensor([1., 2., 1.])

    Source: Xu et al., How Powerful are Graph Neural Networks?, ICLR 2019 (constant and one-hot degrees on social
    graphs).
    """
    if features is not None:
        check_choice("features", features, FEATURES)
    if cap < 1:
        raise ValueError(f"expected cap >= 1, got {cap}")
    offsets = node_offsets(dataset)
    if features in (None, "original", "normalized"):
        x = dataset._data.x
        if x is None or x.size(-1) == 0:
            own = ("original", "normalized")
            choices = "; ".join(f"{name}: {text}" for name, text in FEATURES.items() if name not in own)
            raise DataError(
                f"{_name(dataset)} has no node features: choose some with features= or --features ({choices})."
            )
    elif features == "constant":
        x = torch.ones(int(offsets[-1]), 1)
    else:
        x = _degrees(dataset, offsets)
        x = x.unsqueeze(-1) if features == "degree" else _one_hot(x, cap)
    # A set with one value per node may keep it as a vector; a feature matrix has two dimensions.
    x = (x.unsqueeze(-1) if x.dim() == 1 else x).to(torch.float32)
    if features == "normalized":  # as PyG's NormalizeFeatures of each graph
        least = x.flatten(1).amin(1) if x.numel() else x.new_zeros(len(x))
        each = torch.arange(len(offsets) - 1).repeat_interleave(offsets.diff())
        lowest = least.new_full((len(offsets) - 1,), math.inf).scatter_reduce_(0, each, least, "amin")
        x = x - lowest.index_select(0, each).view(-1, *[1] * (x.dim() - 1))
        x = x / x.sum(-1, keepdim=True).clamp(min=1)
    _check_finite(dataset, "x", x, offsets)
    edge_attr = dataset._data.edge_attr
    if edge_attr is not None and edge_attr.is_floating_point() and not torch.isfinite(edge_attr).all():
        edge_offsets = None if dataset.slices is None else dataset.slices["edge_attr"]
        _check_finite(dataset, "edge_attr", edge_attr, edge_offsets)
    return _replace_x(dataset, x, offsets)


def node_offsets(dataset: InMemoryDataset) -> Tensor:
    """Return where each graph's nodes begin in the packed tensors, and where the last graph's end: shape [graphs + 1].

    Raises:
        DataError: If the number of nodes is not stored, so that it could only be guessed from the edges.
    """
    data, slices = dataset._data, dataset.slices
    if slices is not None and "x" in slices:
        return slices["x"]
    if slices is not None and (sizes := getattr(data, "_num_nodes", None)) is not None:
        return cumsum(torch.tensor(sizes, dtype=torch.long))
    if slices is None and (data.x is not None or "num_nodes" in data):
        return torch.tensor([0, data.num_nodes])
    raise DataError(f"{_name(dataset)} does not say how many nodes its graphs have: expected x or num_nodes in each.")


def _degrees(dataset: InMemoryDataset, offsets: Tensor) -> Tensor:
    if dataset._data.edge_index is None:
        raise DataError(f"{_name(dataset)} has no edge_index, of which degrees could be counted.")
    source = dataset._data.edge_index[0]
    if dataset.slices is not None:  # the packed edge_index counts nodes from 0 in every graph
        source = source + offsets[:-1].repeat_interleave(dataset.slices["edge_index"].diff())
    return torch.bincount(source, minlength=int(offsets[-1]))


def _one_hot(degree: Tensor, cap: int) -> Tensor:
    columns = min(cap, int(degree.max())) + 1
    x = torch.zeros(degree.numel(), columns)
    return x.scatter_(1, degree.clamp(max=columns - 1).unsqueeze(-1), 1.0)


def _replace_x(dataset: InMemoryDataset, x: Tensor, offsets: Tensor) -> InMemoryDataset:
    result = copy.copy(dataset)
    result._data, result._data_list = copy.copy(dataset._data), None
    if "num_nodes" in result._data:  # x says it now, and an old number would outlive the dropping of nodes
        del result._data.num_nodes
        if getattr(result._data, "_num_nodes", None) is not None:
            del result._data._num_nodes
    result._data.x = x
    if dataset.slices is not None:
        result.slices = {key: value for key, value in dataset.slices.items() if key != "num_nodes"} | {"x": offsets}
    return result


def _check_finite(dataset: InMemoryDataset, key: str, values: Tensor, offsets: Tensor | None) -> None:
    finite = torch.isfinite(values).reshape(values.size(0), -1).all(dim=1)
    if finite.all():
        return
    wrong = (~finite).nonzero().flatten()
    graph = 0 if offsets is None else int(torch.searchsorted(offsets, wrong[:1], right=True)) - 1
    row = int(wrong[0]) - (0 if offsets is None else int(offsets[graph]))
    count = int((~torch.isfinite(values)).sum())
    raise DataError(
        f"{_name(dataset)}: {key} holds {count} values that are NaN or infinite, in {wrong.numel()} of "
        f"{values.size(0)} rows, the first in row {row} of graph {graph}. Mend the data or choose other features."
    )


def _name(dataset: InMemoryDataset) -> str:
    return str(dataset.__dict__.get("name", type(dataset).__name__))
