"""What is said of a node, with what is said of the neighbourhood: powers of the normalised adjacency."""

from torch_geometric.data import Data

from graphcl.methods.base import graphs_of
from graphcl.nn import Embeddings, GraphEncoder, normalised_adjacency

__all__ = ["smoothed"]


def smoothed(found: Embeddings, encoder: GraphEncoder, data: Data, power: int) -> Embeddings:
    """H + A^n H of embeddings H, n the power of the symmetrically normalised adjacency with self-loops; H for n = 0."""
    if power == 0:
        return found
    spread = found.node
    adjacency = normalised_adjacency(data.edge_index, spread.size(0), dtype=spread.dtype)
    for _ in range(power):
        spread = adjacency(spread)
    node = found.node + spread
    return Embeddings(node, encoder.readout(node, *graphs_of(data)))
