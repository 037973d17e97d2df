"""Encoding with a weight on every edge, which gradients reach: for views that are learned or diffused."""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl.distributed import own_rows
from graphcl.nn._fused import is_plain, maps_first
from graphcl.nn._signature import inner, takes, takes_weights
from graphcl.nn.embeddings import Embeddings, GraphEncoder, batch_and_count
from graphcl.nn.encoders import GIN
from graphcl.nn.norm import normalise_views

__all__ = ["check_takes_weights", "encode_weighted"]


def check_takes_weights(encoder: GraphEncoder) -> None:
    """Refuse a network that cannot be told how much each edge counts, or that makes nothing of it."""
    gnn = inner(encoder.gnn)
    if not _is_gin(gnn) and not takes_weights(gnn):
        unused = ", which makes no use of it" if takes(gnn, "edge_weight") else ""
        raise ValueError(
            f"expected a network whose forward takes edge_weight, got {type(inner(gnn)).__name__}{unused}; take GIN of "
            "graphcl.nn, or a model such as GCN whose forward is (x, edge_index, edge_weight)"
        )


def encode_weighted(encoder: GraphEncoder, data: Data, weight: Tensor) -> Embeddings:
    """The embeddings of ``data`` where the message along edge e is multiplied by ``weight[e]``.

    Raises:
        ValueError: The network takes no edge weights.
    """
    gnn = inner(encoder.gnn)  # of a GIN the layers are needed, whether it is compiled or not
    check_takes_weights(encoder)
    batch, num_graphs = batch_and_count(data)
    if not _is_gin(gnn):
        options = {"edge_attr": encoder.edge_attr_of(data), "edge_weight": weight}
        return encoder(data.x, data.edge_index, batch, num_graphs=num_graphs, **options)
    x = data.x if data.x.is_floating_point() else data.x.float()
    batch = x.new_zeros(x.size(0), dtype=torch.int64) if batch is None else batch
    with own_rows():
        node = _weighted_gin(gnn, x, data.edge_index, weight)
    return Embeddings(node, encoder.readout(node, batch, num_graphs))


def _is_gin(gnn: nn.Module) -> TypeGuard[GIN]:
    """Whether it computes what GIN does; a subclass may compute something else."""
    return isinstance(gnn, GIN) and type(gnn).forward is GIN.forward


def _weighted_gin(gin: GIN, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
    source, target = edge_index
    outputs, layers = [], zip(gin.lower, gin.upper, gin.norms, strict=True)
    lower: Any
    for lower, upper, norm in layers:
        # As in GIN: the sum and the linear map commute, and wide features are mapped first.
        first = is_plain(lower, nn.Linear) and maps_first(lower.weight)
        h = F.linear(x, lower.weight) if first else x
        message = h.index_select(0, source) * weight[:, None].to(h.dtype)
        h = h.index_add(0, target, message)
        h = h + lower.bias if first else lower(h)
        x = torch.relu(upper(torch.relu(h)))
        x = normalise_views(norm, x, None)
        outputs.append(x)
    return torch.cat(outputs, 1)
