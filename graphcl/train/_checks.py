"""What is refused before the first step: no method, too few graphs, features or edges that cannot be trained on."""

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch_geometric.data import Batch, Data

from graphcl.data import PackedDataset
from graphcl.distributed import world
from graphcl.methods import Method
from graphcl.methods.base import check_data

__all__ = ["check_features", "check_graphs", "check_method"]


def check_method(method: object) -> None:
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
    if lazy := [name for name, value in method.named_parameters() if is_lazy(value)]:
        raise ValueError(
            f"expected a network that knows its sizes, got {', '.join(lazy[:3])} without one; give it the number of "
            "features in the place of -1"
        )
    if world() > 1 and not method.joins_ranks:
        raise NotImplementedError(
            f"expected a method whose loss runs over the graphs of all ranks, got {type(method).__name__}, which does "
            "not say so; if it compares graphcl.distributed.joined_rows(...) alone, set its joins_ranks = True"
        )


def check_graphs(packed: PackedDataset, batch_size: int, *, single: bool = False) -> None:
    """Refuse what cannot be trained on: too few graphs in a batch, no features, features that are not finite.

    Args:
        packed: The graphs.
        batch_size: Graphs per step.
        single: Whether a batch of one graph will do, as where nodes are contrasted.
    """
    if not single and (len(packed) < 2 or batch_size < 2):
        raise ValueError(
            f"expected at least 2 graphs in a batch to contrast, got {min(len(packed), batch_size)}: the other graphs "
            "of the batch are the negatives. Use a set of several graphs and a larger batch_size; for one large graph, "
            "a node-level method"
        )
    bad = 0
    for index in torch.arange(len(packed)).split(4096):
        batch = packed.batch(index)
        bad += _bad_values(_features(batch))
        _check_edges(batch, int(index[0]))
    if bad:
        raise ValueError(_not_finite(bad))


def check_features(data: Data) -> None:
    """Refuse a graph without features, with features that are not finite, fewer than two nodes, or edges elsewhere."""
    x = _features(data)
    if bad := _bad_values(x):
        raise ValueError(_not_finite(bad))
    if x.size(0) < 2:
        raise ValueError(f"expected at least 2 nodes to contrast, got {x.size(0)}")
    _check_edges(data, None)


def _features(data: Data) -> Tensor:
    check_data(data)
    x = data._store.get("x")
    if x is None:
        raise ValueError(
            "expected node features x, got none; load the set with features='constant' or 'degree', or give "
            "graphs of your own some (torch_geometric.transforms.Constant)"
        )
    for name, value in (("x", x), ("edge_index", data._store.get("edge_index"))):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"expected {name} to be a tensor, got {type(value).__name__}; if the graphs hold arrays, write "
                f"data.{name} = torch.from_numpy(data.{name})"
            )
    features: Tensor = x
    if features.layout != torch.strided:
        raise TypeError(f"expected dense features x, got {features.layout}; write data.x = data.x.to_dense()")
    if features.requires_grad:  # no optimiser has them, and what they were made by has one backward pass in it
        raise ValueError(
            "expected features x that are given, got some that require a gradient, which nothing here would train; "
            "write data.x = data.x.detach(), and put what is learned of them into the network"
        )
    return features


def _check_edges(data: Data, first: int | None) -> None:
    """Refuse edges to nodes that are not their graph's, which in a batch would be another graph's."""
    edges = data._store.get("edge_index")
    if edges is None or edges.layout != torch.strided or edges.shape[:1] != (2,) or edges.numel() == 0:
        return
    if first is None or not isinstance(data, Batch):
        low, high = torch.zeros_like(edges[0]), torch.full_like(edges[0], data.num_nodes or 0)
    else:
        home = torch.repeat_interleave(data._slice_dict["edge_index"].diff().to(edges.device))
        low, high = data.ptr.index_select(0, home), data.ptr.index_select(0, home + 1)
    stray = ((edges < low) | (edges >= high)).any(0)
    if bool(stray.any()):
        at = int(stray.int().argmax())
        start, size = int(low[at]), int(high[at] - low[at])
        where = "the graph" if first is None else f"graph {first + int(home[at])}"
        raise ValueError(
            f"expected edges between the {size} nodes of {where}, numbered from 0, got the edge "
            f"{(edges[:, at] - start).tolist()}; mend edge_index, or give x a row for every node"
        )


def _bad_values(x: Tensor) -> int:
    return int((~torch.isfinite(x)).sum()) if x.is_floating_point() else 0


def _not_finite(count: int) -> str:
    return (
        f"expected finite node features, got {count} NaN or infinite values in x; "
        "replace them before training (torch.nan_to_num, or drop the column)"
    )
