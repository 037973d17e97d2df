"""What a node's neighbourhood says on average: powers of the normalised adjacency."""

from torch import Tensor

from graphcl.nn import normalised_adjacency

__all__ = ["smoothed"]


def smoothed(node: Tensor, edge_index: Tensor, power: int) -> Tensor:
    """``[N, D]`` the nodes times the symmetrically normalised adjacency with self-loops, ``power`` times."""
    if power == 0:
        return node
    adjacency = normalised_adjacency(edge_index, node.size(0), dtype=node.dtype)
    for _ in range(power):
        node = adjacency(node)
    return node
