"""What a node's neighbourhood says on average: powers of the normalised adjacency."""

from torch import Tensor

from graphcl.nn import normalised_adjacency

__all__ = ["check_power", "smoothed"]


def smoothed(node: Tensor, edge_index: Tensor, power: int) -> Tensor:
    """``[N, D]`` the nodes times the symmetrically normalised adjacency with self-loops, ``power`` times."""
    if power == 0:
        return node
    adjacency = normalised_adjacency(edge_index, node.size(0), dtype=node.dtype)
    for _ in range(power):
        node = adjacency(node)
    return node


def check_power(name: str, power: int) -> int:
    """``power``, or an error if it is no whole number of at least 0."""
    if not isinstance(power, int) or isinstance(power, bool):
        raise TypeError(f"expected {name} as a whole number, got {power!r}")
    if power < 0:
        raise ValueError(f"expected {name} of at least 0, got {power}")
    return power
