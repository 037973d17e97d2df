"""What a node's neighbourhood says on average: powers of the normalised adjacency."""

from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm

__all__ = ["check_power", "smoothed"]


def smoothed(node: Tensor, edge_index: Tensor, power: int) -> Tensor:
    """``[N, D]`` the nodes times the symmetrically normalised adjacency with self-loops, ``power`` times."""
    if power == 0:
        return node
    edges, weight = gcn_norm(edge_index, num_nodes=node.size(0), dtype=node.dtype)
    for _ in range(power):
        sent = node.index_select(0, edges[0]) * weight[:, None]
        node = node.new_zeros(node.shape).index_add(0, edges[1], sent)
    return node


def check_power(name: str, power: int) -> int:
    """``power``, or an error if it is no whole number of at least 0."""
    if not isinstance(power, int) or isinstance(power, bool):
        raise TypeError(f"expected {name} as a whole number, got {power!r}")
    if power < 0:
        raise ValueError(f"expected {name} of at least 0, got {power}")
    return power
