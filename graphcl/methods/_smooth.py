"""What an encoder says of a node, with what it says of the neighbourhood: powers of the normalised adjacency."""

from torch_geometric.data import Data

from graphcl.methods.base import graphs_of
from graphcl.nn import Embeddings, GraphEncoder, normalised_adjacency

__all__ = ["encode_smoothed"]


def encode_smoothed(encoder: GraphEncoder, data: Data, power: int) -> Embeddings:
    """The embeddings H + A^n H, n the power of the symmetrically normalised adjacency with self-loops; H for n = 0."""
    found = encoder.encode(data)
    if power == 0:
        return found
    spread = found.node
    adjacency = normalised_adjacency(data.edge_index, spread.size(0), dtype=spread.dtype)
    for _ in range(power):
        spread = adjacency(spread)
    node = found.node + spread
    return Embeddings(node, encoder.readout(node, *graphs_of(data)))
